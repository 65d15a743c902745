//! Writes rows of what the kernel side refuses, as it tells of it.

use super::following::Following;
use super::governor::Governor;
use crate::boundary::{Merger, explain, lost};
use crate::identity::Caller;
use crate::intercept::{Kernel, Refused};
use crate::session::Sessions;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Takes refusals from the kernel to the spool.
pub(super) struct Refusals {
    kernel: Arc<Kernel>,
    governor: Arc<Governor>,
    sessions: Sessions,
    merger: Merger,
}

impl Refusals {
    pub(super) fn new(kernel: Arc<Kernel>, governor: Arc<Governor>, sessions: Sessions) -> Self {
        Self { kernel, governor, sessions, merger: Merger::default() }
    }

    /// Follows the kernel on a thread of its own. What is left when it ends is recorded then.
    pub(super) fn start(mut self) -> anyhow::Result<Following> {
        let descriptor = self.kernel.refused_descriptor()?;
        Following::start("refusals", descriptor, move || self.take(Some(Instant::now())))
    }

    /// Records what there is; repetitions too, if their time has come (`None`: now).
    fn take(&mut self, now: Option<Instant>) {
        let mut first = Vec::new();
        let at = now.unwrap_or_else(Instant::now);
        self.kernel.take_refused(|refused| {
            // Before they are compared: a cgroup below the governed one is not another.
            let refused = self.governor.attribute(refused);
            if self.merger.take(&refused, at) {
                first.push(refused);
            }
        });
        for refused in first {
            self.record(&refused, "");
        }
        for repeated in self.merger.due(now) {
            self.record(&repeated.last, &repeated.words());
        }
        match self.kernel.take_lost() {
            Ok(0) => {}
            Ok(more) => self.sessions.refuse(&Caller::nobody(), lost(more), SystemTime::now()),
            Err(error) => tracing::warn!(%error, "lost refusals can't be asked for"),
        }
    }

    fn record(&self, refused: &Refused, more: &str) {
        let governing = self.governor.describe(refused.cgroup_id.0);
        let mut words = explain(refused);
        words.reason.push_str(more);
        self.sessions.refuse(&Caller::refused(refused, governing), words, refused.time);
    }
}

impl Drop for Refusals {
    /// What was gathered is not lost when the daemon stops.
    fn drop(&mut self) {
        self.take(None);
    }
}
