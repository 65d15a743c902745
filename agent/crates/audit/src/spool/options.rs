//! Where a spool is and how much it may take.

use std::path::PathBuf;
use std::time::Duration;

/// Options of [`crate::Spool::open`].
#[derive(Clone, Debug)]
pub struct SpoolOptions {
    /// The directory; made with mode 0700 if it is not there.
    pub dir: PathBuf,
    /// Rows that have finished wait so long for others to be folded with.
    pub fold_every: Duration,
    /// Rows in a block, at most.
    pub block_rows: usize,
    /// A row whose texts are longer is cut to this, in bytes.
    pub row_bytes_max: usize,
    /// Finished rows in memory, in bytes; beyond it `begin` fails until the store has caught up.
    pub waiting_bytes_max: usize,
    /// Rows begun and not finished, at most.
    pub open_max: usize,
    /// A journal file is closed when it has grown to this, in bytes.
    pub segment_bytes: u64,
    /// Blocks in the store, in bytes, packed; beyond it `begin` fails until rows are shipped or deleted.
    pub stored_bytes_max: u64,
    /// Shipped blocks are kept for so long…
    pub keep_age: Duration,
    /// …and while they take no more than this, in bytes.
    pub keep_bytes: u64,
    /// There is no sink: this store is where rows stay, and `keep_age` and `keep_bytes` count for all of them.
    pub local_only: bool,
}

impl SpoolOptions {
    /// The defaults, in this directory: 7 days and 1 GiB kept, 16 GiB at most, 64 MiB of memory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            fold_every: Duration::from_millis(100),
            block_rows: 8_192,
            row_bytes_max: 256 << 10,
            waiting_bytes_max: 64 << 20,
            open_max: 1 << 20,
            segment_bytes: 64 << 20,
            stored_bytes_max: 16 << 30,
            keep_age: Duration::from_secs(7 * 24 * 3_600),
            keep_bytes: 1 << 30,
            local_only: false,
        }
    }

    /// Brings values that can't work into the range that can.
    pub(crate) fn sane(mut self) -> Self {
        self.block_rows = self.block_rows.clamp(1, 65_536);
        self.row_bytes_max = self.row_bytes_max.clamp(4 << 10, 2 << 20);
        self.segment_bytes = self.segment_bytes.max(4 << 10);
        self.open_max = self.open_max.clamp(1, 1 << 24);
        self
    }
}
