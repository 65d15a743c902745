//! Which names an agent knows an address by: those it has looked up. Time is an argument.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Pairs of a name and an address of one agent.
const PAIRS_MAX: usize = 16_384;
/// Names of one address, and addresses of one name.
const EACH_MAX: usize = 32;
/// How long a name is remembered beyond the time that its record was good for: programs keep addresses longer than they should.
const GRACE: Duration = Duration::from_secs(3_600);

/// The names of all agents' addresses. Lost when the daemon ends: a program that goes on with an address that it looked up
/// before, and that the configuration does not know, is refused until it looks it up again.
#[derive(Debug, Default)]
pub struct Names {
    agents: Mutex<HashMap<Arc<str>, Known>>,
}

/// What one agent was told.
#[derive(Debug, Default)]
struct Known {
    names: HashMap<IpAddr, Vec<Told<Arc<str>>>>,
    addresses: HashMap<Arc<str>, Vec<Told<IpAddr>>>,
    /// An upper bound of the pairs in each of them.
    pairs: usize,
}

#[derive(Debug)]
struct Told<T> {
    what: T,
    until: Instant,
}

impl Names {
    /// Remembers that an agent was told these addresses for these names, for so long.
    pub fn learn(
        &self,
        agent: &Arc<str>,
        names: &[Arc<str>],
        addresses: &[IpAddr],
        good_for: Duration,
        now: Instant,
    ) {
        let until = now.checked_add(good_for.saturating_add(GRACE)).unwrap_or(now);
        let mut agents = self.lock();
        let known = agents.entry(Arc::clone(agent)).or_default();
        known.make_room(names.len().saturating_mul(addresses.len()), now);
        for address in addresses.iter().map(IpAddr::to_canonical) {
            for name in names {
                tell(known.names.entry(address).or_default(), Arc::clone(name), until);
                tell(known.addresses.entry(Arc::clone(name)).or_default(), address, until);
            }
        }
    }

    /// The names that an agent knows an address by, those that it looked up first before others.
    pub fn of(&self, agent: &Arc<str>, address: IpAddr, now: Instant) -> Vec<Arc<str>> {
        let agents = self.lock();
        let told = agents.get(agent).and_then(|known| known.names.get(&address.to_canonical()));
        good(told, now).map(Arc::clone).collect()
    }

    /// The addresses that an agent was told for a name.
    pub fn addresses(&self, agent: &Arc<str>, name: &str, now: Instant) -> Vec<IpAddr> {
        let agents = self.lock();
        good(agents.get(agent).and_then(|known| known.addresses.get(name)), now).copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Known>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Forgets what is over, if there are too many; if that is not enough, everything.
    fn make_room(&mut self, more: usize, now: Instant) {
        self.pairs = self.pairs.saturating_add(more);
        if self.pairs <= PAIRS_MAX {
            return;
        }
        forget(&mut self.names, now);
        forget(&mut self.addresses, now);
        self.pairs = self.names.values().map(Vec::len).sum::<usize>().saturating_add(more);
        if self.pairs > PAIRS_MAX / 2 {
            *self = Self { pairs: more, ..Self::default() };
        }
    }
}

fn forget<K: Eq + std::hash::Hash, T>(all: &mut HashMap<K, Vec<Told<T>>>, now: Instant) {
    all.retain(|_, told| {
        told.retain(|one| one.until > now);
        !told.is_empty()
    });
}

fn tell<T: PartialEq>(told: &mut Vec<Told<T>>, what: T, until: Instant) {
    if let Some(one) = told.iter_mut().find(|one| one.what == what) {
        one.until = one.until.max(until);
        return;
    }
    if told.len() >= EACH_MAX {
        told.remove(0);
    }
    told.push(Told { what, until });
}

fn good<T>(told: Option<&Vec<Told<T>>>, now: Instant) -> impl Iterator<Item = &T> {
    told.into_iter().flatten().filter(move |one| one.until > now).map(|one| &one.what)
}
