//! Batches: which blocks are shipped together is decided once and written down before the first attempt.

use super::{SpoolError, Store, add, ship_state};
use crate::native::frame;
use rusqlite::{OptionalExtension, Transaction, params};

/// Packed bytes in a batch, at most, unless one block alone has more.
const BATCH_BYTES: u64 = 64 << 20;
/// Blocks in a batch, at most.
const BATCH_BLOCKS: usize = 4_096;

/// A batch as it was taken from the store.
pub(in super::super) struct Taken {
    pub(in super::super) id: i64,
    pub(in super::super) token: String,
    pub(in super::super) rows: u64,
    pub(in super::super) frames: Vec<Vec<u8>>,
}

impl Store {
    /// The batch under way, or a new one.
    pub(in super::super) fn take_batch(&mut self, rows_max: usize) -> Result<Option<Taken>, SpoolError> {
        loop {
            let under_way: Option<(i64, String)> = self
                .sqlite
                .query_row("SELECT id, token FROM batch ORDER BY id LIMIT 1", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            match under_way {
                Some((id, token)) => return self.load(id, token).map(Some),
                None if self.make_batch(rows_max)? => {}
                None => return Ok(None),
            }
        }
    }

    fn load(&self, id: i64, token: String) -> Result<Taken, SpoolError> {
        let mut select =
            self.sqlite.prepare_cached("SELECT rows, data FROM block WHERE batch = ?1 ORDER BY id")?;
        let mut blocks = select.query([id])?;
        let mut taken = Taken { id, token, rows: 0, frames: Vec::new() };
        while let Some(block) = blocks.next()? {
            taken.rows += block.get::<_, u64>(0)?;
            taken.frames.push(block.get(1)?);
        }
        Ok(taken)
    }

    /// Puts the oldest waiting blocks into a new batch; false if there are none. A damaged block stays behind: it
    /// would stop every batch for ever.
    fn make_batch(&mut self, rows_max: usize) -> Result<bool, SpoolError> {
        let spool: String =
            self.sqlite.query_row("SELECT value FROM meta WHERE key = 'spool'", [], |row| row.get(0))?;
        self.durably(|transaction| {
            let chosen = choose(transaction, rows_max)?;
            if chosen.is_empty() {
                return Ok(false);
            }
            transaction.execute("INSERT INTO batch (token) VALUES (?1)", [format!("{spool}-new")])?;
            let id = transaction.last_insert_rowid();
            transaction
                .execute("UPDATE batch SET token = ?1 WHERE id = ?2", params![format!("{spool}-{id}"), id])?;
            let mut update =
                transaction.prepare_cached("UPDATE block SET ship = ?1, batch = ?2 WHERE id = ?3")?;
            for block in chosen {
                update.execute([ship_state::IN_BATCH, id, block])?;
            }
            Ok(true)
        })
    }

    /// The batch has arrived. Saying so twice does no harm.
    pub(in super::super) fn batch_arrived(&mut self, id: i64) -> Result<(), SpoolError> {
        self.transact(|transaction| {
            let rows: u64 = transaction.query_row(
                "SELECT coalesce(sum(rows), 0) FROM block WHERE batch = ?1 AND ship = ?2",
                [id, ship_state::IN_BATCH],
                |row| row.get(0),
            )?;
            transaction.execute(
                "UPDATE block SET ship = ?1, batch = NULL WHERE batch = ?2",
                [ship_state::SHIPPED, id],
            )?;
            transaction.execute("DELETE FROM batch WHERE id = ?1", [id])?;
            add(transaction, "shipped_rows", rows)
        })
    }
}

/// The oldest waiting blocks that a batch has room for.
fn choose(transaction: &Transaction<'_>, rows_max: usize) -> Result<Vec<i64>, SpoolError> {
    let mut chosen = Vec::new();
    let mut damaged = Vec::new();
    let (mut rows, mut bytes) = (0_u64, 0_u64);
    let mut select =
        transaction.prepare_cached("SELECT id, rows, bytes, data FROM block WHERE ship = ?1 ORDER BY id")?;
    let mut blocks = select.query([ship_state::WAITING])?;
    while let Some(block) = blocks.next()? {
        let id: i64 = block.get(0)?;
        rows += block.get::<_, u64>(1)?;
        bytes += block.get::<_, u64>(2)?;
        if !chosen.is_empty()
            && (rows > rows_max as u64 || bytes > BATCH_BYTES || chosen.len() >= BATCH_BLOCKS)
        {
            break;
        }
        match frame::check(block.get_ref(3)?.as_blob().unwrap_or_default()) {
            Ok(()) => chosen.push(id),
            Err(_) => damaged.push(id),
        }
    }
    for id in damaged {
        transaction.execute("UPDATE block SET ship = ?1 WHERE id = ?2", [ship_state::DAMAGED, id])?;
    }
    Ok(chosen)
}
