//! What a spool holds and how it is doing.

use super::shared::Shared;
use super::{Recovery, SpoolError};

/// A snapshot of the spool.
#[derive(Clone, Debug, Default)]
pub struct SpoolStatus {
    /// Rows begun since the spool was opened.
    pub begun_rows: u64,
    /// Operations under way.
    pub open_rows: u64,
    /// Rows that have finished and are in no block yet.
    pub waiting_rows: u64,
    /// Their weight in memory, in bytes.
    pub waiting_bytes: u64,
    /// Files of the journal.
    pub segments: u64,
    /// Their bytes.
    pub journal_bytes: u64,
    /// Blocks in the store.
    pub blocks: u64,
    /// Their rows.
    pub stored_rows: u64,
    /// Their bytes, packed.
    pub stored_bytes: u64,
    /// Rows in blocks that have not arrived at the sink.
    pub pending_rows: u64,
    /// When the oldest of them was asked, in µs since 1970 UTC.
    pub pending_since: Option<i64>,
    /// Rows that arrived at the sink, ever.
    pub shipped_rows: u64,
    /// Rows that were deleted by age or size, ever.
    pub expired_rows: u64,
    /// Blocks that can't be read any more.
    pub damaged_blocks: u64,
    /// What opening the spool found.
    pub recovery: Recovery,
    /// Why no row can begin, or why rows can't be stored, at the moment.
    pub error: Option<SpoolError>,
}

impl Shared {
    pub(super) fn status(&self) -> SpoolStatus {
        let (totals, store_error) = match self.store().totals() {
            Ok(totals) => (totals, None),
            Err(error) => (super::store::Totals::default(), Some(error)),
        };
        let state = self.state();
        let (segments, journal_bytes) = state.journal.size();
        SpoolStatus {
            begun_rows: state.begun_total,
            open_rows: state.open.len() as u64,
            waiting_rows: state.waiting_rows as u64,
            waiting_bytes: state.waiting_bytes as u64,
            segments: segments as u64,
            journal_bytes,
            blocks: totals.blocks,
            stored_rows: totals.rows,
            stored_bytes: totals.bytes,
            pending_rows: totals.pending_rows,
            pending_since: totals.pending_since,
            shipped_rows: totals.shipped_rows,
            expired_rows: totals.expired_rows,
            damaged_blocks: totals.damaged_blocks,
            recovery: self.recovery.clone(),
            error: state.fold_error.clone().or(store_error),
        }
    }
}
