//! Holds what sessions have read and written against what the kernel has counted at the agents' ends: nothing may reach the
//! decoder, or the agent, by another way, or get lost between.
//!
//! The two come in any order, the kernel's a second later usually. Time is an argument.

use super::record::Recorder;
use crate::intercept::Closed;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// Connections of which one side is known.
const WAITING_MAX: usize = 65_536;
/// How long the kernel's side waits for a session's: there is none of a connection that was refused.
const KEPT: Duration = Duration::from_secs(60);

/// What is not settled yet, by the cookie of the agent's socket.
#[derive(Debug, Default)]
pub struct Ledger {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    sessions: HashMap<u64, Account>,
    connections: HashMap<u64, (Closed, Instant)>,
}

/// What a session has read and written.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// Cookie of the agent's socket.
    pub(super) cookie: u64,
    /// Bytes from the agent that went to the decoder.
    pub(super) decoded: u64,
    /// Bytes that were written to the agent.
    pub(super) written: u64,
    /// Makes the row, if there is to be one.
    pub(super) recorder: Recorder,
}

/// Where the two differ.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Difference {
    /// Bytes that the agent has delivered, and the decoder has not had.
    pub(super) unread: u64,
    /// Bytes that the agent has received, and that were not written by the session.
    pub(super) foreign: u64,
}

impl Ledger {
    /// A session has ended.
    pub(super) fn session(&self, account: Account) -> Option<(Account, Difference)> {
        let mut waiting = self.lock();
        if let Some((closed, _)) = waiting.connections.remove(&account.cookie) {
            return compare(account, closed);
        }
        if waiting.sessions.len() >= WAITING_MAX {
            tracing::warn!(
                "{WAITING_MAX} sessions have ended whose connections the kernel has not told the end of: they are not counted again"
            );
            waiting.sessions.clear();
        }
        waiting.sessions.insert(account.cookie, account);
        None
    }

    /// A connection has ended.
    pub(super) fn connection(&self, closed: Closed, now: Instant) -> Option<(Account, Difference)> {
        let mut waiting = self.lock();
        if let Some(account) = waiting.sessions.remove(&closed.cookie) {
            return compare(account, closed);
        }
        if waiting.connections.len() >= WAITING_MAX {
            waiting.forget(now);
        }
        if waiting.connections.len() < WAITING_MAX {
            waiting.connections.insert(closed.cookie, (closed, now));
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn forget(&mut self, now: Instant) {
        self.connections.retain(|_, (_, since)| now.saturating_duration_since(*since) < KEPT);
    }
}

fn compare(account: Account, closed: Closed) -> Option<(Account, Difference)> {
    let unread = closed.delivered.saturating_sub(account.decoded);
    let foreign = closed.received.saturating_sub(account.written);
    (unread > 0 || foreign > 0).then_some((account, Difference { unread, foreign }))
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut join = "";
        if self.unread > 0 {
            write!(f, "{} bytes that the agent has sent were not read: its session had ended", self.unread)?;
            join = "; ";
        }
        if self.foreign > 0 {
            write!(f, "{join}{} bytes that the agent has received are not its session's", self.foreign)?;
        }
        Ok(())
    }
}
