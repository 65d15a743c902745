//! How long to wait after a failure.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// Waits that double up to half a minute, each shortened by a random part up to half, so that hosts which lost the
/// same server do not come back all at once.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// It worked: start again with short waits.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after this failure.
    pub(super) fn next(&mut self) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures += 1;
        let thousandths = u32::try_from(RandomState::new().hash_one(self.failures) % 501).unwrap_or(0);
        whole * (1_000 - thousandths) / 1_000
    }
}
