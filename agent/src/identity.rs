//! Who connected: what the kernel handed over, and what `/proc` adds to it while the process is there.

use crate::intercept::{Origin, Refused};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The user id of a caller that is not known: what the kernel itself shows for users without a mapping.
pub const UNKNOWN_UID: u32 = u32::MAX;

/// The caller of one connection.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The agent's name.
    pub agent: Arc<str>,
    /// The path of its governed cgroup, below the cgroup mount; empty where there is none.
    pub cgroup: Arc<str>,
    /// The process, 0 if unknown.
    pub pid: u32,
    /// Its user, [`UNKNOWN_UID`] if unknown.
    pub uid: u32,
    /// The path of its program, empty if unknown. A process that ended at once leaves none.
    pub exe: Arc<str>,
    /// The task it works on, as `interlock exec` was told; may be empty.
    pub task: Arc<str>,
    /// What it connected to.
    pub destination: SocketAddr,
    /// Brought by the kernel, or made to an explicit listener.
    pub boundary: audit::Boundary,
}

impl Caller {
    /// The caller that the kernel named.
    pub fn governed(origin: &Origin, cgroup: Arc<str>, task: Arc<str>) -> Self {
        Self {
            agent: Arc::clone(&origin.agent),
            cgroup,
            pid: origin.pid,
            uid: origin.uid,
            exe: program_of(origin.pid).into(),
            task,
            destination: canonical(origin.destination),
            boundary: audit::Boundary::Transparent,
        }
    }

    /// Who was refused something by the kernel side. Without an agent its name is empty.
    pub fn refused(refused: &Refused, cgroup: Arc<str>, task: Arc<str>) -> Self {
        let nowhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), refused.port);
        Self {
            agent: refused.agent.clone().unwrap_or_else(|| "".into()),
            cgroup,
            pid: refused.pid,
            uid: refused.uid,
            exe: program_of(refused.pid).into(),
            task,
            destination: canonical(refused.address.unwrap_or(nowhere)),
            boundary: audit::Boundary::Transparent,
        }
    }

    /// Of a row that is about no process in particular.
    pub fn nobody() -> Self {
        let nowhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        Self { boundary: audit::Boundary::Transparent, ..Self::explicit("", nowhere) }
    }

    /// Whoever connects to an explicit listener is taken for its agent.
    pub fn explicit(agent: &str, destination: SocketAddr) -> Self {
        Self {
            agent: agent.into(),
            cgroup: "".into(),
            pid: 0,
            uid: UNKNOWN_UID,
            exe: "".into(),
            task: "".into(),
            destination: canonical(destination),
            boundary: audit::Boundary::Explicit,
        }
    }
}

/// IPv4-mapped addresses are IPv4 addresses.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn program_of(pid: u32) -> String {
    std::fs::read_link(format!("/proc/{pid}/exe")).map(|path| path.display().to_string()).unwrap_or_default()
}
