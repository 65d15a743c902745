//! User namespaces (Linux 6.1): they give rights over a network of one's own.
use super::governed;
use crate::refusals::Attempt;
use aya_ebpf::{macros::lsm, programs::LsmContext};
use interlock_common::Count;

#[lsm(hook = "userns_create")]
pub fn lsm_userns_create(_ctx: LsmContext) -> i32 {
    governed(|_| Err(Count::UserNamespace), Attempt::default())
}
