//! What a governed process was not allowed to do, as the kernel programs tell it.
use crate::cgroup::CgroupId;
use interlock_common::{Count, Refusal};
use nix::time::{ClockId, clock_gettime};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// One refusal of the kernel programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why, and so what.
    pub reason: Count,
    /// The agent; `None` if the process is of none that we know.
    pub agent: Option<Arc<str>>,
    /// The governed cgroup; without an agent, the process's or the socket's own.
    pub cgroup_id: CgroupId,
    /// The process, or the one that made the socket, in the host's numbering; 0 if unknown.
    pub pid: u32,
    /// Its user, in the host's numbering; the greatest number if unknown.
    pub uid: u32,
    /// The address in question, if there is one.
    pub address: Option<SocketAddr>,
    /// The port in question, also without an address.
    pub port: u16,
    /// `AF_*` of the socket; 0 if unknown.
    pub family: u16,
    /// The name of a Unix socket in question, as its server has bound it; an abstract one starts with `@`. Empty if there is
    /// none, or it has none.
    pub name: String,
    /// As in [`interlock_common::Refusal::detail`].
    pub detail: [u32; 2],
    /// When.
    pub time: SystemTime,
}

impl Refused {
    /// Puts the kernel's record and the agent's name together.
    pub(super) fn new(record: &Refusal, reason: Count, agent: Option<Arc<str>>, booted: SystemTime) -> Self {
        let is_empty = record.address.0 == [0; 4] && record.port == 0;
        Self {
            reason,
            agent,
            cgroup_id: CgroupId(record.cgroup),
            pid: record.pid,
            uid: record.uid,
            address: (!is_empty).then(|| SocketAddr::new(IpAddr::from(record.address), record.port)),
            port: record.port,
            family: record.family,
            name: unix_name(record),
            detail: record.detail,
            time: booted.checked_add(Duration::from_nanos(record.time)).unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }
}

/// A socket's name as people write it: up to the first zero byte of a path, all of an abstract one.
fn unix_name(record: &Refusal) -> String {
    let length = usize::try_from(record.name_len).unwrap_or(0);
    let name = record.name.get(..length).unwrap_or_default();
    match name.split_first() {
        Some((0, rest)) => format!("@{}", String::from_utf8_lossy(rest).replace('\0', "@")),
        _ => String::from_utf8_lossy(name.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned(),
    }
}

/// When the host was started, by the clock that programs tell (`CLOCK_MONOTONIC`: it stands still while the host
/// sleeps) and by today's time of day.
pub(super) fn boot_time() -> SystemTime {
    let running = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    SystemTime::now().checked_sub(running).unwrap_or(SystemTime::UNIX_EPOCH)
}
