//! The sessions that are open: how many there are of each agent, what was decided, and whose cancel key is whose.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use uuid::Uuid;
use wire::CancelKey;

/// Cancel keys remembered; one session has one.
const KEYS_MAX: usize = 1_000_000;

/// Sessions that are open.
#[derive(Debug, Default)]
pub struct Registry {
    /// Counted since the daemon started.
    pub counts: Counts,
    inner: Mutex<Inner>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    open: usize,
    by_agent: HashMap<Arc<str>, usize>,
    keys: HashMap<(Arc<str>, CancelKey), (Arc<str>, Uuid)>,
}

/// What happened since the daemon started.
#[derive(Debug, Default)]
pub struct Counts {
    sessions: AtomicU64,
    forwarded: AtomicU64,
    denied: AtomicU64,
    failed: AtomicU64,
}

impl Counts {
    pub(super) fn forwarded(&self) {
        self.forwarded.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn denied(&self) {
        self.denied.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Sessions begun, operations forwarded, operations and connections denied, sessions that ended by a protocol error.
    pub fn read(&self) -> (u64, u64, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.sessions), read(&self.forwarded), read(&self.denied), read(&self.failed))
    }
}

/// Too many sessions.
#[derive(Debug)]
pub(super) enum Full {
    Agent(Arc<str>, usize),
    Host(usize),
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(agent, max) => {
                write!(f, "agent `{agent}` has {max} connections open, as many as it may")
            }
            Self::Host(max) => write!(f, "{max} connections are open, as many as there may be"),
        }
    }
}

/// A session in the registry; leaves it when dropped.
#[derive(Debug)]
pub(crate) struct Guard {
    registry: Arc<Registry>,
    session: Arc<Entry>,
}

/// What a session's desk needs of its entry.
#[derive(Debug)]
pub(super) struct Entry {
    agent: Arc<str>,
    key: Mutex<Option<(Arc<str>, CancelKey)>>,
}

impl Registry {
    pub(super) fn enter(
        self: &Arc<Self>,
        agent: &Arc<str>,
        max: usize,
        max_of_agent: usize,
    ) -> Result<Guard, Full> {
        let mut inner = self.lock();
        if inner.open >= max {
            return Err(Full::Host(max));
        }
        let of_agent = inner.by_agent.entry(Arc::clone(agent)).or_default();
        if *of_agent >= max_of_agent {
            return Err(Full::Agent(Arc::clone(agent), max_of_agent));
        }
        *of_agent += 1;
        inner.open += 1;
        self.counts.sessions.fetch_add(1, Ordering::Relaxed);
        let session = Arc::new(Entry { agent: Arc::clone(agent), key: Mutex::new(None) });
        Ok(Guard { registry: Arc::clone(self), session })
    }

    /// The entry of one that has no connection of its own, and is not counted.
    pub(super) fn visitor(agent: &Arc<str>) -> Arc<Entry> {
        Arc::new(Entry { agent: Arc::clone(agent), key: Mutex::new(None) })
    }

    /// Sessions open, in all and by agent.
    pub fn open(&self) -> (usize, Vec<(Arc<str>, usize)>) {
        let inner = self.lock();
        let mut by_agent: Vec<_> =
            inner.by_agent.iter().map(|(agent, open)| (Arc::clone(agent), *open)).collect();
        by_agent.sort();
        (inner.open, by_agent)
    }

    /// Waits until no session is open.
    pub async fn empty(&self) {
        loop {
            let left = self.left.notified();
            if self.lock().open == 0 {
                return;
            }
            left.await;
        }
    }

    /// The target gave this session a key.
    pub(super) fn remember(&self, entry: &Entry, session: Uuid, target: &Arc<str>, key: CancelKey) {
        let mut inner = self.lock();
        if inner.keys.len() >= KEYS_MAX {
            return;
        }
        // A copy: the key must not keep the message that it came in alive.
        let key = CancelKey { process: key.process, secret: bytes::Bytes::copy_from_slice(&key.secret) };
        let full = (Arc::clone(target), key);
        inner.keys.insert(full.clone(), (Arc::clone(&entry.agent), session));
        *lock(&entry.key) = Some(full);
    }

    /// Whose session a cancel request names: its agent and number.
    pub(super) fn owner(&self, target: &Arc<str>, key: &CancelKey) -> Option<(Arc<str>, Uuid)> {
        self.lock().keys.get(&(Arc::clone(target), key.clone())).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

/// A panic in one session leaves counts behind, nothing that would be unsafe to read.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guard {
    pub(super) fn session(&self) -> Arc<Entry> {
        Arc::clone(&self.session)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut inner = self.registry.lock();
        inner.open = inner.open.saturating_sub(1);
        if let Some(of_agent) = inner.by_agent.get_mut(&self.session.agent) {
            *of_agent = of_agent.saturating_sub(1);
            if *of_agent == 0 {
                inner.by_agent.remove(&self.session.agent);
            }
        }
        if let Some(key) = lock(&self.session.key).take() {
            inner.keys.remove(&key);
        }
        if inner.open == 0 {
            self.registry.left.notify_waiters();
        }
    }
}
