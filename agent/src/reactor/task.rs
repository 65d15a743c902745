//! One task of the loop, and what wakes it from elsewhere.

use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
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
    work: Work,
    waker: Waker,
}

impl Slot {
    pub(super) fn new(id: TaskId, work: Work, remote: &Arc<Remote>) -> Self {
        let waker = Waker::from(Arc::new(TaskWaker { id, remote: Arc::clone(remote) }));
        Self { running: Some(Running { work, waker }), due: false }
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
        let mut context = Context::from_waker(&self.waker);
        // What a panic leaves half done is the task's own, and dropped with it.
        match catch_unwind(AssertUnwindSafe(|| self.work.as_mut().poll(&mut context))) {
            Ok(Poll::Ready(())) => true,
            Ok(Poll::Pending) => false,
            Err(panic) => {
                // A payload may panic once more when it is dropped; those of `panic!` have nothing to drop.
                mem::forget(panic);
                tracing::error!("a task of a data thread panicked: it is ended, the others go on");
                true
            }
        }
    }

    /// Drops what it owned. A panic in that ends nothing else.
    pub(super) fn bury(self) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(self))) {
            mem::forget(panic);
            tracing::error!("the end of a task of a data thread panicked: the others go on");
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
    /// There may be some: spares the loop the lock at each of its turns.
    any: AtomicBool,
    /// The loop will hear that there are: to ring again costs a system call.
    rung: AtomicBool,
    bell: mio::Waker,
}

impl Remote {
    pub(super) const fn new(bell: mio::Waker) -> Self {
        Self {
            woken: Mutex::new(Vec::new()),
            any: AtomicBool::new(false),
            rung: AtomicBool::new(false),
            bell,
        }
    }

    /// The loop has heard the bell: the next waker rings again.
    pub(super) fn rang(&self) {
        self.rung.store(false, Ordering::SeqCst);
    }

    /// Takes all that were woken. To be called after [`Self::rang`]: who has not rung since then is among them.
    pub(super) fn each(&self, take: impl FnMut(TaskId)) {
        if self.any.load(Ordering::SeqCst) {
            let woken = {
                let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
                self.any.store(false, Ordering::SeqCst);
                mem::take(&mut *woken)
            };
            woken.into_iter().for_each(take);
        }
    }

    fn wake(&self, id: TaskId) {
        {
            let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
            woken.push(id);
            self.any.store(true, Ordering::SeqCst);
        }
        if !self.rung.swap(true, Ordering::SeqCst)
            && let Err(error) = self.bell.wake()
        {
            self.rung.store(false, Ordering::SeqCst);
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
