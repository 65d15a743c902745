//! A child that would start in another cgroup (`clone3(2)` with CLONE_INTO_CGROUP), for which no file is opened to be written.
use super::governed;
use crate::refusals::Attempt;
use aya_ebpf::{macros::lsm, programs::LsmContext};
use interlock_common::Count;

/// `CLONE_INTO_CGROUP`.
const INTO_CGROUP: u64 = 1 << 33;

#[lsm(hook = "task_alloc")]
pub fn lsm_task_alloc(ctx: LsmContext) -> i32 {
    let flags: u64 = ctx.arg(1);
    if flags & INTO_CGROUP == 0 {
        return 0;
    }
    governed(|_| Err(Count::CgroupFile), Attempt::default())
}
