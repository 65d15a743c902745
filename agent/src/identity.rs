//! Who connected: what the kernel handed over, and what `/proc` adds to it while the process is there.
//!
//! `process.rs` looks a process up, `programs.rs` knows the programs that were seen when they began, `place.rs` reads its unit and container from its cgroup's path, `hash.rs` knows programs
//! by their content.

mod hash;
mod place;
mod process;
mod programs;

pub use hash::{Hashes, open};
pub use place::{Runs, runs};
pub use process::{FileId, Process};
pub use programs::{Program, Programs};

use crate::intercept::{Origin, Refused};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The user id of a caller that is not known: what the kernel itself shows for users without a mapping.
pub const UNKNOWN_UID: u32 = u32::MAX;

/// What rows and policies say of a governed cgroup.
#[derive(Clone, Debug)]
pub struct Governing {
    /// Its path.
    pub path: Arc<str>,
    /// The task it works on; may be empty.
    pub task: Arc<str>,
    /// The agents of the governed cgroups that it is inside of, the nearest first: what they may not do, it may not.
    pub outer: Arc<[Arc<str>]>,
}

/// The caller of one connection.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The agent's name.
    pub agent: Arc<str>,
    /// The path of its governed cgroup, below the cgroup mount; empty where there is none.
    pub cgroup: Arc<str>,
    /// The agents that it is inside of.
    pub outer: Arc<[Arc<str>]>,
    /// The kernel's number of that cgroup; 0 where there is none.
    pub cgroup_id: u64,
    /// The process, 0 if unknown.
    pub pid: u32,
    /// The thread that connected, 0 if unknown.
    pub thread: u32,
    /// Its user, [`UNKNOWN_UID`] if unknown.
    pub uid: u32,
    /// What `/proc` knows of it; empty for a process that ended at once.
    pub process: Process,
    /// SHA-256 of its program, in hexadecimal; empty if unknown.
    pub exe_hash: Arc<str>,
    /// The program's file, if its hash is not computed yet.
    pub exe_open: Option<Arc<File>>,
    /// The cookie of its socket; 0 if unknown.
    pub cookie: u64,
    /// The task it works on, as `interlock exec` was told; may be empty.
    pub task: Arc<str>,
    /// What it connected to.
    pub destination: SocketAddr,
    /// Brought by the kernel, or made to an explicit listener.
    pub boundary: audit::Boundary,
}

impl Caller {
    /// The caller that the kernel named.
    pub fn governed(origin: &Origin, governing: Governing, program: Option<Program>) -> Self {
        let mut process = Process::look_up(origin.pid, origin.time);
        let (mut exe_hash, mut exe_open) = ("".into(), None);
        let is_another = |file: FileId| {
            // Where `stat` tells of another file system than the kernel, the two can't be compared.
            file.device == programs::device(origin.program) && file.inode != origin.program.inode
        };
        if program.is_none() && origin.program.inode != 0 && process.file.is_some_and(is_another) {
            // It runs another program by now, and which it ran was not seen.
            process = Process { exe: "".into(), file: None, argv: "".into(), ..process };
        }
        if let Some(program) = program {
            if process.file != Some(program.file) {
                // It has ended, or runs another program by now: whose command line is no business of this connection.
                process = Process { argv: "".into(), ..process };
            }
            process.exe = Arc::clone(&program.path);
            process.file = Some(program.file);
            exe_hash = program.hash().unwrap_or_else(|| "".into());
            exe_open = program.open();
        }
        Self {
            agent: Arc::clone(&origin.agent),
            cgroup: governing.path,
            outer: governing.outer,
            cgroup_id: origin.cgroup_id,
            pid: origin.pid,
            thread: origin.thread,
            uid: origin.uid,
            process,
            exe_hash,
            exe_open,
            cookie: origin.cookie,
            task: governing.task,
            destination: canonical(origin.destination),
            boundary: audit::Boundary::Transparent,
        }
    }

    /// Under what name it has a memory and budgets of its own: an agent inside another is not the one outside.
    pub fn known_as(&self) -> Arc<str> {
        match &*self.outer {
            [] => Arc::clone(&self.agent),
            outer => format!("{}<{}", self.agent, outer.join("<")).into(),
        }
    }

    /// Who was refused something by the kernel side. Without an agent its name is empty.
    pub fn refused(refused: &Refused, governing: Governing) -> Self {
        let nowhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), refused.port);
        let process = if refused.pid == 0 { Process::default() } else { Process::look_up(refused.pid, 0) };
        Self {
            agent: refused.agent.clone().unwrap_or_else(|| "".into()),
            cgroup: governing.path,
            cgroup_id: refused.cgroup_id.0,
            pid: refused.pid,
            uid: refused.uid,
            process,
            task: governing.task,
            boundary: audit::Boundary::Transparent,
            ..Self::explicit("", refused.address.unwrap_or(nowhere))
        }
    }

    /// A process of a governed cgroup, whatever it does.
    pub fn process(agent: Arc<str>, cgroup_id: u64, pid: u32, governing: Governing) -> Self {
        Self {
            agent,
            cgroup: governing.path,
            cgroup_id,
            pid,
            process: Process::look_up(pid, 0),
            task: governing.task,
            ..Self::nobody()
        }
    }

    /// Of a row that is about no process in particular.
    pub fn nobody() -> Self {
        let nowhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        Self { boundary: audit::Boundary::Transparent, ..Self::explicit("", nowhere) }
    }

    /// An administrator at the command line.
    pub fn administrator(pid: u32, uid: u32) -> Self {
        Self { pid, uid, process: Process::look_up(pid, 0), ..Self::nobody() }
    }

    /// Whoever connects to an explicit listener is taken for its agent.
    pub fn explicit(agent: &str, destination: SocketAddr) -> Self {
        Self {
            agent: agent.into(),
            cgroup: "".into(),
            outer: Arc::new([]),
            cgroup_id: 0,
            pid: 0,
            thread: 0,
            uid: UNKNOWN_UID,
            process: Process::default(),
            exe_hash: "".into(),
            exe_open: None,
            cookie: 0,
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
