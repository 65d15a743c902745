//! Deleting old blocks that have arrived.

use super::{SpoolError, Store, add, ship_state};
use rusqlite::{OptionalExtension, params};
use std::time::Duration;

/// Pages given back to the file system at a time.
const PAGES: i64 = 256;

impl Store {
    /// Deletes the oldest blocks that have arrived, or with `local_only` of all, while they are older than `age` or
    /// the store is larger than `bytes`; none newer than `mark`, of which the journal may still have rows. At most
    /// `many` at a time. Gives the number of rows that are gone.
    pub(in super::super) fn retain(
        &mut self,
        (age, bytes): (Duration, u64),
        local_only: bool,
        mark: i64,
        many: usize,
    ) -> Result<u64, SpoolError> {
        let total = self.bytes;
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        let (left, gone) = self.transact(|transaction| {
            let now: i64 = transaction.query_row(
                "SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
                [],
                |row| row.get(0),
            )?;
            let (mut left, mut gone) = (total, 0);
            for _ in 0..many {
                let oldest: Option<(i64, i64, u64, u64)> = transaction
                    .prepare_cached(
                        "SELECT id, folded, bytes, rows FROM block
                         WHERE (ship = ?1 OR (?2 AND ship = ?3)) AND id <= ?4 ORDER BY id LIMIT 1",
                    )?
                    .query_row(params![ship_state::SHIPPED, local_only, ship_state::WAITING, mark], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                    })
                    .optional()?;
                let Some((id, folded, size, rows)) = oldest else { break };
                if left <= bytes && now.saturating_sub(folded) <= age {
                    break;
                }
                transaction.prepare_cached("DELETE FROM block WHERE id = ?1")?.execute([id])?;
                left = left.saturating_sub(size);
                gone += rows;
            }
            if gone > 0 {
                add(transaction, "expired_rows", gone)?;
            }
            Ok((left, gone))
        })?;
        self.bytes = left;
        if gone > 0 {
            let mut vacuum = self.sqlite.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
            let mut pages = vacuum.query([])?;
            while pages.next()?.is_some() {}
        }
        Ok(gone)
    }
}
