//! The book of governed cgroups: as whom, why, and what is inside of what.

use crate::config::UNNAMED;
use crate::identity::Governing;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// Governed cgroups, by their number and by their path.
#[derive(Debug, Default)]
pub(super) struct Book {
    by_id: HashMap<u64, Known>,
    by_path: HashMap<Arc<str>, u64>,
    /// Cgroups that were let go though the configuration names them: until it is read again.
    let_go: HashSet<u64>,
}

/// A governed cgroup as rows and the command line show it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) path: Arc<str>,
    pub(super) agent: Arc<str>,
    pub(super) how: How,
    pub(super) task: Arc<str>,
    /// The client that asked for it is still there; an empty cgroup may be about to be entered.
    pub(super) leased: bool,
}

/// Why a cgroup is governed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum How {
    /// `interlock exec` made it.
    Exec,
    /// `interlock tag`, or a daemon before this one.
    Tag,
    /// A glob of the configuration.
    Glob,
    /// The configuration closes it to what is not named.
    DefaultDeny,
}

impl How {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Tag => "tag",
            Self::Glob => "glob",
            Self::DefaultDeny => "default_deny",
        }
    }
}

impl Known {
    pub(super) fn new(path: &Path, agent: &str, how: How) -> Self {
        Self { path: path.to_string_lossy().into(), agent: agent.into(), how, task: "".into(), leased: false }
    }
}

impl Book {
    pub(super) fn get(&self, id: u64) -> Option<&Known> {
        self.by_id.get(&id)
    }

    /// Gives back what was there.
    pub(super) fn insert(&mut self, id: u64, known: Known) -> Option<Known> {
        let before = self.remove(id);
        self.let_go.remove(&id);
        self.by_path.insert(Arc::clone(&known.path), id);
        self.by_id.insert(id, known);
        before
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Known> {
        let known = self.by_id.remove(&id)?;
        if self.by_path.get(&known.path) == Some(&id) {
            self.by_path.remove(&known.path);
        }
        Some(known)
    }

    /// Lets a cgroup go, and says why it was governed.
    pub(super) fn let_go(&mut self, id: u64) -> Option<How> {
        self.let_go.insert(id);
        self.remove(id).map(|known| known.how)
    }

    pub(super) fn was_let_go(&self, id: u64) -> bool {
        self.let_go.contains(&id)
    }

    /// What the configuration names counts again.
    pub(super) fn start_over(&mut self) {
        self.let_go.clear();
    }

    pub(super) fn end_lease(&mut self, id: u64) {
        if let Some(known) = self.by_id.get_mut(&id) {
            known.leased = false;
        }
    }

    /// Number and path of the cgroups of commands.
    pub(super) fn commands(&self, which: impl Fn(&Known) -> bool) -> Vec<(u64, Arc<str>)> {
        let commands = self.by_id.iter().filter(|(_, known)| known.how == How::Exec && which(known));
        commands.map(|(id, known)| (*id, Arc::clone(&known.path))).collect()
    }

    pub(super) fn describe(&self, id: u64) -> Governing {
        let Some(known) = self.by_id.get(&id) else {
            return Governing { path: format!("id {id}").into(), task: "".into(), outer: Arc::new([]) };
        };
        let mut outer: Vec<Arc<str>> = Vec::new();
        for above in Path::new(&*known.path).ancestors().skip(1) {
            let found =
                above.to_str().and_then(|path| self.by_path.get(path)).and_then(|id| self.by_id.get(id));
            let agent = found.map(|found| &found.agent).filter(|agent| &***agent != UNNAMED);
            if let Some(agent) = agent.filter(|agent| **agent != known.agent && !outer.contains(agent)) {
                outer.push(Arc::clone(agent));
            }
        }
        Governing { path: Arc::clone(&known.path), task: Arc::clone(&known.task), outer: outer.into() }
    }
}
