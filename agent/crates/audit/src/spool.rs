//! The spool: the durable store that every row enters before its operation's bytes are released.
//!
//! ```text
//!  begin ──one write──▶ journal-N.log ──┐ (survives kill -9 at once, a power cut after begin_durable)
//!  finish ─▶ rows in memory ──100 ms──▶ fold ──▶ spool.db: blocks of rows, ready to query and to ship
//!                                                   └─▶ batches ──▶ sink ──▶ shipped ──▶ kept a while ──▶ deleted
//! ```
//! A segment of the journal is deleted once every row that began in it is in a block that is safe on disk. Opening a
//! spool folds what a killed process left in the journal; a row that had begun but not ended becomes `Interrupted`.
//! One process owns a spool; any number may read it with [`crate::SpoolReader`].

mod batch;
mod begun;
mod commit;
mod error;
mod fold;
mod journal;
mod live;
mod options;
mod recover;
mod segment;
mod shared;
mod slab;
mod status;
pub(crate) mod store;
#[cfg(test)]
mod tests;
mod window;

pub use batch::Batch;
pub use begun::Begun;
pub use error::SpoolError;
pub use live::{Chunk, Live, Tail};
pub use options::SpoolOptions;
pub use recover::Recovery;
pub use status::SpoolStatus;

use crate::row::{Outcome, Row};
use shared::{Owner, Shared};
use std::fmt;
use std::sync::Arc;

/// Called with the result of [`Spool::begin_durable`].
pub type Then = Box<dyn FnOnce(Result<Begun, SpoolError>) + Send>;

/// A handle of the open spool; clones share it. When the last one is dropped, everything finished is folded.
#[derive(Clone)]
pub struct Spool {
    shared: Arc<Shared>,
    _owner: Arc<Owner>,
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").field("dir", &self.shared.options.dir).finish_non_exhaustive()
    }
}

impl Spool {
    /// Opens the spool in a directory, makes it if it is not there, and recovers what a killed process left.
    ///
    /// # Errors
    /// [`SpoolError::InUse`] while another process has it open; otherwise what could not be read or written.
    pub fn open(options: SpoolOptions) -> Result<Self, SpoolError> {
        let shared = Arc::new(Shared::open(options)?);
        let owner = Arc::new(Owner::start(&shared)?);
        Ok(Self { shared, _owner: owner })
    }

    /// Records that an operation is about to be released. When it returns, the row survives the end of this process,
    /// however sudden. Costs one `write` to the page cache, no flush: see [`Self::begin_durable`].
    ///
    /// # Errors
    /// The row is not recorded, and the operation must be refused: [`SpoolError::Full`] with a full disk,
    /// [`SpoolError::Behind`] when rows come faster than they can be stored.
    pub fn begin(&self, row: Row) -> Result<Begun, SpoolError> {
        Shared::begin(&self.shared, Box::new(row))
    }

    /// As [`Self::begin`], and the row survives a power cut: `then` is called, on a thread of the spool, after the
    /// flush that it shares with everything else that waits. It must not block.
    pub fn begin_durable(&self, row: Row, then: Then) {
        Shared::begin_durable(&self.shared, Box::new(row), then);
    }

    /// Records how an operation ended. The end reaches the journal with the next row that begins, or within
    /// [`SpoolOptions::fold_every`]: a process that is killed before that leaves the row `Interrupted`.
    pub fn finish(&self, begun: Begun, outcome: Outcome) {
        begun.finish(outcome);
    }

    /// Records an operation that was never released, with its outcome, at once.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub fn record(&self, row: Row) -> Result<(), SpoolError> {
        self.shared.record(Box::new(row))
    }

    /// Returns when every row finished so far is in a block, where readers see it.
    ///
    /// # Errors
    /// The store can't be written; the rows stay in memory and in the journal, and are tried again.
    pub fn flush(&self) -> Result<(), SpoolError> {
        self.shared.flush()
    }

    /// What the spool holds and how it is doing.
    pub fn status(&self) -> SpoolStatus {
        self.shared.status()
    }

    /// The rows that finish from now on, as they are folded.
    pub fn subscribe(&self) -> Tail {
        self.shared.live.subscribe()
    }

    /// The next rows to ship: the batch that was under way when the process ended, or else the oldest blocks, at most
    /// `rows_max` rows but at least one block. `None` if everything is shipped. Which rows a batch holds, and its token, is safe
    /// on disk before this returns and never changes. Blocks the caller: use a thread that may wait.
    ///
    /// # Errors
    /// The store can't be read or written.
    pub fn next_batch(&self, rows_max: usize) -> Result<Option<Batch>, SpoolError> {
        self.shared.next_batch(rows_max)
    }

    /// The batch has arrived: it will not be given out again, and its blocks may be deleted when they are old.
    ///
    /// # Errors
    /// The store can't be written; the batch will be given out again, with the same token.
    pub fn shipped(&self, batch: &Batch) -> Result<(), SpoolError> {
        self.shared.shipped(batch)
    }
}
