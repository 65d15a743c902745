//! Programs at the kernel's tracepoints, and what they tell. They decide nothing, so they are attached only as long as somebody
//! listens.
use super::{error::KernelError, maps, programs::explain, ring::Ring};
use aya::{
    Ebpf,
    programs::{RawTracePoint, raw_trace_point::RawTracePointLink},
};

/// One of them.
pub(super) struct Tracepoint {
    ring: Ring,
    /// Attached as long as this lives.
    _link: Option<RawTracePointLink>,
}

impl Tracepoint {
    /// Attaches a program that writes to a ring buffer. If the kernel does not let it, nothing comes, and `without` says in the log
    /// what that means.
    pub(super) fn attach(
        ebpf: &mut Ebpf,
        (program, tracepoint): (&str, &str),
        map: &'static str,
        without: &str,
    ) -> Result<Self, KernelError> {
        let ring = Ring::new(map, maps::take_ring(ebpf, map)?);
        let link = link(ebpf, program, tracepoint);
        if let Err(error) = &link {
            tracing::warn!(%error, "{without}");
        }
        Ok(Self { ring, _link: link.ok() })
    }

    /// What it tells.
    pub(super) const fn ring(&self) -> &Ring {
        &self.ring
    }
}

fn link(ebpf: &mut Ebpf, program: &str, tracepoint: &str) -> Result<RawTracePointLink, String> {
    let program = ebpf.program_mut(program).ok_or("it is not in the embedded object")?;
    let program: &mut RawTracePoint = program.try_into().map_err(|error| explain(&error))?;
    program.load().map_err(|error| explain(&error))?;
    let id = program.attach(tracepoint).map_err(|error| explain(&error))?;
    program.take_link(id).map_err(|error| explain(&error))
}
