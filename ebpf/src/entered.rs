//! A process is moved into a governed cgroup, with whatever sockets it has: the host agent closes them.
use crate::{
    maps::{AGENTS, ENTERED},
    memory::{is_readable, layout, read},
};
use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use interlock_common::Entered;

/// How far below the governed cgroup it may be.
const LEVELS: u32 = 16;

/// The arguments are the cgroup, its path, the process and whether all of it is moved.
#[raw_tracepoint(tracepoint = "cgroup_attach_task")]
pub fn entered(ctx: RawTracePointContext) -> i32 {
    if is_readable() {
        let _ = tell(&ctx);
    }
    0
}

#[inline(always)]
fn tell(ctx: &RawTracePointContext) -> Option<()> {
    let layout = layout()?;
    let (cgroup, task): (u64, u64) = (ctx.arg(0), ctx.arg(2));
    let mut node: u64 = read(cgroup, layout.cgroup_node)?;
    let mut level = 0;
    while level < LEVELS && node != 0 {
        level += 1;
        let id: u64 = read(node, layout.node_id)?;
        // SAFETY: only its presence is asked for.
        if unsafe { AGENTS.get(&id) }.is_some() {
            let mut place = ENTERED.reserve(0)?;
            place.write(Entered { cgroup: id, pid: read(task, layout.task_process).unwrap_or(0), reserved: 0 });
            place.submit(0);
            return Some(());
        }
        node = read(node, layout.node_parent)?;
    }
    None
}
