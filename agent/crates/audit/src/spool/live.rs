//! Live rows for those who watch. A watcher that is slow misses rows and is told how many; nobody waits for it.

use crate::row::Row;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Chunks that a watcher may be behind; each is what was folded at once.
const CHUNKS: usize = 64;
/// Watchers at a time, at most; beyond it the oldest one is ended.
const WATCHERS: usize = 64;

/// Rows that were folded together, shared by all watchers.
#[derive(Clone, Debug)]
pub struct Chunk(Arc<[Box<Row>]>);

impl Chunk {
    /// The rows in the order in which they finished.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.iter().map(|row| &**row)
    }
}

/// What a watcher gets.
#[derive(Clone, Debug)]
pub enum Live {
    /// Rows.
    Rows(Chunk),
    /// So many rows came faster than they were taken, and are left out here (not in the spool).
    Missed(u64),
}

/// A watcher's end; rows come until it is dropped or the spool is closed.
pub struct Tail {
    receiver: Receiver<Live>,
}

impl Tail {
    /// Waits for the next rows; `None` when the spool is closed.
    pub fn next_wait(&self) -> Option<Live> {
        self.receiver.recv().ok()
    }

    /// Waits for the next rows at most so long.
    ///
    /// # Errors
    /// Nothing came, or the spool is closed: the error says which.
    pub fn next_timeout(&self, wait: Duration) -> Result<Live, RecvTimeoutError> {
        self.receiver.recv_timeout(wait)
    }
}

impl Iterator for Tail {
    type Item = Live;

    fn next(&mut self) -> Option<Live> {
        self.next_wait()
    }
}

struct Watcher {
    sender: SyncSender<Live>,
    missed: u64,
}

/// The spool's end.
#[derive(Default)]
pub(super) struct Subscribers {
    watchers: Mutex<Vec<Watcher>>,
}

impl Subscribers {
    pub(super) fn subscribe(&self) -> Tail {
        let (sender, receiver) = mpsc::sync_channel(CHUNKS);
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        if watchers.len() >= WATCHERS {
            watchers.remove(0);
        }
        watchers.push(Watcher { sender, missed: 0 });
        Tail { receiver }
    }

    /// Hands rows to everyone who watches.
    pub(super) fn publish(&self, rows: Vec<Box<Row>>) {
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        if watchers.is_empty() || rows.is_empty() {
            return;
        }
        let chunk = Chunk(rows.into());
        watchers.retain_mut(|watcher| watcher.offer(&chunk));
    }

    /// Ends every watcher's stream.
    pub(super) fn close(&self) {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Watcher {
    /// False when the watcher is gone.
    fn offer(&mut self, chunk: &Chunk) -> bool {
        if self.missed > 0 {
            match self.sender.try_send(Live::Missed(self.missed)) {
                Ok(()) => self.missed = 0,
                Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Disconnected(_)) => return false,
            }
        }
        let sent = if self.missed > 0 {
            Err(TrySendError::Full(()))
        } else {
            self.sender.try_send(Live::Rows(chunk.clone())).map_err(|error| match error {
                TrySendError::Full(_) => TrySendError::Full(()),
                TrySendError::Disconnected(_) => TrySendError::Disconnected(()),
            })
        };
        match sent {
            Ok(()) => true,
            Err(TrySendError::Full(())) => {
                self.missed += chunk.0.len() as u64;
                true
            }
            Err(TrySendError::Disconnected(())) => false,
        }
    }
}
