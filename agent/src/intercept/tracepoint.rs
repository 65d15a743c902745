//! Programs at the kernel's tracepoints. They decide nothing, so they are attached only as long as somebody listens.
use super::programs::explain;
use aya::{
    Ebpf,
    programs::{RawTracePoint, raw_trace_point::RawTracePointLink},
};

/// Loads and attaches one.
pub(super) fn attach(ebpf: &mut Ebpf, program: &str, tracepoint: &str) -> Result<RawTracePointLink, String> {
    let program = ebpf.program_mut(program).ok_or("it is not in the embedded object")?;
    let program: &mut RawTracePoint = program.try_into().map_err(|error| explain(&error))?;
    program.load().map_err(|error| explain(&error))?;
    let id = program.attach(tracepoint).map_err(|error| explain(&error))?;
    program.take_link(id).map_err(|error| explain(&error))
}
