//! How much one agent may ask. Names carry data out, to whoever has the domain: so new names of one domain are counted, and
//! their bytes. Time is an argument.

use super::name::HostName;
use crate::config::DnsConfig;
use foldhash::quality::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Names of one agent that count as looked up before.
const NAMES_MAX: usize = 65_536;
/// Domains of one agent whose names are counted apart; the rest are counted together.
const DOMAINS_MAX: usize = 4_096;
/// After the first refusal for too many lookups, those within such a time have one row together.
const GATHERED: Duration = Duration::from_secs(10);

/// What is left for all agents.
#[derive(Default)]
pub(super) struct Budgets {
    agents: HashMap<Arc<str>, Agent>,
    keys: RandomState,
}

/// What one agent has used.
struct Agent {
    queries: Bucket,
    /// Hashes of names it has asked for.
    seen: HashSet<u64>,
    domains: HashMap<Box<str>, Domain>,
    told: Told,
    unreadable: Told,
}

/// When a refusal for too many lookups last got a row, and how many have had none since.
#[derive(Default)]
pub(super) struct Told {
    last: Option<Instant>,
    untold: u64,
}

struct Domain {
    names: Bucket,
    bytes: Bucket,
}

/// Fills evenly up to what it holds.
struct Bucket {
    left: f64,
    at: Instant,
}

/// Whether a lookup is within the budget.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Spent {
    /// It is.
    Within,
    /// Too many lookups. So many before it had no row of their own.
    Queries { untold: u64 },
    /// Too many lookups, and there is a row of that already.
    Again,
    /// Too many new names of this domain.
    Names(String),
    /// Too many bytes of new names of this domain.
    Bytes(String),
}

impl Budgets {
    /// Takes a lookup from an agent's budget. `is_own`: the name is a target's, which tells nobody anything.
    pub(super) fn spend(
        &mut self,
        agent: &Arc<str>,
        name: Option<&HostName>,
        is_own: bool,
        config: &DnsConfig,
        now: Instant,
    ) -> Spent {
        let hash = name.map_or(0, |name| self.keys.hash_one(name.text()));
        let used = self.of(agent, config, now);
        if !used.queries.take(1.0, f64::from(config.queries_per_minute), MINUTE, now) {
            return used.told.tell(now).map_or(Spent::Again, |untold| Spent::Queries { untold });
        }
        let Some(name) = name.filter(|_| !is_own) else { return Spent::Within };
        if used.seen.contains(&hash) {
            return Spent::Within;
        }
        let spent = used.spend_on(name, config, now);
        if spent == Spent::Within {
            if used.seen.len() >= NAMES_MAX {
                used.seen.clear();
            }
            used.seen.insert(hash);
        }
        spent
    }
}

impl Budgets {
    /// Takes a message that is no question from an agent's budget. Whether it gets a row, and how many before it had none.
    pub(super) fn unreadable(&mut self, agent: &Arc<str>, config: &DnsConfig, now: Instant) -> Option<u64> {
        let used = self.of(agent, config, now);
        let _counted = used.queries.take(1.0, f64::from(config.queries_per_minute), MINUTE, now);
        used.unreadable.tell(now)
    }

    fn of(&mut self, agent: &Arc<str>, config: &DnsConfig, now: Instant) -> &mut Agent {
        self.agents.entry(Arc::clone(agent)).or_insert_with(|| Agent::new(config, now))
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

impl Told {
    /// Whether one more refusal gets a row, and how many before it had none.
    pub(super) fn tell(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < GATHERED) {
            self.untold = self.untold.saturating_add(1);
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

impl Agent {
    fn new(config: &DnsConfig, now: Instant) -> Self {
        Self {
            queries: Bucket { left: f64::from(config.queries_per_minute), at: now },
            seen: HashSet::new(),
            domains: HashMap::new(),
            told: Told::default(),
            unreadable: Told::default(),
        }
    }

    fn spend_on(&mut self, name: &HostName, config: &DnsConfig, now: Instant) -> Spent {
        let (names_max, bytes_max) =
            (f64::from(config.new_names_per_minute), bytes(config.new_name_bytes_per_hour));
        let is_known = self.domains.contains_key(name.domain());
        let domain = if is_known || self.domains.len() < DOMAINS_MAX { name.domain() } else { "" };
        let used = self.domains.entry(domain.into()).or_insert_with(|| Domain {
            names: Bucket { left: names_max, at: now },
            bytes: Bucket { left: bytes_max, at: now },
        });
        if !used.names.take(1.0, names_max, MINUTE, now) {
            return Spent::Names(domain.to_owned());
        }
        match used.bytes.take(bytes(name.text().len() as u64), bytes_max, HOUR, now) {
            true => Spent::Within,
            false => Spent::Bytes(domain.to_owned()),
        }
    }
}

impl Bucket {
    fn take(&mut self, wanted: f64, holds: f64, fills_in: Duration, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + holds * passed / fills_in.as_secs_f64()).min(holds);
        let has = self.left >= wanted;
        if has {
            self.left -= wanted;
        }
        has
    }
}

/// A number of bytes to count with.
fn bytes(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}
