//! The kernel side as the rest of the host agent sees it.
use super::{
    agent::{Known, encode, other_flags, placed},
    asker::Askers,
    devices, entered,
    error::{KernelError, OriginError, Unavailable},
    executed,
    foreign::{self, Foreign},
    frozen::{self, Frozen},
    layout, links,
    logs::Logs,
    maps::{self, Maps, entries, failed, ignore_missing, is_missing},
    object::{available, object},
    options::{KernelOptions, Listeners},
    origin::Origin,
    pins::{self, Pins},
    placement,
    programs::Programs,
    ring::Ring,
    security::{self, Security},
    sys,
    tracepoint::Tracepoint,
    unix,
};
use crate::cgroup::{CgroupId, CgroupPath, Hierarchy};
use crate::config::UNNAMED;
use arc_swap::ArcSwap;
use aya::{
    EbpfLoader,
    maps::{MapData, PerCpuArray, SkStorage},
};
use interlock_common::{Address, Agent, Listener};
use socket2::SockRef;
use std::{
    collections::{BTreeSet, HashMap},
    fmt, fs,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

/// A governed cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Governed {
    /// Its id.
    pub cgroup_id: CgroupId,
    /// Its path from the hierarchy's root; `None` if it is gone (a [`Kernel::sweep`] forgets it, once no socket that was
    /// made in it is left).
    pub path: Option<PathBuf>,
    /// The name it was tagged with.
    pub agent: Arc<str>,
}

/// A cgroup that was just tagged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagging {
    /// Its id.
    pub id: CgroupId,
    /// What became of the sockets that its processes had.
    pub foreign: Foreign,
}

/// The loaded and attached kernel programs. One per process and directory of pins. Dropping it withdraws the listener,
/// so that governed processes' connections are refused until the next one publishes its own; it releases nothing.
pub struct Kernel {
    pub(super) hierarchy: Hierarchy,
    own: CgroupPath,
    programs: Programs,
    maps: Mutex<Maps>,
    /// Network namespaces that we have published a listener for.
    published: Mutex<BTreeSet<u64>>,
    /// The listening sockets outlive us.
    handed_over: AtomicBool,
    pub(super) agents: ArcSwap<HashMap<u64, Known>>,
    origins: SkStorage<MapData, interlock_common::Origin>,
    askers: Askers,
    pub(super) counts: PerCpuArray<MapData, u64>,
    pub(super) refusals: Ring,
    pub(super) executions: Tracepoint,
    pub(super) closed: Ring,
    pub(super) entries: Tracepoint,
    security: Security,
    pub(super) logs: Option<Logs>,
    /// Last, so that the lock is released after everything else is done.
    pins: Pins,
}

impl Kernel {
    /// Loads the programs, adopts what an earlier host agent left pinned, and puts this process into its place.
    /// Afterwards make the listening sockets, then [`publish`](Self::publish) them; until then governed connections
    /// are refused.
    pub fn open(options: KernelOptions) -> Result<Self, KernelError> {
        available()?;
        let hierarchy = Hierarchy::find().map_err(Unavailable::from)?;
        let pins = Pins::open(&options.paths.bpffs)?;
        maps::check_layout(&pins.maps())?;
        let mut loader = EbpfLoader::new();
        loader.map_max_entries("FLOWS", options.flows_max.max(1));
        for (name, ..) in maps::PINNED {
            loader.map_pin_path(name, pins.maps().join(name));
        }
        let kernel_layout = layout::running();
        let reads_kernel = u32::from(kernel_layout.is_ok() && executed::may_read_kernel());
        loader.override_global("READS_KERNEL", &reads_kernel, true);
        let mut ebpf = loader.load(object()?).map_err(|error| KernelError::Load {
            name: "interlock.bpf.o".to_owned(),
            reason: anyhow::Error::from(error)
                .chain()
                .map(|cause| cause.to_string())
                .collect::<Vec<_>>()
                .join(": "),
        })?;
        let programs = Programs::load(&mut ebpf)?;
        let mut maps = Maps::take(&mut ebpf)?;
        maps.allow_unix(&unix::allowed(options.unix_sockets.iter().map(|(a, b)| (a.as_str(), b.as_str()))))?;
        if let Ok(layout) = kernel_layout {
            maps.lay_out(layout)?;
        }
        let security = match (options.security, security::possible()) {
            (false, _) => {
                pins::remove_tree(&pins.security())?;
                Security::absent("switched off in the configuration")
            }
            (true, Err(why)) => Security::absent(why),
            (true, Ok(())) => security::attach(&mut ebpf, &pins),
        };
        maps.configure(options.dns.flags())?;
        maps.forbid(&devices::forbidden(&fs::read_to_string("/proc/misc").unwrap_or_default()))?;
        placement::sweep(&hierarchy, &options.paths.cgroup_base);
        let own = options.placement.settle(&hierarchy, &options.paths.cgroup_base)?;
        links::attach_proxy(&pins, &programs.proxy, &own, options.inherits)?;
        let kernel = Self {
            hierarchy,
            own,
            programs,
            maps: Mutex::new(maps),
            published: Mutex::default(),
            handed_over: AtomicBool::new(false),
            agents: ArcSwap::default(),
            origins: maps::take_origins(&mut ebpf)?,
            askers: Askers::new(maps::take_datagrams(&mut ebpf)?),
            counts: maps::take_counts(&mut ebpf)?,
            refusals: Ring::new("REFUSALS", maps::take_ring(&mut ebpf, "REFUSALS")?),
            executions: executed::attach(&mut ebpf)?,
            entries: entered::attach(&mut ebpf)?,
            closed: Ring::new("CLOSED", maps::take_ring(&mut ebpf, "CLOSED")?),
            security,
            logs: Logs::take(&mut ebpf),
            pins,
        };
        kernel.adopt(options.inherits)?;
        Ok(kernel)
    }

    /// Makes the pinned state true again after a restart: governed cgroups get the programs of this version in the old
    /// ones' place, what is gone is forgotten, and a tagging that was not finished is undone.
    fn adopt(&self, inherits: bool) -> Result<(), KernelError> {
        let mut maps = self.maps();
        // A listener of an earlier process is nobody's any more, unless we have its sockets.
        let listeners = if inherits { Vec::new() } else { entries(&maps.listeners, "LISTENERS")? };
        for (netns, _) in listeners {
            maps.listeners.remove(&netns).or_else(ignore_missing).map_err(failed("clear", "LISTENERS"))?;
        }
        let mut known = HashMap::new();
        for (id, agent) in entries(&maps.agents, "AGENTS")? {
            let id = CgroupId(id);
            match self.hierarchy.by_id(id)? {
                Some(cgroup) if cgroup.contains(&self.own) => {
                    return Err(KernelError::NotGovernable(
                        cgroup.to_string(),
                        "the host agent itself is in it",
                    ));
                }
                Some(cgroup) => match links::attach_all(&self.pins, &self.programs.governed, &cgroup, id) {
                    Ok(()) => {
                        known.insert(id.0, Known::new(&agent, Some(cgroup.name())));
                    }
                    Err(_) if !cgroup.exists() => {
                        known.insert(id.0, Known::new(&agent, None));
                    }
                    Err(error) => return Err(error),
                },
                // The next sweep forgets it, if none of its sockets is left.
                None => {
                    links::renew(&self.pins, &self.programs.governed, id);
                    known.insert(id.0, Known::new(&agent, None));
                }
            }
        }
        for id in links::linked(&self.pins)? {
            if !known.contains_key(&id.0) {
                links::detach_all(&self.pins, id)?;
            }
        }
        self.agents.store(Arc::new(known));
        self.flag(&mut maps, Path::new("/"))?;
        frozen::thaw_left(&self.pins, &self.hierarchy)
    }

    /// Sends connections of this network namespace (that of the sockets) to a listener. `sockets` are the listening
    /// sockets themselves, made after [`open`](Self::open): only a socket that bears our mark is ever handed a
    /// connection, so that nobody who takes the port while the host agent is dead gets one. Never set `TCP_FASTOPEN`
    /// on them.
    pub fn publish(&self, listeners: &Listeners, sockets: &[BorrowedFd<'_>]) -> Result<(), KernelError> {
        let mut bound = Vec::with_capacity(sockets.len());
        let mut netns = None;
        for socket in sockets {
            let address = SockRef::from(socket).local_addr().map_err(KernelError::Socket)?;
            bound.extend(address.as_socket());
            netns = Some(sys::netns_cookie(socket.as_fd()).map_err(KernelError::Socket)?);
        }
        let wanted = [Some(SocketAddr::V4(listeners.v4)), listeners.v6.map(SocketAddr::V6)];
        for address in wanted.into_iter().flatten() {
            if !bound.iter().any(|found| found.ip() == address.ip() && found.port() == address.port()) {
                return Err(KernelError::NoSocket(address));
            }
        }
        let netns = netns.ok_or(KernelError::NoSocket(SocketAddr::V4(listeners.v4)))?;
        let value = Listener {
            address4: Address::from(*listeners.v4.ip()),
            port4: listeners.v4.port(),
            address6: listeners.v6.map_or(Address([0; 4]), |address| Address::from(*address.ip())),
            port6: listeners.v6.map_or(0, |address| address.port()),
        };
        let mut maps = self.maps();
        for socket in sockets {
            maps.ours.insert(socket, 1, 0).map_err(failed("mark a listening socket in", "OURS"))?;
        }
        maps.listeners.insert(netns, value, 0).map_err(failed("write", "LISTENERS"))?;
        lock(&self.published).insert(netns);
        Ok(())
    }

    /// Somebody keeps the listening sockets for the next host agent: they stay published when this one ends, and connections
    /// wait in their queues. Should nobody keep them after all, connections are refused, as without.
    pub fn hand_over(&self) {
        self.handed_over.store(true, Ordering::Relaxed);
    }

    /// Withdraws every listener we published: governed processes' connections are refused from now on.
    pub fn withdraw(&self) -> Result<(), KernelError> {
        let mut maps = self.maps();
        let mut published = lock(&self.published);
        while let Some(netns) = published.pop_first() {
            maps.listeners.remove(&netns).or_else(ignore_missing).map_err(failed("clear", "LISTENERS"))?;
        }
        Ok(())
    }

    /// Governs a cgroup and everything below it as `agent`: all or nothing. Processes that are in it stand still
    /// meanwhile, and their TCP and UDP sockets are closed: no hook has seen them being made. What can't be closed is in
    /// the result: nothing passes by a socket that was made in this cgroup, but one that was made elsewhere is free.
    ///
    /// No error if it is governed as this agent already. A cgroup inside a governed one may be governed too: the
    /// nearest one above a process counts.
    pub fn govern(&self, cgroup: &CgroupPath, agent: &str) -> Result<Tagging, KernelError> {
        let refuse = |why| Err(KernelError::NotGovernable(cgroup.to_string(), why));
        if cgroup.is_root() {
            return refuse("it is the root, which holds every process of the host");
        }
        if cgroup.contains(&self.own) {
            return refuse("the host agent itself is in it");
        }
        if self.own.contains(cgroup) {
            return refuse("it is the host agent's own");
        }
        let mut value = encode(agent)?;
        let id = cgroup.id()?;
        let mut maps = self.maps();
        value.generation = self.next_generation();
        if let Some(known) = self.agents.load().get(&id.0) {
            return match (&*known.name, agent) {
                // What had no name gets one, under the same hooks.
                (UNNAMED, named) if named != UNNAMED => self.name(&mut maps, cgroup, id, value),
                (_, UNNAMED) => Ok(Tagging { id, foreign: Foreign::default() }),
                (known, agent) if known == agent => Ok(Tagging { id, foreign: Foreign::default() }),
                (known, _) => {
                    Err(KernelError::AlreadyGoverned { cgroup: cgroup.to_string(), agent: known.to_owned() })
                }
            };
        }
        let frozen = match cgroup.is_populated()? {
            true => Some(Frozen::new(&self.pins, cgroup, id)?),
            false => None,
        };
        links::attach_all(&self.pins, &self.programs.governed, cgroup, id)?;
        if let Err(error) = self.name(&mut maps, cgroup, id, value) {
            links::detach_all(&self.pins, id)?;
            return Err(error);
        }
        let mut foreign = Foreign::default();
        if let Some(frozen) = frozen {
            let agents = self.agents.load();
            foreign = foreign::close(cgroup, |below| agents.contains_key(&below));
            if !frozen.complete {
                foreign.left.push(
                    "some processes did not stand still in time: they may have kept sockets".to_owned(),
                );
            }
        }
        Ok(Tagging { id, foreign })
    }

    /// Writes down whose a cgroup is, from which moment on it is governed.
    fn name(
        &self,
        maps: &mut Maps,
        cgroup: &CgroupPath,
        id: CgroupId,
        value: Agent,
    ) -> Result<Tagging, KernelError> {
        let value = placed(&self.agents.load(), value, &cgroup.name());
        maps.agents.insert(id.0, value, 0).map_err(failed("add an agent to", "AGENTS"))?;
        self.change(|known| {
            known.insert(id.0, Known::new(&value, Some(cgroup.name())));
        });
        self.flag(maps, &cgroup.name())?;
        Ok(Tagging { id, foreign: Foreign::default() })
    }

    /// Tells the programs which of the cgroups at or below a changed one are inside another agent's.
    fn flag(&self, maps: &mut Maps, changed: &Path) -> Result<(), KernelError> {
        let other = other_flags(&self.agents.load(), changed);
        for (id, value) in &other {
            maps.agents.insert(id, value, 0).map_err(failed("write", "AGENTS"))?;
        }
        if !other.is_empty() {
            self.change(|known| {
                for (id, value) in other {
                    known.entry(id).and_modify(|it| it.flagged(value.flags));
                }
            });
        }
        Ok(())
    }

    /// Ends the governing of a cgroup: its processes' new connections go where they say. Connections that were
    /// redirected stay with us, but their `getpeername` shows the listener from now on.
    pub fn release(&self, id: CgroupId) -> Result<(), KernelError> {
        let mut maps = self.maps();
        if !self.agents.load().contains_key(&id.0) {
            return Err(KernelError::NotGoverned(id));
        }
        self.forget(&mut maps, id)?;
        let path = self.agents.load().get(&id.0).and_then(|known| known.path().map(Path::to_owned));
        self.change(|known| {
            known.remove(&id.0);
        });
        path.map_or(Ok(()), |path| self.flag(&mut maps, &path))
    }

    /// Forgets governed cgroups that do not exist any more, nor any socket that was made in them; says which.
    pub fn sweep(&self) -> Result<Vec<Governed>, KernelError> {
        let mut gone = Vec::new();
        for governed in self.governed()?.into_iter().filter(|governed| governed.path.is_none()) {
            if links::has_sockets(&self.pins, governed.cgroup_id)? {
                continue;
            }
            match self.release(governed.cgroup_id) {
                Ok(()) => gone.push(governed),
                Err(KernelError::NotGoverned(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(gone)
    }

    /// The governed cgroups, by path.
    pub fn governed(&self) -> Result<Vec<Governed>, KernelError> {
        let mut found = Vec::new();
        for (&id, known) in self.agents.load().iter() {
            let cgroup_id = CgroupId(id);
            let path = self.hierarchy.by_id(cgroup_id)?.map(|cgroup| cgroup.name());
            found.push(Governed { cgroup_id, path, agent: Arc::clone(&known.name) });
        }
        found.sort_by(|a, b| (&a.path, a.cgroup_id).cmp(&(&b.path, b.cgroup_id)));
        Ok(found)
    }

    /// Where an accepted connection wanted to go, and who made it: one system call. On an error, close it.
    pub fn origin(&self, accepted: BorrowedFd<'_>) -> Result<Origin, OriginError> {
        let record = match self.origins.get(&accepted, 0) {
            Ok(record) => record,
            Err(error) if is_missing(&error) => return Err(OriginError::NotRedirected),
            Err(error) => return Err(OriginError::System(error.to_string())),
        };
        self.named(&record)
    }

    /// Who sent a datagram that one of the published sockets, of this network namespace and at the address `to`, has
    /// received from there, and which server it was meant for. Call it once for each datagram, in the order they come.
    pub fn asker(&self, netns: u64, from: SocketAddr, to: SocketAddr) -> Result<Origin, OriginError> {
        self.named(&self.askers.take(netns, from, to)?)
    }

    /// Puts a record and its agent's name together, if the cgroup is still governed as it was.
    fn named(&self, record: &interlock_common::Origin) -> Result<Origin, OriginError> {
        match self.agents.load().get(&record.cgroup) {
            Some(known) if known.generation == record.generation => {
                Ok(Origin::new(record, Arc::clone(&known.name)))
            }
            _ => Err(OriginError::Released(CgroupId(record.cgroup))),
        }
    }

    /// Whether the second layer is there.
    pub fn security(&self) -> &Security {
        &self.security
    }

    /// Replaces the list of Unix sockets that agents may connect to, as in [`KernelOptions::unix_sockets`]. Only the
    /// security hooks ask for it.
    pub fn allow_unix_sockets<'a>(
        &self,
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), KernelError> {
        self.maps().allow_unix(&unix::allowed(pairs))
    }

    /// Our own cgroup, which the listening sockets must be made in.
    pub fn own_cgroup(&self) -> &CgroupPath {
        &self.own
    }

    /// Detaches first: an entry without links means "attach", links without an entry mean "detach".
    fn forget(&self, maps: &mut Maps, id: CgroupId) -> Result<(), KernelError> {
        links::detach_all(&self.pins, id)?;
        maps.agents.remove(&id.0).or_else(ignore_missing).map_err(failed("remove an agent from", "AGENTS"))
    }

    /// Changes the copy of `AGENTS` that `origin` reads. The caller holds the maps, so there is one writer.
    fn change(&self, how: impl FnOnce(&mut HashMap<u64, Known>)) {
        let mut known = HashMap::clone(&self.agents.load());
        how(&mut known);
        self.agents.store(Arc::new(known));
    }

    /// Time, pushed on where the clock was set back. The caller holds the maps.
    fn next_generation(&self) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let last = self.agents.load().values().map(|known| known.generation).max().unwrap_or(0);
        u64::try_from(now).unwrap_or(0).max(last.wrapping_add(1))
    }

    pub(super) fn maps(&self) -> MutexGuard<'_, Maps> {
        lock(&self.maps)
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        if !self.handed_over.load(Ordering::Relaxed)
            && let Err(error) = self.withdraw()
        {
            tracing::warn!(%error, "the listener stays published; connections to it are refused all the same");
        }
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("own", &self.own).field("pins", &self.pins).finish_non_exhaustive()
    }
}

/// A panic while it was held can't have left anything half done that the next call would not see.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
