//! Programs that governed processes begin to run, as the kernel tells of them.
use super::{error::KernelError, maps, ring::Ring, tracepoint};
use aya::{Ebpf, programs::raw_trace_point::RawTracePointLink};
use interlock_common::Program;
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::PathBuf};

/// The tracepoint.
const TRACEPOINT: &str = "sched_process_exec";
/// What of the kernel is closed to its own administrator.
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

/// A process has begun to run a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// The program.
    pub program: Program,
    /// The process.
    pub pid: u32,
    /// The program's path as the process gave it, which may be relative, or lead elsewhere from here. For a script, its own.
    pub path: PathBuf,
}

/// What the kernel tells of them.
pub(super) struct Executions {
    ring: Ring,
    /// Attached as long as this lives; nobody needs it while the host agent is dead.
    _link: Option<RawTracePointLink>,
}

impl Executions {
    /// Attaches to the kernel's tracepoint. Without it, programs are looked up when their connections arrive.
    pub(super) fn attach(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        let ring = Ring::new("EXECUTED", maps::take_ring(ebpf, "EXECUTED")?);
        let link = tracepoint::attach(ebpf, "executed", TRACEPOINT).inspect_err(|error| {
            tracing::warn!(%error, "programs are not seen when they begin: those that end at once have no name in rows");
        });
        Ok(Self { ring, _link: link.ok() })
    }

    /// Takes what is there.
    pub(super) fn take(&self, mut each: impl FnMut(&Executed)) {
        self.ring.drain(|bytes| {
            if let Some(executed) = read(bytes) {
                each(&executed);
            }
        });
    }

    pub(super) const fn ring(&self) -> &Ring {
        &self.ring
    }
}

/// Reads a record.
fn read(bytes: &[u8]) -> Option<Executed> {
    let record = interlock_common::Executed::from_bytes(bytes)?;
    let length = usize::try_from(record.path_len).unwrap_or(0);
    let path = OsStr::from_bytes(record.path.get(..length).unwrap_or_default());
    Some(Executed { program: record.program, pid: record.pid, path: path.into() })
}

/// Whether programs may read the kernel's memory (kernel_lockdown(7)).
pub(super) fn may_read_kernel() -> bool {
    fs::read_to_string(LOCKDOWN).map_or(true, |modes| !modes.contains("[confidentiality]"))
}
