//! The store: SQLite, one row for each block of audit rows.

use super::SpoolError;
use crate::native::{frame, read_block};
use crate::row::Row;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

mod merge;
mod retain;
mod ship;

/// Layout of the store.
const LAYOUT: i64 = 1;

/// What happens to a block. Numbers as they are stored.
pub(super) mod ship_state {
    /// In no batch yet.
    pub(crate) const WAITING: i64 = 0;
    /// In the batch that is being shipped: its bytes must not change.
    pub(crate) const IN_BATCH: i64 = 1;
    /// Arrived.
    pub(crate) const SHIPPED: i64 = 2;
    /// Its checksum does not match; kept for a person to look at, never shipped.
    pub(crate) const DAMAGED: i64 = 3;
}

/// The store's file in a spool's directory.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("spool.db")
}

/// Sums over all blocks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) blocks: u64,
    pub(super) rows: u64,
    /// Packed.
    pub(super) bytes: u64,
    /// Rows that have not arrived at the sink.
    pub(super) pending_rows: u64,
    /// When the oldest of them was asked, in µs since 1970 UTC.
    pub(super) pending_since: Option<i64>,
    pub(super) damaged_blocks: u64,
    /// Rows that retention has deleted, ever.
    pub(super) expired_rows: u64,
    /// Rows that arrived at the sink, ever.
    pub(super) shipped_rows: u64,
}

/// The owner's connection.
pub(super) struct Store {
    sqlite: Connection,
    /// Bytes of all blocks, packed.
    bytes: u64,
}

/// A block ready to be inserted.
pub(super) struct Packed {
    rows: usize,
    first: i64,
    last: i64,
    frame: Vec<u8>,
}

impl Packed {
    /// Encodes and packs rows.
    pub(super) fn new(rows: &[Box<Row>], scratch: &mut Vec<u8>) -> Self {
        scratch.clear();
        crate::native::write_block(rows, scratch);
        let times = || rows.iter().map(|row| row.time);
        Self {
            rows: rows.len(),
            first: times().min().unwrap_or_default(),
            last: times().max().unwrap_or_default(),
            frame: frame::pack(scratch),
        }
    }
}

impl Store {
    pub(super) fn open(dir: &Path) -> Result<Self, SpoolError> {
        let path = path(dir);
        // Statements may hold secrets: SQLite gives its other files the mode of this one.
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| SpoolError::io(format!("open `{}`", path.display()), &error))?;
        let sqlite = Connection::open(&path)?;
        sqlite.busy_timeout(Duration::from_secs(5))?;
        sqlite.pragma_update(None, "page_size", 16_384)?;
        sqlite.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        sqlite.pragma_update(None, "journal_mode", "WAL")?;
        // Blocks may be lost in a power cut as long as the journal has their rows: see `durable`.
        sqlite.pragma_update(None, "synchronous", "NORMAL")?;
        let mut store = Self { sqlite, bytes: 0 };
        store.lay_out(&path)?;
        store.bytes = store.totals()?.bytes;
        Ok(store)
    }

    fn lay_out(&mut self, path: &Path) -> Result<(), SpoolError> {
        let layout: i64 = self.sqlite.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if layout == LAYOUT {
            return Ok(());
        }
        if layout != 0 {
            return Err(SpoolError::Store(format!(
                "`{}` has the layout {layout}, this version knows {LAYOUT}; use the version that wrote it",
                path.display()
            )));
        }
        let transaction = self.sqlite.transaction()?;
        transaction.execute_batch(include_str!("store/layout.sql"))?;
        transaction.execute(
            "INSERT INTO meta (key, value) VALUES ('spool', ?1)",
            [Uuid::now_v7().simple().to_string()],
        )?;
        transaction.pragma_update(None, "user_version", LAYOUT)?;
        transaction.commit()?;
        Ok(())
    }

    /// Runs a transaction that is safe on disk when it returns, and with it everything before it.
    fn durably<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, SpoolError>,
    ) -> Result<T, SpoolError> {
        self.sqlite.pragma_update(None, "synchronous", "FULL")?;
        let result = self.transact(work);
        self.sqlite.pragma_update(None, "synchronous", "NORMAL")?;
        result
    }

    fn transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, SpoolError>,
    ) -> Result<T, SpoolError> {
        let transaction = self.sqlite.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Makes every block so far safe on disk. With WAL, syncing one commit syncs all before it.
    pub(super) fn durable(&mut self) -> Result<(), SpoolError> {
        self.durably(|transaction| add(transaction, "barriers", 1))
    }

    /// Adds blocks, all or none.
    pub(super) fn add(&mut self, blocks: &[Packed]) -> Result<(), SpoolError> {
        self.transact(|transaction| {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO block (rows, bytes, first, last, folded, level, ship, data)
                 VALUES (?1, ?2, ?3, ?4, CAST(unixepoch('subsec') * 1000000 AS INTEGER), ?5, ?6, ?7)",
            )?;
            for block in blocks {
                insert.execute(params![
                    block.rows as i64,
                    block.frame.len() as i64,
                    block.first,
                    block.last,
                    merge::level(block.rows),
                    ship_state::WAITING,
                    block.frame
                ])?;
            }
            Ok(())
        })?;
        self.bytes += blocks.iter().map(|block| block.frame.len() as u64).sum::<u64>();
        Ok(())
    }

    /// The number of the newest block ever; 0 before the first.
    pub(super) fn newest_block(&self) -> Result<i64, SpoolError> {
        let newest =
            self.sqlite
                .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'block'", [], |row| row.get(0));
        Ok(newest.optional()?.unwrap_or(0))
    }

    /// The ids of all rows in blocks after this one.
    pub(super) fn ids_after(&self, mark: i64, mut found: impl FnMut(Uuid)) -> Result<(), SpoolError> {
        let mut select =
            self.sqlite.prepare("SELECT id, data FROM block WHERE id > ?1 AND ship <> ?2 ORDER BY id")?;
        let mut blocks = select.query([mark, ship_state::DAMAGED])?;
        while let Some(block) = blocks.next()? {
            // A damaged block can't say what it holds: its rows would be folded once more if the journal has them,
            // which is what one wants.
            if let Ok(rows) = unpack(block.get(0)?, block.get_ref(1)?.as_blob().unwrap_or_default()) {
                rows.iter().for_each(|row| found(row.id));
            }
        }
        Ok(())
    }

    /// Bytes of all blocks, packed.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn totals(&self) -> Result<Totals, SpoolError> {
        let mut totals = self.sqlite.query_row(
            "SELECT count(*), coalesce(sum(rows), 0), coalesce(sum(bytes), 0),
                    coalesce(sum(rows) FILTER (WHERE ship < ?1), 0), min(first) FILTER (WHERE ship < ?1),
                    count(*) FILTER (WHERE ship = ?2) FROM block",
            [ship_state::SHIPPED, ship_state::DAMAGED],
            |row| {
                Ok(Totals {
                    blocks: row.get(0)?,
                    rows: row.get(1)?,
                    bytes: row.get(2)?,
                    pending_rows: row.get(3)?,
                    pending_since: row.get(4)?,
                    damaged_blocks: row.get(5)?,
                    ..Totals::default()
                })
            },
        )?;
        totals.expired_rows = self.meta("expired_rows")?;
        totals.shipped_rows = self.meta("shipped_rows")?;
        Ok(totals)
    }

    fn meta(&self, key: &str) -> Result<u64, SpoolError> {
        let value: Option<i64> = self
            .sqlite
            .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
            .optional()?;
        Ok(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0))
    }
}

/// Adds to a counter that outlives the process.
fn add(transaction: &Transaction<'_>, key: &str, more: u64) -> Result<(), SpoolError> {
    transaction
        .prepare_cached(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = value + ?2",
        )?
        .execute(params![key, more as i64])?;
    Ok(())
}

/// A block's rows.
pub(crate) fn unpack(id: i64, data: &[u8]) -> Result<Vec<Row>, SpoolError> {
    let block = frame::unpack(data).map_err(|error| SpoolError::frame(id, error))?;
    let (rows, size) = read_block(&block).map_err(|error| SpoolError::block(id, &error))?;
    if size == block.len() {
        Ok(rows)
    } else {
        Err(SpoolError::Block { id, why: "there is something after it".to_owned() })
    }
}
