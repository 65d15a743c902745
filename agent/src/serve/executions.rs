//! Looks at programs as governed processes begin to run them.

use super::governor::Governor;
use crate::identity::{Caller, Hashes, Program, Programs};
use crate::intercept::{Kernel, Origin};
use std::sync::Arc;

/// Who knows them.
pub(super) struct Executions {
    kernel: Arc<Kernel>,
    governor: Arc<Governor>,
    programs: Programs,
    hashes: Arc<Hashes>,
}

impl Executions {
    pub(super) fn new(kernel: Arc<Kernel>, governor: Arc<Governor>, hashes: Arc<Hashes>) -> Self {
        Self { kernel, governor, programs: Programs::default(), hashes }
    }

    /// Takes what the kernel tells, and computes the hashes of what is new, which takes time.
    pub(super) fn take(&self) {
        for key in self.look() {
            self.programs.hash(key, &self.hashes);
        }
    }

    /// Who made a connection.
    pub(super) fn caller(&self, origin: &Origin) -> Caller {
        Caller::governed(origin, self.governor.describe(origin.cgroup_id), self.program(origin))
    }

    /// The program of a connection. It began to run before it connected, so the kernel has told of it.
    fn program(&self, origin: &Origin) -> Option<Program> {
        if origin.program.inode == 0 {
            return None;
        }
        self.programs.known(origin.program).or_else(|| {
            self.look();
            self.programs.known(origin.program)
        })
    }

    fn look(&self) -> Vec<interlock_common::Program> {
        let mut new = Vec::new();
        self.kernel.take_executed(|executed| {
            if self.programs.learn(executed) {
                new.push(executed.program);
            }
        });
        new
    }
}
