//! A thread that follows what the kernel side tells: it waits in `poll`, and looks now and then even if nothing is told.

use anyhow::Context;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often it looks, in ms.
const TICK: u16 = 1_000;
/// How long to wait when waiting fails.
const ERROR_PAUSE: Duration = Duration::from_secs(1);

/// The running thread.
pub(super) struct Following {
    stop: PipeWriter,
    thread: JoinHandle<()>,
}

impl Following {
    /// Calls `look` when the descriptor becomes readable, and every second. What `look` holds is dropped at the end.
    pub(super) fn start(
        name: &str,
        descriptor: OwnedFd,
        look: impl FnMut() + Send + 'static,
    ) -> anyhow::Result<Self> {
        let (stopped, stop) = std::io::pipe().context("a pipe can't be made")?;
        let thread = std::thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(move || follow(&descriptor, &stopped, look));
        Ok(Self { stop, thread: thread.context("a thread can't be started")? })
    }

    /// Ends it.
    pub(super) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("a thread that follows the kernel side had panicked");
        }
    }
}

fn follow(descriptor: &OwnedFd, stopped: &PipeReader, mut look: impl FnMut()) {
    loop {
        let mut watched = [
            PollFd::new(descriptor.as_fd(), PollFlags::POLLIN),
            PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut watched, TICK) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => {
                tracing::warn!(%error, "what the kernel side tells can't be waited for");
                std::thread::sleep(ERROR_PAUSE);
            }
        }
        // The other end of the pipe is closed.
        if watched[1].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP)) {
            return;
        }
        look();
    }
}
