//! What is asked of a policy set: who, where, what, when.

use foldhash::quality::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::sync::{Arc, LazyLock};
use wire::Meaning;

/// Keys the hashes of principals and places, anew in every process: what an agent chooses can't aim at a cache slot.
static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::default);

fn hash_of(value: &impl Hash) -> u64 {
    KEYS.hash_one(value)
}

/// Who asks: an agent, as the kernel identified it. Make it once a session.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The agent's name.
    pub agent: Arc<str>,
    /// The path of its cgroup.
    pub unit: String,
    /// The path of the program that connected.
    pub exe: String,
    /// SHA-256 of that program, in hex; empty if not known.
    pub exe_hash: String,
    /// Its user.
    pub uid: u32,
    /// The container it runs in.
    pub container: Option<String>,
    /// The task it works on.
    pub task: Option<String>,
    /// Of the fields as they were at first. Changing a field makes the cache miss, not lie: equality compares them all.
    hash: u64,
}

impl Principal {
    /// An agent outside of containers and tasks.
    pub fn new(agent: Arc<str>, unit: String, exe: String, exe_hash: String, uid: u32) -> Self {
        Self { agent, unit, exe, exe_hash, uid, container: None, task: None, hash: 0 }.rehash()
    }

    /// The same agent in a container.
    #[must_use]
    pub fn in_container(self, container: Option<String>) -> Self {
        Self { container, ..self }.rehash()
    }

    /// The same agent on a task.
    #[must_use]
    pub fn on_task(self, task: Option<String>) -> Self {
        Self { task, ..self }.rehash()
    }

    fn rehash(mut self) -> Self {
        self.hash = hash_of(&(
            (&self.agent, &self.unit, &self.exe, &self.exe_hash),
            (self.uid, &self.container, &self.task),
        ));
        self
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.uid == other.uid
            && self.agent == other.agent
            && self.unit == other.unit
            && self.exe == other.exe
            && self.exe_hash == other.exe_hash
            && self.container == other.container
            && self.task == other.task
    }
}

impl Eq for Principal {}

/// Where: a session's target and database. Make it once a session, and again when its database changes.
#[derive(Clone, Debug)]
pub struct Place {
    /// The target's name in the configuration.
    pub target: Arc<str>,
    /// The database as the session named it.
    pub database: Arc<str>,
    hash: u64,
}

impl Place {
    /// A database of a target.
    pub fn new(target: Arc<str>, database: Arc<str>) -> Self {
        let hash = hash_of(&(&target, &database));
        Self { target, database, hash }
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.target == other.target && self.database == other.database
    }
}

impl Eq for Place {}

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Who wants it.
    pub who: &'a Principal,
    /// Where.
    pub at: &'a Place,
    /// What the operation means.
    pub meaning: &'a Arc<Meaning>,
    /// Hour of the day, UTC, 0 to 23.
    pub hour: u8,
}
