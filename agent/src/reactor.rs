//! The event loop of one data thread: it polls a task when one of the task's sockets has something to say.
//!
//! A general runtime keeps, for every socket and every direction, who is to be woken, and moves what is woken through
//! queues which other threads can steal from. A session is one task that owns two sockets and never leaves its thread,
//! so here a socket knows its task: an event sets two flags and the task is polled, with nothing in between. Clocks,
//! channels and whatever else wakes by a [`Waker`] works here as anywhere; only sockets must be this module's
//! ([`Socket`], [`Listener`]).

mod socket;
mod sys;
mod task;
#[cfg(test)]
mod tests;

pub use socket::{Listener, Socket};

use mio::{Events, Registry, Token};
use slab::Slab;
use socket::Readiness;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use task::{Remote, Running, Slot, TaskId};

/// Events taken from the kernel at once.
const EVENTS: usize = 256;
/// The event of [`Remote`]: a waker was called.
const WOKEN: Token = Token(usize::MAX);

/// The loop of the thread that made it.
#[derive(Debug)]
pub struct Reactor {
    poll: mio::Poll,
    events: Events,
    handle: Handle,
}

/// What tasks need of their loop: to make sockets, to start tasks. Stays in its thread.
#[derive(Clone, Debug)]
pub struct Handle {
    inner: Rc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    sockets: RefCell<Slab<Rc<Readiness>>>,
    tasks: RefCell<Slab<Slot>>,
    /// Tasks to be polled.
    due: RefCell<VecDeque<TaskId>>,
    /// The task that is being polled.
    current: Cell<TaskId>,
    remote: Arc<Remote>,
}

impl Reactor {
    /// A loop without tasks.
    ///
    /// # Errors
    /// The kernel gives no epoll instance or eventfd, such as for want of file descriptors.
    pub fn new() -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let remote = Arc::new(Remote::new(mio::Waker::new(&registry, WOKEN)?));
        let inner = Inner {
            registry,
            sockets: RefCell::default(),
            tasks: RefCell::default(),
            due: RefCell::default(),
            current: Cell::new(TaskId::default()),
            remote,
        };
        Ok(Self { poll, events: Events::with_capacity(EVENTS), handle: Handle { inner: Rc::new(inner) } })
    }

    /// What its tasks need of it.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Polls tasks until `main` has ended; those that have not ended by then are dropped. The thread is the loop's from then on:
    /// it has no restartable sequences any more, see `sys.rs`.
    ///
    /// # Errors
    /// The kernel refuses to wait for events.
    pub fn run(mut self, main: impl Future<Output = ()> + 'static) -> io::Result<()> {
        if !sys::leave_rseq() {
            tracing::debug!("the thread's restartable sequences stay as they are");
        }
        let ended = Rc::new(Cell::new(false));
        let flag = EndFlag(Rc::clone(&ended));
        self.handle.spawn(async move {
            // Also when it panics.
            let _flag = flag;
            main.await;
        });
        loop {
            let due = self.handle.inner.due.borrow().len();
            for _ in 0..due {
                self.handle.poll_next();
            }
            if ended.get() {
                return Ok(());
            }
            self.wait()?;
        }
    }

    /// Waits for events, or only looks for them if a task is due already.
    fn wait(&mut self) -> io::Result<()> {
        let inner = &*self.handle.inner;
        let timeout = if inner.due.borrow().is_empty() { None } else { Some(Duration::ZERO) };
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        let sockets = inner.sockets.borrow();
        for event in &self.events {
            if event.token() == WOKEN {
                inner.remote.rang();
            } else if let Some(readiness) = sockets.get(event.token().0) {
                readiness.note(event);
                inner.make_due(readiness.task());
            }
        }
        // Also without its event: who has rung may not have been heard yet.
        inner.remote.each(|task| inner.make_due(task));
        Ok(())
    }
}

impl Drop for Reactor {
    /// Also when something panicked: tasks hold their loop, so they would never be dropped otherwise.
    fn drop(&mut self) {
        self.handle.drop_tasks();
    }
}

/// Says that the main task is no more.
struct EndFlag(Rc<Cell<bool>>);

impl Drop for EndFlag {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

impl Handle {
    /// Starts a task. A task may be polled without cause; one that panics ends alone.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        let inner = &*self.inner;
        let id = {
            let mut tasks = inner.tasks.borrow_mut();
            let entry = tasks.vacant_entry();
            let id = TaskId(entry.key());
            entry.insert(Slot::new(id, Box::pin(future), &inner.remote));
            id
        };
        inner.make_due(id);
    }

    /// Lets the other tasks that are due, and the kernel, have their turn.
    pub async fn yield_now(&self) {
        let mut yielded = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            self.inner.make_due(self.inner.current.get());
            Poll::Pending
        })
        .await;
    }

    fn poll_next(&self) {
        let inner = &*self.inner;
        let Some(id) = inner.due.borrow_mut().pop_front() else { return };
        // While it is polled it is not in the table, which it may use.
        let Some(mut running) = inner.tasks.borrow_mut().get_mut(id.0).and_then(Slot::begin) else { return };
        inner.current.set(id);
        let ended = running.poll();
        let gone = {
            let mut tasks = inner.tasks.borrow_mut();
            if ended {
                drop(tasks.try_remove(id.0));
                Some(running)
            } else {
                if let Some(slot) = tasks.get_mut(id.0) {
                    slot.end(running);
                }
                None
            }
        };
        // Dropped last: what it owned may use the tables.
        gone.into_iter().for_each(Running::bury);
    }

    fn drop_tasks(&self) {
        // One may start another while it is dropped.
        loop {
            let mut tasks = std::mem::take(&mut *self.inner.tasks.borrow_mut());
            if tasks.is_empty() {
                break;
            }
            tasks.drain().filter_map(|mut slot| slot.begin()).for_each(Running::bury);
        }
        self.inner.due.borrow_mut().clear();
    }
}

impl Inner {
    fn make_due(&self, id: TaskId) {
        if let Some(slot) = self.tasks.borrow_mut().get_mut(id.0)
            && slot.make_due()
        {
            self.due.borrow_mut().push_back(id);
        }
    }
}
