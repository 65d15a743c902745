//! `bpf(2)`: a governed process, root or not, leaves programs, maps and links alone.
use super::governed;
use crate::refusals::Attempt;
use aya_ebpf::{macros::lsm, programs::LsmContext};
use interlock_common::Count;

#[lsm(hook = "bpf")]
pub fn lsm_bpf(ctx: LsmContext) -> i32 {
    let command: i32 = ctx.arg(0);
    governed(|_| Err(Count::Bpf), Attempt { detail: [command as u32, 0], ..Attempt::default() })
}
