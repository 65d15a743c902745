//! A process begins to run another program: the host agent looks at it now, since it may end before anything it does is
//! looked at.
use crate::{
    caller::caller,
    counts::count,
    maps::EXECUTED,
    memory::{is_readable, layout, read},
    program,
};
use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, bpf_probe_read_kernel_str_bytes},
    macros::raw_tracepoint,
    programs::RawTracePointContext,
};
use interlock_common::{Count, PROGRAM_PATH_BYTES_MAX};

/// Runs for every process of the host, when its new program is in place; those that are not governed end it at once.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn executed(ctx: RawTracePointContext) -> i32 {
    if is_readable() && caller().is_ok() {
        let _ = tell(&ctx);
    }
    0
}

/// The arguments are the task, its former number, and what is being executed (`struct linux_binprm`).
#[inline(always)]
fn tell(ctx: &RawTracePointContext) -> Option<()> {
    let execution: u64 = ctx.arg(2);
    let path: u64 = read(execution, layout()?.execution_path)?;
    let Some(mut place) = EXECUTED.reserve(0) else {
        count(Count::ExecutionsLost);
        return None;
    };
    let record = place.as_mut_ptr();
    // SAFETY: reserved memory of this size; every field is written before it is submitted.
    unsafe {
        (*record).program = program::current();
        (*record).pid = (bpf_get_current_pid_tgid() >> 32) as u32;
        (*record).path = [0; PROGRAM_PATH_BYTES_MAX];
        (*record).path_len = bpf_probe_read_kernel_str_bytes(path as *const u8, &mut (*record).path)
            .map_or(0, |path| path.len() as u32);
    }
    place.submit(0);
    Some(())
}
