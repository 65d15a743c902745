//! Folds repetitions: the first refusal of a kind gets its row at once, those that follow within a window get one
//! together. Time is an argument.

use crate::intercept::Refused;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long repetitions are gathered.
pub const WINDOW: Duration = Duration::from_secs(10);
/// How many kinds of one cgroup are told apart at a time. More than that within a window are told apart by reason only, so
/// that nobody fills the store with rows.
pub const KINDS_MAX: usize = 128;

/// What makes two refusals the same.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Kind {
    cgroup: u64,
    reason: u32,
    /// Process, address, port, detail and name; nothing where there are too many kinds.
    exact: Option<(u32, Option<SocketAddr>, u16, [u32; 2], String)>,
}

/// Refusals that were like an earlier one.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeated {
    /// The last of them.
    pub last: Refused,
    /// How many.
    pub times: u64,
    /// Whether they are alike in everything, or only in cgroup and reason.
    pub exact: bool,
}

struct Open {
    until: Instant,
    repeated: Option<Repeated>,
}

/// Gathers repetitions. Bounded for each cgroup: `KINDS_MAX`, and one more for each reason.
#[derive(Default)]
pub struct Merger {
    open: HashMap<Kind, Open>,
    /// How many of them each cgroup has.
    kinds: HashMap<u64, usize>,
}

impl Merger {
    /// Takes a refusal; true if it is the first of its kind and wants its row now.
    pub fn take(&mut self, refused: &Refused, now: Instant) -> bool {
        let exact = Some((refused.pid, refused.address, refused.port, refused.detail, refused.name.clone()));
        let mut kind = Kind { cgroup: refused.cgroup_id.0, reason: refused.reason as u32, exact };
        let kinds = self.kinds.get(&kind.cgroup).copied().unwrap_or(0);
        if kinds >= KINDS_MAX && !self.open.contains_key(&kind) {
            kind.exact = None;
        }
        let exact = kind.exact.is_some();
        match self.open.get_mut(&kind) {
            Some(open) => {
                let times = open.repeated.as_ref().map_or(0, |repeated| repeated.times).saturating_add(1);
                open.repeated = Some(Repeated { last: refused.clone(), times, exact });
                false
            }
            None => {
                let until = now.checked_add(WINDOW).unwrap_or(now);
                self.kinds.insert(kind.cgroup, kinds.saturating_add(1));
                self.open.insert(kind, Open { until, repeated: None });
                true
            }
        }
    }

    /// Takes the repetitions whose window has ended; all of them where `now` is `None`.
    pub fn due(&mut self, now: Option<Instant>) -> Vec<Repeated> {
        let mut due = Vec::new();
        let kinds = &mut self.kinds;
        self.open.retain(|kind, open| {
            let ended = now.is_none_or(|now| open.until <= now);
            if ended {
                due.extend(open.repeated.take());
                if let Some(count) = kinds.get_mut(&kind.cgroup) {
                    *count = count.saturating_sub(1);
                }
            }
            !ended
        });
        kinds.retain(|_, count| *count > 0);
        due.sort_by_key(|repeated| repeated.last.time);
        due
    }
}

impl Repeated {
    /// The end of a row's reason.
    pub fn words(&self) -> String {
        let seconds = WINDOW.as_secs();
        match self.exact {
            true => format!(" ({} more times within {seconds} s)", self.times),
            false => format!(" ({} more of this kind within {seconds} s, not told apart)", self.times),
        }
    }
}
