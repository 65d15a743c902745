//! Rows on their way to a sink.

use super::SpoolError;
use super::shared::Shared;

/// Rows that are shipped together. The same batch has the same rows, bytes and token for ever: a server that drops
/// what it has seen by that token takes each row once, however often the batch is sent.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its number in this spool.
    pub id: i64,
    /// Unique over all spools.
    pub token: String,
    /// Its rows.
    pub rows: u64,
    /// Its blocks: ClickHouse's Native format in its compressed frames, to be sent one after the other.
    pub frames: Vec<Vec<u8>>,
}

impl Shared {
    pub(super) fn next_batch(&self, rows_max: usize) -> Result<Option<Batch>, SpoolError> {
        let taken = self.store().take_batch(rows_max)?;
        Ok(taken.map(|taken| Batch {
            id: taken.id,
            token: taken.token,
            rows: taken.rows,
            frames: taken.frames,
        }))
    }

    pub(super) fn shipped(&self, batch: &Batch) -> Result<(), SpoolError> {
        self.store().batch_arrived(batch.id)
    }
}
