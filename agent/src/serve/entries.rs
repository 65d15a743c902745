//! Closes what processes bring along that are moved into governed cgroups, and writes a row of it.

use super::governor::Governor;
use crate::boundary::entered;
use crate::intercept::Kernel;
use crate::session::Sessions;
use std::sync::Arc;
use std::time::SystemTime;

/// Who looks at them.
pub(super) struct Entries {
    kernel: Arc<Kernel>,
    governor: Arc<Governor>,
    sessions: Sessions,
}

impl Entries {
    pub(super) const fn new(kernel: Arc<Kernel>, governor: Arc<Governor>, sessions: Sessions) -> Self {
        Self { kernel, governor, sessions }
    }

    /// Takes what the kernel tells.
    pub(super) fn take(&self) {
        let mut all = Vec::new();
        self.kernel.take_entered(|entered| {
            if !all.contains(&entered) {
                all.push(entered);
            }
        });
        for one in all {
            let foreign = self.kernel.close_foreign(one.pid);
            if foreign.closed == 0 {
                continue;
            }
            let caller = self.governor.caller(one.cgroup, one.pid);
            self.sessions.refuse(&caller, entered(foreign.closed), SystemTime::now());
        }
    }
}
