//! Looks at programs as governed processes begin to run them.

use super::governor::Governor;
use crate::identity::{Caller, Hashes, Program, Programs};
use crate::intercept::{Kernel, Origin};
use anyhow::Context;
use interlock_common::Program as Key;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Programs that wait to be hashed; what finds no room is hashed when a connection asks for it.
const WAITING_MAX: usize = 4_096;

/// Who knows them.
pub(super) struct Executions {
    kernel: Arc<Kernel>,
    governor: Arc<Governor>,
    programs: Arc<Programs>,
    /// What is new goes there.
    unhashed: SyncSender<Key>,
    /// How many the kernel had no room to tell of; held while what it tells is looked at, so that whoever asks next finds it.
    lost: Mutex<u64>,
}

impl Executions {
    /// Hashes of what is new are computed on a thread of their own, which ends when this goes.
    pub(super) fn start(
        kernel: Arc<Kernel>,
        governor: Arc<Governor>,
        hashes: Arc<Hashes>,
    ) -> anyhow::Result<Self> {
        let programs = Arc::new(Programs::default());
        let (unhashed, waiting) = sync_channel(WAITING_MAX);
        let hashed = Arc::clone(&programs);
        std::thread::Builder::new()
            .name("hashes".to_owned())
            .spawn(move || compute(&waiting, &hashed, &hashes))
            .context("a thread can't be started")?;
        Ok(Self { kernel, governor, programs, unhashed, lost: Mutex::new(0) })
    }

    /// Takes what the kernel tells.
    pub(super) fn look(&self) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        self.kernel.take_executed(|executed| all.push(executed.clone()));
        let now_lost = self.kernel.executions_lost();
        if *lost != now_lost {
            *lost = now_lost;
            self.programs.forget();
        }
        for executed in all {
            if self.programs.learn(&executed) {
                let queued = self.unhashed.try_send(executed.program);
                // Without room it is hashed when it is asked for.
                queued.unwrap_or_default();
            }
        }
    }

    /// Who made a connection.
    pub(super) fn caller(&self, origin: &Origin) -> Caller {
        Caller::governed(origin, self.governor.describe(origin.cgroup_id), self.program(origin))
    }

    /// The program of a connection. It began to run before it connected, so the kernel has told of it: perhaps just now, under the
    /// number of an earlier one.
    fn program(&self, origin: &Origin) -> Option<Program> {
        if origin.program.inode == 0 {
            return None;
        }
        self.look();
        self.programs.known(origin.program)
    }
}

fn compute(waiting: &Receiver<Key>, programs: &Programs, hashes: &Hashes) {
    while let Ok(key) = waiting.recv() {
        programs.hash(key, hashes);
    }
}
