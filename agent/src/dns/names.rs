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
    /// Of targets' own host names, whoever has looked them up; apart, so that no agent's names push them out.
    targets: Mutex<Known>,
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
    /// Remembers what addresses a target's own host name has, for all agents.
    pub fn learn_target(&self, name: &Arc<str>, addresses: &[IpAddr], good_for: Duration, now: Instant) {
        lock(&self.targets).learn(name, addresses, good_for, now);
    }

    /// Remembers that an agent was told these addresses for a name, for so long.
    pub fn learn(
        &self,
        agent: &Arc<str>,
        name: &Arc<str>,
        addresses: &[IpAddr],
        good_for: Duration,
        now: Instant,
    ) {
        let mut agents = lock(&self.agents);
        agents.entry(Arc::clone(agent)).or_default().learn(name, addresses, good_for, now);
    }

    /// The names that an agent knows an address by, those that it looked up first before others, and then targets' own.
    pub fn of(&self, agent: &Arc<str>, address: IpAddr, now: Instant) -> Vec<Arc<str>> {
        let address = address.to_canonical();
        let mut names: Vec<Arc<str>> = {
            let agents = lock(&self.agents);
            let told = agents.get(agent).and_then(|known| known.names.get(&address));
            good(told, now).map(Arc::clone).collect()
        };
        for name in good(lock(&self.targets).names.get(&address), now) {
            if !names.contains(name) {
                names.push(Arc::clone(name));
            }
        }
        names
    }

    /// The addresses that an agent was told for a name.
    pub fn addresses(&self, agent: &Arc<str>, name: &str, now: Instant) -> Vec<IpAddr> {
        let agents = lock(&self.agents);
        good(agents.get(agent).and_then(|known| known.addresses.get(name)), now).copied().collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    fn learn(&mut self, name: &Arc<str>, addresses: &[IpAddr], good_for: Duration, now: Instant) {
        let until = now.checked_add(good_for.saturating_add(GRACE)).unwrap_or(now);
        self.make_room(addresses.len(), now);
        for address in addresses.iter().map(IpAddr::to_canonical) {
            tell(self.names.entry(address).or_default(), Arc::clone(name), until);
            tell(self.addresses.entry(Arc::clone(name)).or_default(), address, until);
        }
    }

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
