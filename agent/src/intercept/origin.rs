//! Where an accepted connection wanted to go, and who made it.
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// The origin of a redirected connection, as the kernel recorded it when the agent called `connect`. Nothing in it
/// comes from the connection's bytes, and nothing can be claimed by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What the agent named in `connect`: IPv4 also if it named it as `::ffff:a.b.c.d`.
    pub destination: SocketAddr,
    /// The agent: the name its cgroup was tagged with.
    pub agent: Arc<str>,
    /// The governed cgroup: the nearest one the process was in or below.
    pub cgroup_id: u64,
    /// The process, in the host's numbering.
    pub pid: u32,
    /// The thread of it that called `connect`.
    pub thread: u32,
    /// Its user, in the host's numbering.
    pub uid: u32,
    /// Its group, in the host's numbering.
    pub gid: u32,
    /// The client socket's cookie, unique until the host restarts.
    pub cookie: u64,
    /// The program that it ran then, as the kernel knows it; zeros if unknown.
    pub program: interlock_common::Program,
    /// When it called, in ns since boot by the monotonic clock.
    pub time: u64,
}

impl Origin {
    /// Puts the kernel's record and the agent's name together.
    pub(super) fn new(record: &interlock_common::Origin, agent: Arc<str>) -> Self {
        Self {
            destination: SocketAddr::new(IpAddr::from(record.address), record.port),
            agent,
            cgroup_id: record.cgroup,
            pid: record.pid,
            thread: record.thread,
            uid: record.uid,
            gid: record.gid,
            cookie: record.cookie,
            program: record.program,
            time: record.time,
        }
    }
}
