//! What a sink says of itself.

use audit::SpoolStatus;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a sink is doing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SinkState {
    /// It looks for the server, its tables and what is to be shipped.
    #[default]
    Connecting,
    /// Rows arrive.
    Connected,
    /// The last attempt failed; it waits before the next.
    WaitingToRetry,
    /// It was stopped.
    Stopped,
}

impl fmt::Display for SinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::WaitingToRetry => "waiting to retry",
            Self::Stopped => "stopped",
        })
    }
}

/// A snapshot of a sink.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SinkStatus {
    /// What it is doing.
    pub state: SinkState,
    /// Why the last attempt failed, while that still holds.
    pub last_error: Option<String>,
    /// Rows that arrived since the sink was started.
    pub shipped_rows: u64,
    /// Rows that have not arrived.
    pub pending_rows: u64,
    /// Age of the oldest of them; `None` if there are none.
    pub lag: Option<Duration>,
    /// When the next attempt is made.
    pub next_retry: Option<SystemTime>,
}

impl SinkStatus {
    /// Do rows get there?
    pub fn is_healthy(&self) -> bool {
        self.last_error.is_none() && self.state != SinkState::Stopped
    }
}

/// Where the task writes and everybody reads.
#[derive(Debug, Default)]
pub(super) struct Board {
    now: Mutex<SinkStatus>,
}

impl Board {
    pub(super) fn change(&self, change: impl FnOnce(&mut SinkStatus)) {
        change(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The status, with what the spool says of the rows that wait.
    pub(super) fn read(&self, spool: &SpoolStatus) -> SinkStatus {
        let mut status = self.now.lock().unwrap_or_else(PoisonError::into_inner).clone();
        status.pending_rows = spool.pending_rows + spool.waiting_rows;
        let asked =
            spool.pending_since.and_then(|since| u64::try_from(since).ok()).map(Duration::from_micros);
        status.lag =
            asked.map(|asked| SystemTime::now().duration_since(UNIX_EPOCH + asked).unwrap_or_default());
        status
    }
}
