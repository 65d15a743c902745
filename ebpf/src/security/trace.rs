//! `ptrace(2)`, `process_vm_writev(2)`, `pidfd_getfd(2)`, writing to `/proc/PID/mem`: of the agent's own processes only.
use super::{belongs, governed};
use crate::memory::{layout, read};
use crate::refusals::Attempt;
use aya_ebpf::{macros::lsm, programs::LsmContext};
use interlock_common::Count;

/// `PTRACE_MODE_ATTACH`. Reading, such as the list of a process's files, passes.
const ATTACH: u32 = 2;

#[lsm(hook = "ptrace_access_check")]
pub fn lsm_ptrace_access_check(ctx: LsmContext) -> i32 {
    let (child, mode): (u64, u32) = (ctx.arg(0), ctx.arg(1));
    if mode & ATTACH == 0 {
        return 0;
    }
    governed(
        |caller| match cgroup_of(child).and_then(|cgroup| belongs(cgroup, caller)) {
            Some(true) => Ok(()),
            _ => Err(Count::Trace),
        },
        Attempt { detail: [mode, 0], ..Attempt::default() },
    )
}

/// The node of the cgroup that a task is in.
#[inline(always)]
fn cgroup_of(task: u64) -> Option<u64> {
    let layout = layout()?;
    let set: u64 = read(task, layout.task_cgroups)?;
    let cgroup: u64 = read(set, layout.css_set_cgroup)?;
    read(cgroup, layout.cgroup_node)
}
