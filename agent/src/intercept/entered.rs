//! Processes that are moved into governed cgroups, as the kernel tells of them.
use super::{error::KernelError, maps, ring::Ring, tracepoint};
use aya::{Ebpf, programs::raw_trace_point::RawTracePointLink};
use interlock_common::Entered as Record;

/// The tracepoint.
const TRACEPOINT: &str = "cgroup_attach_task";

/// A process was moved into a governed cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entered {
    /// The governed cgroup's id.
    pub cgroup: u64,
    /// The process.
    pub pid: u32,
}

/// What the kernel tells of them.
pub(super) struct Entries {
    ring: Ring,
    /// Attached as long as this lives.
    _link: Option<RawTracePointLink>,
}

impl Entries {
    /// Attaches to the kernel's tracepoint. Without it, such processes keep the sockets that they bring.
    pub(super) fn attach(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        let ring = Ring::new("ENTERED", maps::take_ring(ebpf, "ENTERED")?);
        let link = tracepoint::attach(ebpf, "entered", TRACEPOINT).inspect_err(|error| {
            tracing::warn!(%error, "processes that are moved into governed cgroups are not seen: they keep their sockets");
        });
        Ok(Self { ring, _link: link.ok() })
    }

    /// Takes what is there.
    pub(super) fn take(&self, mut each: impl FnMut(Entered)) {
        self.ring.drain(|bytes| {
            if let Some(Record { cgroup, pid, .. }) = Record::from_bytes(bytes) {
                each(Entered { cgroup, pid });
            }
        });
    }

    pub(super) const fn ring(&self) -> &Ring {
        &self.ring
    }
}
