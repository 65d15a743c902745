//! One task of the loop, and what wakes it from elsewhere.

use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// The place of a task in its loop's table. A place is taken again when its task has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TaskId(pub(super) usize);

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// A task's place.
#[derive(Debug)]
pub(super) struct Slot {
    /// Elsewhere while it is polled.
    running: Option<Running>,
    due: bool,
}

/// A task that has not ended.
pub(super) struct Running {
    /// `None` after it has panicked.
    work: Option<Work>,
    waker: Waker,
}

impl Slot {
    pub(super) fn new(id: TaskId, work: Work, remote: &Arc<Remote>) -> Self {
        let waker = Waker::from(Arc::new(TaskWaker { id, remote: Arc::clone(remote) }));
        Self { running: Some(Running { work: Some(work), waker }), due: false }
    }

    /// False if it was due already.
    pub(super) const fn make_due(&mut self) -> bool {
        !mem::replace(&mut self.due, true)
    }

    /// It is about to be polled: from now on it can become due again.
    pub(super) const fn begin(&mut self) -> Option<Running> {
        self.due = false;
        self.running.take()
    }

    pub(super) fn end(&mut self, running: Running) {
        self.running = Some(running);
    }
}

impl Running {
    /// True if it has ended, be it by a panic.
    pub(super) fn poll(&mut self) -> bool {
        let Some(work) = &mut self.work else { return true };
        let mut context = Context::from_waker(&self.waker);
        // What a panic leaves half done is the task's own, and dropped with it.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(&mut context))) {
            Ok(Poll::Ready(())) => true,
            Ok(Poll::Pending) => false,
            Err(_) => {
                tracing::error!("a task of a data thread panicked: it is ended, the others go on");
                let work = self.work.take();
                drop(catch_unwind(AssertUnwindSafe(|| drop(work))));
                true
            }
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

/// Tasks woken by their wakers, from whatever thread, until their loop comes to them.
#[derive(Debug)]
pub(super) struct Remote {
    /// At most one entry for each call of a waker since the loop last looked.
    woken: Mutex<Vec<TaskId>>,
    bell: mio::Waker,
}

impl Remote {
    pub(super) const fn new(bell: mio::Waker) -> Self {
        Self { woken: Mutex::new(Vec::new()), bell }
    }

    /// Takes all that were woken.
    pub(super) fn each(&self, take: impl FnMut(TaskId)) {
        let woken = mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner));
        woken.into_iter().for_each(take);
    }

    fn wake(&self, id: TaskId) {
        let first = {
            let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
            woken.push(id);
            woken.len() == 1
        };
        // Whoever came first has rung for all: the loop takes them together.
        if first && let Err(error) = self.bell.wake() {
            tracing::error!(%error, "a data thread can't be woken");
        }
    }
}

#[derive(Debug)]
struct TaskWaker {
    id: TaskId,
    remote: Arc<Remote>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.remote.wake(self.id);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.remote.wake(self.id);
    }
}
