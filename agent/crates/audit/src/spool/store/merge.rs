//! Small blocks become large ones: a quiet host would otherwise keep a block for every tenth of a second.

use super::{Packed, SpoolError, Store, ship_state, unpack};
use crate::row::Row;
use rusqlite::params;

/// So many blocks of one level make one of a higher level.
const FAN_IN: usize = 16;
/// Blocks of this level are never merged: they are large enough, and a busy host would pay for its rows twice.
const TOP: u32 = 2;

/// A block's level by its rows: below 16, below 256, or more. Each row is merged at most twice.
pub(super) fn level(rows: usize) -> u32 {
    rows.checked_ilog2().map_or(0, |log| (log / 4).min(TOP))
}

impl Store {
    /// Merges blocks until no level has enough of them. Blocks of the batch under way keep their bytes.
    pub(in super::super) fn merge(&mut self, block_rows: usize) -> Result<(), SpoolError> {
        for ship in [ship_state::WAITING, ship_state::SHIPPED] {
            for level in 0..TOP {
                while self.merge_once(ship, level, block_rows)? {}
            }
        }
        Ok(())
    }

    fn merge_once(&mut self, ship: i64, of_level: u32, block_rows: usize) -> Result<bool, SpoolError> {
        let mut select = self.sqlite.prepare_cached(
            "SELECT id, rows FROM block WHERE ship = ?1 AND level = ?2 ORDER BY id LIMIT ?3",
        )?;
        let found =
            select.query_map(params![ship, of_level, FAN_IN as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let found: Vec<(i64, usize)> = found.collect::<Result<_, _>>()?;
        drop(select);
        let mut sum = 0;
        let fits = |(_, rows): &&(i64, usize)| {
            sum += rows;
            sum <= block_rows
        };
        let ids: Vec<i64> = found.iter().take_while(fits).map(|(id, _)| *id).collect();
        if found.len() < FAN_IN || ids.len() < 2 {
            return Ok(false);
        }
        self.join(&ids, ship, of_level)?;
        Ok(true)
    }

    /// Replaces blocks by one with all their rows, under the newest of their numbers.
    fn join(&mut self, ids: &[i64], ship: i64, of_level: u32) -> Result<(), SpoolError> {
        let (before, after) = self.transact(|transaction| {
            let mut rows: Vec<Box<Row>> = Vec::new();
            let (mut folded, mut before) = (i64::MAX, 0_u64);
            for id in ids {
                let mut select =
                    transaction.prepare_cached("SELECT data, folded FROM block WHERE id = ?1")?;
                let (data, time): (Vec<u8>, i64) =
                    select.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
                let Ok(block) = unpack(*id, &data) else {
                    // Leave it out of this and every later attempt.
                    transaction
                        .execute("UPDATE block SET ship = ?2 WHERE id = ?1", [*id, ship_state::DAMAGED])?;
                    return Ok((0, 0));
                };
                before += data.len() as u64;
                rows.extend(block.into_iter().map(Box::new));
                folded = folded.min(time);
            }
            let block = Packed::new(&rows, &mut Vec::new());
            for id in ids {
                transaction.prepare_cached("DELETE FROM block WHERE id = ?1")?.execute([id])?;
            }
            transaction
                .prepare_cached(
                    "INSERT INTO block (id, rows, bytes, first, last, folded, level, ship, data)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?
                .execute(params![
                    ids.iter().max(),
                    block.rows as i64,
                    block.frame.len() as i64,
                    block.first,
                    block.last,
                    folded,
                    // Always up, even if some levels were nearly empty: each row is merged few times.
                    level(block.rows).max(of_level + 1),
                    ship,
                    block.frame
                ])?;
            Ok((before, block.frame.len() as u64))
        })?;
        self.bytes = (self.bytes + after).saturating_sub(before);
        Ok(())
    }
}
