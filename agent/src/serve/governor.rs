//! Which cgroups are governed, as whom and why: by the configuration's globs, by `interlock tag`, or by `interlock exec`.

use super::book::{Book, How, Known};
use super::daemon::Daemon;
use crate::cgroup::{CgroupId, CgroupPath, Hierarchy, Pattern};
use crate::config::{Config, UNNAMED};
use crate::control::message::{Code, Failure, GovernedStatus, Place, Tagged};
use crate::identity::{Caller, Governing};
use crate::intercept::{Foreign, Governed, Kernel, KernelError, Refused, Tagging};
use anyhow::Context;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Below the cgroup base: one cgroup for each command that `interlock exec` runs.
const EXEC: &str = "exec";

/// Keeps book of governed cgroups.
pub(super) struct Governor {
    kernel: Option<Arc<Kernel>>,
    hierarchy: Option<Hierarchy>,
    exec: PathBuf,
    known: Mutex<Book>,
    watcher: Mutex<Option<RecommendedWatcher>>,
}

impl Governor {
    /// Takes over what an earlier daemon governed.
    pub(super) fn new(kernel: Option<Arc<Kernel>>, config: &Config) -> anyhow::Result<Self> {
        let hierarchy = match &kernel {
            Some(_) => Some(Hierarchy::find().context("cgroups can't be governed")?),
            None => None,
        };
        let exec = Path::new("/").join(&config.intercept.cgroup_base).join(EXEC);
        let governor = Self { kernel, hierarchy, exec, known: Mutex::default(), watcher: Mutex::new(None) };
        governor.adopt()?;
        Ok(governor)
    }

    fn adopt(&self) -> anyhow::Result<()> {
        let Some(kernel) = &self.kernel else { return Ok(()) };
        for Governed { cgroup_id, path, agent } in kernel.governed()? {
            let Some(path) = path else { continue };
            let how = match &*agent {
                UNNAMED => How::DefaultDeny,
                _ if path.starts_with(&self.exec) => How::Exec,
                _ => How::Tag,
            };
            self.note(cgroup_id, &path, &agent, how);
        }
        Ok(())
    }

    fn note(&self, id: CgroupId, path: &Path, agent: &str, how: How) {
        lock(&self.known).insert(id.0, Known::new(path, agent, how));
    }

    /// Path and task of a governed cgroup, and the agents that it is inside of, for rows and policies.
    pub(super) fn describe(&self, id: u64) -> Governing {
        lock(&self.known).describe(id)
    }

    /// A process of a governed cgroup.
    pub(super) fn caller(&self, cgroup: u64, pid: u32) -> Caller {
        let governing = self.describe(cgroup);
        let agent = lock(&self.known).get(cgroup).map_or_else(|| "".into(), |known| Arc::clone(&known.agent));
        Caller::process(agent, cgroup, pid, governing)
    }

    /// Not every hook can look for the governed cgroup above the one it is told: completes that.
    pub(super) fn attribute(&self, refused: Refused) -> Refused {
        if refused.agent.is_some() {
            return refused;
        }
        match self.nearest(refused.cgroup_id) {
            Some(governed) => {
                Refused { agent: Some(governed.agent), cgroup_id: governed.cgroup_id, ..refused }
            }
            None => refused,
        }
    }

    /// The governed cgroup that a cgroup is, or is nearest below.
    fn nearest(&self, id: CgroupId) -> Option<Governed> {
        let (kernel, hierarchy) = self.parts().ok()?;
        let cgroup = hierarchy.by_id(id).ok()??.name();
        let is_above = |it: &Governed| it.path.as_ref().is_some_and(|path| cgroup.starts_with(path));
        let above = kernel.governed().ok()?.into_iter().filter(is_above);
        above.max_by_key(|it| it.path.as_ref().map(|path| path.components().count()))
    }

    /// Is that process in a governed cgroup? Yes, where that can't be told.
    pub(super) fn is_governed(&self, pid: u32) -> bool {
        let (Some(hierarchy), Some(kernel)) = (&self.hierarchy, &self.kernel) else { return false };
        let (Ok(cgroup), Ok(governed)) = (hierarchy.of_process(pid), kernel.governed()) else { return true };
        governed
            .iter()
            .filter_map(|governed| hierarchy.at(governed.path.as_ref()?).ok())
            .any(|it| it.contains(&cgroup))
    }

    fn parts(&self) -> Result<(&Arc<Kernel>, &Hierarchy), Failure> {
        self.kernel.as_ref().zip(self.hierarchy.as_ref()).ok_or_else(|| {
            let why =
                "the kernel side is not loaded, so no cgroup can be governed; `interlock doctor` says why";
            Failure::new(Code::Unavailable, why)
        })
    }

    fn locate(&self, place: &Place) -> Result<CgroupPath, Failure> {
        let (_, hierarchy) = self.parts()?;
        let found = match place {
            Place::Cgroup(path) => hierarchy.named(path),
            Place::Pid(pid) => hierarchy.of_process(*pid),
        };
        found.map_err(|error| Failure::new(Code::UnknownPlace, error.to_string()))
    }

    pub(super) fn tag(&self, agent: &str, place: &Place) -> Result<Tagged, Failure> {
        let (kernel, _) = self.parts()?;
        let cgroup = self.locate(place)?;
        let tagging =
            self.govern(kernel, &cgroup, Known::new(&cgroup.name(), agent, How::Tag)).map_err(failed)?;
        let Foreign { closed, left } = tagging.foreign;
        let mut notes = left;
        if closed > 0 {
            notes.insert(0, format!("{closed} sockets that its processes had open were closed"));
        }
        tracing::info!(agent, cgroup = %cgroup, "governed");
        Ok(Tagged { agent: agent.to_owned(), cgroup: cgroup.name(), notes })
    }

    /// Notes it first, so that nobody in it is met who is not in the book.
    fn govern(&self, kernel: &Kernel, cgroup: &CgroupPath, known: Known) -> Result<Tagging, KernelError> {
        let id = cgroup.id()?;
        let agent = Arc::clone(&known.agent);
        let before = lock(&self.known).insert(id.0, known);
        kernel.govern(cgroup, &agent).inspect_err(|_| {
            let mut book = lock(&self.known);
            book.remove(id.0);
            if let Some(before) = before {
                book.insert(id.0, before);
            }
        })
    }

    pub(super) fn untag(&self, place: &Place) -> Result<Tagged, Failure> {
        let (kernel, _) = self.parts()?;
        let cgroup = self.locate(place)?;
        let id = cgroup.id().map_err(|error| Failure::new(Code::UnknownPlace, error.to_string()))?;
        let governed = kernel.governed().map_err(failed)?;
        let agent = governed
            .iter()
            .find(|governed| governed.cgroup_id == id)
            .map(|governed| governed.agent.to_string());
        let Some(agent) = agent else {
            return Err(Failure::new(
                Code::UnknownPlace,
                format!("cgroup `{cgroup}` is not governed itself; `interlock agents` lists those that are"),
            ));
        };
        let how = lock(&self.known).let_go(id.0);
        kernel.release(id).map_err(failed)?;
        let note = "the configuration names it (`agent.cgroups`, `intercept.default_deny`): the next reload or start governs it again";
        let is_named = matches!(how, Some(How::Glob | How::DefaultDeny));
        let notes = if is_named { vec![note.to_owned()] } else { Vec::new() };
        tracing::info!(agent, cgroup = %cgroup, "not governed any more");
        Ok(Tagged { agent, cgroup: cgroup.name(), notes })
    }

    /// Makes a fresh governed cgroup for one command. Returns its id too, for [`Self::end_lease`].
    pub(super) fn prepare(&self, agent: &str, task: &str) -> Result<(PathBuf, CgroupId), Failure> {
        let (kernel, hierarchy) = self.parts()?;
        let name = format!("{agent}-{}", uuid::Uuid::now_v7().simple());
        let cgroup = hierarchy.at(self.exec.join(name)).and_then(|cgroup| cgroup.create().map(|()| cgroup));
        let cgroup = cgroup.map_err(|error| Failure::new(Code::Failed, error.to_string()))?;
        let known = Known { task: task.into(), leased: true, ..Known::new(&cgroup.name(), agent, How::Exec) };
        let Tagging { id, .. } = self.govern(kernel, &cgroup, known).map_err(|error| {
            if let Err(error) = cgroup.remove() {
                tracing::warn!(%error, "an unused cgroup stays behind");
            }
            failed(error)
        })?;
        self.follow(&cgroup);
        Ok((cgroup.directory().to_owned(), id))
    }

    /// The client that asked for a cgroup is gone: the command runs in it, or never will.
    pub(super) fn end_lease(&self, id: CgroupId) {
        lock(&self.known).end_lease(id.0);
        self.tidy();
    }

    /// Forgets governed cgroups that are gone, and removes those of commands that have ended.
    pub(super) fn tidy(&self) {
        let Ok((kernel, hierarchy)) = self.parts() else { return };
        let ended = lock(&self.known).commands(|known| !known.leased);
        for (id, path) in ended {
            let Ok(cgroup) = hierarchy.at(&*path) else { continue };
            if cgroup.is_populated().unwrap_or(false) {
                continue;
            }
            // Removed first: nobody can enter it any more when its hooks go.
            match cgroup.remove() {
                Ok(()) => drop(lock(&self.known).remove(id)),
                Err(error) => tracing::warn!(%error, "an unused cgroup stays behind"),
            }
        }
        match kernel.sweep() {
            Ok(gone) => gone.iter().for_each(|gone| drop(lock(&self.known).remove(gone.cgroup_id.0))),
            Err(error) => tracing::warn!(%error, "pins of removed cgroups stay behind"),
        }
    }

    /// As [`Self::settle`], after the configuration was read: also what was let go since.
    pub(super) fn start_over(&self, config: &Config) {
        lock(&self.known).start_over();
        self.settle(config);
    }

    /// Governs what the configuration names and exists, and opens the Unix sockets that it allows.
    pub(super) fn settle(&self, config: &Config) {
        let Ok((kernel, hierarchy)) = self.parts() else { return };
        if let Err(error) = kernel.allow_unix_sockets(unix_sockets(config)) {
            tracing::error!(%error, "the Unix sockets that agents may connect to stay as they were");
        }
        // What is named first, so that it is not taken for unnamed meanwhile.
        let globs = config
            .agents
            .iter()
            .flat_map(|agent| agent.cgroups.iter().map(|glob| (agent.name.as_str(), glob)));
        let unnamed = config.intercept.default_deny.iter().map(|glob| (UNNAMED, glob));
        for (agent, glob) in globs.chain(unnamed) {
            match Pattern::new(glob) {
                Ok(pattern) => {
                    for cgroup in hierarchy.matching(&pattern) {
                        self.govern_matching(kernel, &cgroup, agent);
                    }
                }
                Err(error) => tracing::error!(%error, agent, "a cgroup pattern can't be used"),
            }
        }
        self.follow_literal(hierarchy, &config.intercept.default_deny);
        self.tidy();
    }

    /// Follows the nearest directories that there are above cgroups that are to be closed when they appear.
    fn follow_literal(&self, hierarchy: &Hierarchy, globs: &[String]) {
        for glob in globs.iter().filter(|glob| Pattern::new(glob).is_ok_and(|pattern| pattern.is_literal())) {
            let there = hierarchy.mount().join(glob.trim_start_matches('/'));
            if let Some(above) = there.ancestors().skip(1).find(|directory| directory.is_dir()) {
                self.observe(above, RecursiveMode::NonRecursive);
            }
        }
    }

    fn govern_matching(&self, kernel: &Kernel, cgroup: &CgroupPath, agent: &str) {
        let Ok(id) = cgroup.id() else { return };
        let known = {
            let book = lock(&self.known);
            if book.was_let_go(id.0) {
                return;
            }
            // What has a name is not unnamed.
            book.get(id.0).is_some_and(|known| agent == UNNAMED || *known.agent == *agent)
        };
        if known {
            return;
        }
        let how = if agent == UNNAMED { How::DefaultDeny } else { How::Glob };
        match self.govern(kernel, cgroup, Known::new(&cgroup.name(), agent, how)) {
            Ok(Tagging { foreign, .. }) => {
                tracing::info!(agent, cgroup = %cgroup, closed_sockets = foreign.closed, "governed");
                for left in foreign.left {
                    tracing::warn!(agent, cgroup = %cgroup, left);
                }
            }
            Err(error) => {
                tracing::error!(%error, agent, "a cgroup that the configuration names is not governed")
            }
        }
    }

    /// Every governed cgroup of every agent.
    pub(super) fn list(&self) -> Result<Vec<(Arc<str>, GovernedStatus)>, Failure> {
        let Ok((kernel, hierarchy)) = self.parts() else { return Ok(Vec::new()) };
        let governed = kernel.governed().map_err(failed)?;
        Ok(governed
            .into_iter()
            .map(|governed| (Arc::clone(&governed.agent), self.status(hierarchy, governed)))
            .collect())
    }

    fn status(&self, hierarchy: &Hierarchy, governed: Governed) -> GovernedStatus {
        let known = lock(&self.known).get(governed.cgroup_id.0).cloned();
        let processes = governed
            .path
            .as_ref()
            .and_then(|path| hierarchy.at(path).ok())
            .and_then(|cgroup| cgroup.processes().ok())
            .map_or(0, |pids| pids.len() as u64);
        GovernedStatus {
            path: governed.path,
            id: governed.cgroup_id.0,
            origin: known.as_ref().map_or(How::Tag, |known| known.how).name().to_owned(),
            task: known.map(|known| known.task.to_string()).filter(|task| !task.is_empty()),
            processes,
        }
    }

    /// Follows cgroups as they come and go. Ends when the handle is dropped.
    pub(super) fn watch(&self, daemon: Arc<Daemon>) -> Following {
        let (sender, mut events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_))) {
                // One waiting event stands for all that come after it.
                sender.try_send(()).ok();
            }
        });
        let watcher = match watcher {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(%error, "cgroups can't be followed: new ones are noticed at the next reload only");
                return Following(None);
            }
        };
        *lock(&self.watcher) = Some(watcher);
        self.follow_all(&daemon.live.load().config);
        let task = tokio::spawn(async move {
            while events.recv().await.is_some() {
                let live = daemon.live.load_full();
                daemon.governor.settle(&live.config);
            }
        });
        Following(Some(task.abort_handle()))
    }

    pub(super) fn follow_all(&self, config: &Config) {
        let Ok((_, hierarchy)) = self.parts() else { return };
        let is_wide = |glob: &String| !Pattern::new(glob).is_ok_and(|pattern| pattern.is_literal());
        if config.agents.iter().any(|agent| !agent.cgroups.is_empty())
            || config.intercept.default_deny.iter().any(is_wide)
        {
            self.observe(hierarchy.mount(), RecursiveMode::Recursive);
        } else {
            self.follow_literal(hierarchy, &config.intercept.default_deny);
        }
        let executing = lock(&self.known).commands(|_| true);
        for (_, path) in executing {
            if let Ok(cgroup) = hierarchy.at(&*path) {
                self.follow(&cgroup);
            }
        }
    }

    /// The kernel modifies this file when the last process leaves.
    fn follow(&self, cgroup: &CgroupPath) {
        self.observe(&cgroup.directory().join("cgroup.events"), RecursiveMode::NonRecursive);
    }

    fn observe(&self, path: &Path, mode: RecursiveMode) {
        if let Some(watcher) = lock(&self.watcher).as_mut()
            && let Err(error) = watcher.watch(path, mode)
        {
            tracing::debug!(%error, path = %path.display(), "not followed");
        }
    }
}

/// Pairs of an agent and a Unix socket that it may connect to.
pub(super) fn unix_sockets(config: &Config) -> impl Iterator<Item = (&str, &str)> {
    config
        .agents
        .iter()
        .flat_map(|agent| agent.unix_sockets.iter().map(|name| (agent.name.as_str(), name.as_str())))
}

/// The task that follows cgroups.
pub(super) struct Following(Option<AbortHandle>);

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(error: KernelError) -> Failure {
    let code = match &error {
        KernelError::Unavailable(_) => Code::Unavailable,
        KernelError::NotGoverned(_) | KernelError::Cgroup(_) => Code::UnknownPlace,
        _ => Code::Failed,
    };
    let mut message = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    Failure::new(code, message)
}
