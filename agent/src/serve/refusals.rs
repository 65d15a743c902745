//! Writes rows of what the kernel side refuses, as it tells of it.

use super::governor::Governor;
use crate::boundary::{Merger, explain, lost};
use crate::identity::Caller;
use crate::intercept::{Kernel, Refused};
use crate::session::Sessions;
use anyhow::Context;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// How often it is looked whether repetitions have been gathered long enough, in ms.
const TICK: u16 = 1_000;
/// How long to wait when waiting fails.
const ERROR_PAUSE: Duration = Duration::from_secs(1);

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

    /// Follows the kernel on a thread of its own, which waits in `poll`.
    pub(super) fn start(self) -> anyhow::Result<Following> {
        let descriptor = self.kernel.refused_descriptor()?;
        let (stopped, stop) = std::io::pipe().context("a pipe can't be made")?;
        let thread = std::thread::Builder::new().name("refusals".to_owned());
        let thread = thread.spawn(move || self.follow(&descriptor, &stopped));
        Ok(Following { stop, thread: thread.context("a thread can't be started")? })
    }

    fn follow(mut self, descriptor: &OwnedFd, stopped: &PipeReader) {
        loop {
            let mut watched = [
                PollFd::new(descriptor.as_fd(), PollFlags::POLLIN),
                PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut watched, TICK) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => {
                    tracing::warn!(%error, "refusals of the kernel side can't be waited for");
                    std::thread::sleep(ERROR_PAUSE);
                }
            }
            // The other end of the pipe is closed: what is left is taken when we are dropped.
            if watched[1].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP)) {
                return;
            }
            self.take(Some(Instant::now()));
        }
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
        let (cgroup, task) = self.governor.describe(refused.cgroup_id.0);
        let mut words = explain(refused);
        words.reason.push_str(more);
        self.sessions.refuse(&Caller::refused(refused, cgroup, task), words, refused.time);
    }
}

impl Drop for Refusals {
    /// What was gathered is not lost when the daemon stops.
    fn drop(&mut self) {
        self.take(None);
    }
}

/// The running thread.
pub(super) struct Following {
    stop: PipeWriter,
    thread: JoinHandle<()>,
}

impl Following {
    /// Ends it, after it has recorded what there is.
    pub(super) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread that records refusals had panicked");
        }
    }
}
