//! Programs that governed processes begin to run, as the kernel tells of them.
use super::{error::KernelError, ring::Ring, tracepoint::Tracepoint};
use aya::Ebpf;
use interlock_common::Program;
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::PathBuf};

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

/// Attaches to the kernel's tracepoint. Without it, programs are looked up when their connections arrive.
pub(super) fn attach(ebpf: &mut Ebpf) -> Result<Tracepoint, KernelError> {
    let without = "programs are not seen when they begin: those that end at once have no name in rows";
    Tracepoint::attach(ebpf, ("executed", "sched_process_exec"), "EXECUTED", without)
}

/// Takes what is there.
pub(super) fn take(ring: &Ring, mut each: impl FnMut(&Executed)) {
    ring.drain(|bytes| {
        if let Some(executed) = read(bytes) {
            each(&executed);
        }
    });
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
