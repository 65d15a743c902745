//! Sockets that the processes of a cgroup have from before it is governed: they are closed, since no hook has seen them
//! being made.
use super::diag::{Diag, Found};
use crate::cgroup::CgroupPath;
use nix::sched::{CloneFlags, setns};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    thread,
};

/// What became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreign {
    /// How many TCP and UDP sockets were closed.
    pub closed: usize,
    /// What could not be closed, or not looked at, one sentence each: end those processes to be sure.
    pub left: Vec<String>,
}

/// What the processes of one network namespace hold.
struct Held {
    namespace: File,
    /// By inode, a process that holds it.
    sockets: HashMap<u32, u32>,
}

/// Closes them. The processes must not run meanwhile: freeze the cgroup first. Cgroups below that `is_governed` by
/// themselves are left alone: their sockets were made under our eyes.
pub(super) fn close(cgroup: &CgroupPath, is_governed: impl Fn(u64) -> bool) -> Foreign {
    let mut foreign = Foreign::default();
    let all = cgroup.with_all_below().unwrap_or_else(|error| {
        foreign.left.push(format!("what is below can't be looked at: {error}"));
        vec![cgroup.clone()]
    });
    let id = |it: &CgroupPath| it.id().ok().map(|id| id.0);
    let others: Vec<&CgroupPath> = all.iter().skip(1).filter(|it| id(it).is_some_and(&is_governed)).collect();
    let below: Vec<CgroupPath> =
        all.iter().filter(|it| !others.iter().any(|other| other.contains(it))).cloned().collect();
    let ids: BTreeSet<u64> = below.iter().filter_map(id).collect();
    let processes = processes(&below, &mut foreign.left);
    for held in held(&processes, &mut foreign.left).values() {
        let is_theirs =
            |socket: &Found| held.sockets.contains_key(&socket.inode) || ids.contains(&socket.cgroup);
        close_in_namespace(held, is_theirs, &mut foreign);
    }
    foreign
}

/// Closes what one process has brought along: sockets that were not made in a cgroup that `is_governed`. It may run meanwhile.
pub(super) fn close_of_process(pid: u32, is_governed: impl Fn(u64) -> bool + Sync) -> Foreign {
    let mut foreign = Foreign::default();
    for held in held(&[pid], &mut foreign.left).values() {
        let is_theirs =
            |socket: &Found| held.sockets.contains_key(&socket.inode) && !is_governed(socket.cgroup);
        close_in_namespace(held, is_theirs, &mut foreign);
    }
    foreign
}

/// On a thread of its own, which ends in the other namespace.
fn close_in_namespace(held: &Held, is_theirs: impl Fn(&Found) -> bool + Sync, foreign: &mut Foreign) {
    let result = thread::scope(|threads| {
        let inside = threads.spawn(|| {
            setns(&held.namespace, CloneFlags::CLONE_NEWNET)?;
            close_here(&held.sockets, &is_theirs, foreign)
        });
        inside.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    });
    if let Err(error) = result {
        foreign.left.push(format!("sockets of a network namespace could not be closed: {error}"));
    }
}

fn processes(cgroups: &[CgroupPath], left: &mut Vec<String>) -> Vec<u32> {
    let mut pids = Vec::new();
    for cgroup in cgroups {
        match cgroup.processes() {
            Ok(found) => pids.extend(found),
            Err(_) if !cgroup.exists() => {}
            Err(error) => left.push(format!("the processes of {cgroup} can't be looked at: {error}")),
        }
    }
    pids
}

/// What every process holds, by its network namespace's number.
fn held(pids: &[u32], left: &mut Vec<String>) -> BTreeMap<u64, Held> {
    let mut all = BTreeMap::new();
    for &pid in pids {
        // A process that has ended holds nothing.
        let Ok(namespace) = File::open(format!("/proc/{pid}/ns/net")) else { continue };
        let Ok(number) = namespace.metadata().map(|metadata| metadata.ino()) else { continue };
        let held = all.entry(number).or_insert_with(|| Held { namespace, sockets: HashMap::new() });
        match sockets_of(pid) {
            Ok(inodes) => held.sockets.extend(inodes.into_iter().map(|inode| (inode, pid))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => left.push(format!("the descriptors of process {pid} can't be read: {error}")),
        }
    }
    all
}

fn sockets_of(pid: u32) -> io::Result<Vec<u32>> {
    let inode =
        |target: &std::path::Path| target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok();
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))?;
    Ok(entries.flatten().filter_map(|entry| inode(&fs::read_link(entry.path()).ok()?)).collect())
}

/// In the calling thread's network namespace.
fn close_here(
    held: &HashMap<u32, u32>,
    is_theirs: impl Fn(&Found) -> bool,
    foreign: &mut Foreign,
) -> io::Result<()> {
    let diag = Diag::open()?;
    let before: Vec<Found> = diag.list()?.into_iter().filter(&is_theirs).collect();
    for socket in &before {
        if let Err(error) = diag.destroy(socket) {
            // What is still there afterwards is what counts.
            tracing::debug!(%error, inode = socket.inode, "a socket was not closed");
        }
    }
    let after: Vec<Found> = diag.list()?.into_iter().filter(&is_theirs).collect();
    foreign.closed += before.len().saturating_sub(after.len());
    let open: BTreeSet<u32> = after.iter().map(|socket| socket.inode).collect();
    let closed: BTreeSet<u32> =
        before.iter().map(|socket| socket.inode).filter(|inode| !open.contains(inode)).collect();
    let table = |names: [&str; 2], column| -> BTreeSet<u32> {
        names.into_iter().flat_map(|name| listed(name, column)).collect()
    };
    let (packet, raw) = (listed("packet", 8), table(["raw", "raw6"], 9));
    let usual: BTreeSet<u32> = listed("unix", 6).into_iter().chain(listed("netlink", 9)).collect();
    for (inode, pid) in held.iter().filter(|(inode, _)| !closed.contains(inode) && !usual.contains(inode)) {
        let what = match (packet.contains(inode), raw.contains(inode), open.contains(inode)) {
            (true, ..) => "a packet socket, which passes by every hook",
            (_, true, _) => "a raw socket",
            (_, _, true) => "a socket that the kernel does not close",
            _ => "a socket that is bound to nothing yet, or of a kind that can't be looked at",
        };
        foreign.left.push(format!("process {pid} keeps {what}: end it to be sure"));
    }
    foreign.left.sort_unstable();
    Ok(())
}

/// The inodes in a table of `/proc/net`, by their column.
fn listed(table: &str, column: usize) -> BTreeSet<u32> {
    let text = fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default();
    text.lines().filter_map(|line| line.split_whitespace().nth(column)?.parse().ok()).collect()
}
