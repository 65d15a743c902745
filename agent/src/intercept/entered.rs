//! Processes that are moved into governed cgroups, as the kernel tells of them.
use super::{error::KernelError, ring::Ring, tracepoint::Tracepoint};
use aya::Ebpf;
use interlock_common::Entered as Record;

/// A process was moved into a governed cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entered {
    /// The governed cgroup's id.
    pub cgroup: u64,
    /// The process.
    pub pid: u32,
}

/// Attaches to the kernel's tracepoint.
pub(super) fn attach(ebpf: &mut Ebpf) -> Result<Tracepoint, KernelError> {
    let without = "processes that are moved into governed cgroups are not seen: they keep their sockets";
    Tracepoint::attach(ebpf, ("entered", "cgroup_attach_task"), "ENTERED", without)
}

/// Takes what is there.
pub(super) fn take(ring: &Ring, mut each: impl FnMut(Entered)) {
    ring.drain(|bytes| {
        if let Some(Record { cgroup, pid, .. }) = Record::from_bytes(bytes) {
            each(Entered { cgroup, pid });
        }
    });
}
