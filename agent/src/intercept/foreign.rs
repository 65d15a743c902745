//! Sockets that the processes of a cgroup have from before it is governed: they are closed, since no hook has seen them
//! being made.
use super::diag::Diag;
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
    /// What could not be closed, one sentence each.
    pub left: Vec<String>,
}

/// What the processes of one network namespace hold.
struct Held {
    namespace: File,
    /// By inode, a process that holds it.
    sockets: HashMap<u32, u32>,
}

/// Closes them. The processes must not run meanwhile: freeze the cgroup first.
pub(super) fn close(cgroup: &CgroupPath) -> Foreign {
    let mut foreign = Foreign::default();
    let Ok(below) = cgroup.with_all_below() else { return foreign };
    let ids: BTreeSet<u64> = below.iter().filter_map(|it| Some(it.id().ok()?.0)).collect();
    for (_, held) in held(&below, &mut foreign.left) {
        // A thread of its own, which ends in the other namespace.
        let result = thread::scope(|threads| {
            let inside = threads.spawn(|| {
                setns(&held.namespace, CloneFlags::CLONE_NEWNET)?;
                close_here(&held.sockets, &ids, &mut foreign)
            });
            inside.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
        });
        if let Err(error) = result {
            foreign.left.push(format!("sockets of a network namespace could not be closed: {error}"));
        }
    }
    foreign
}

/// What every process holds, by its network namespace's number.
fn held(cgroups: &[CgroupPath], left: &mut Vec<String>) -> BTreeMap<u64, Held> {
    let mut all = BTreeMap::new();
    for pid in cgroups.iter().flat_map(|cgroup| cgroup.processes().unwrap_or_default()) {
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
fn close_here(held: &HashMap<u32, u32>, cgroups: &BTreeSet<u64>, foreign: &mut Foreign) -> io::Result<()> {
    let diag = Diag::open()?;
    let mut internet = BTreeSet::new();
    for socket in diag.list()? {
        internet.insert(socket.inode);
        if !held.contains_key(&socket.inode) && !cgroups.contains(&socket.cgroup) {
            continue;
        }
        match diag.destroy(&socket) {
            Ok(()) => foreign.closed += 1,
            // It was closed meanwhile, or is on its way to be.
            Err(error) if error.raw_os_error() == Some(libc::EALREADY) => {}
            Err(error) => {
                let pid = held.get(&socket.inode).copied().unwrap_or(0);
                foreign.left.push(format!("a socket of process {pid} can't be closed: {error}"));
            }
        }
    }
    let table = |names: [&str; 2], column| -> BTreeSet<u32> {
        names.into_iter().flat_map(|name| listed(name, column)).collect()
    };
    let (packet, raw) = (listed("packet", 8), table(["raw", "raw6"], 9));
    let usual: BTreeSet<u32> = listed("unix", 6).into_iter().chain(listed("netlink", 9)).collect();
    for (inode, pid) in held.iter().filter(|(inode, _)| !internet.contains(inode) && !usual.contains(inode)) {
        let what = match (packet.contains(inode), raw.contains(inode)) {
            (true, _) => {
                "a packet socket, which passes by every hook and can't be closed from outside: end it"
            }
            (_, true) => "a raw socket, which this kernel can't close from outside; its packets are dropped",
            _ => "a socket of a kind that can't be looked at: end it to be sure",
        };
        foreign.left.push(format!("process {pid} holds {what}"));
    }
    foreign.left.sort_unstable();
    Ok(())
}

/// The inodes in a table of `/proc/net`, by their column.
fn listed(table: &str, column: usize) -> BTreeSet<u32> {
    let text = fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default();
    text.lines().filter_map(|line| line.split_whitespace().nth(column)?.parse().ok()).collect()
}
