//! Descriptors handed over by Unix sockets: no IPv4 or IPv6 socket that another than the agent has made, since the hooks of
//! its maker's cgroup run for it, not ours.
use super::{belongs, governed};
use crate::memory::{layout, read};
use crate::{caller::Caller, refusals::Attempt};
use aya_ebpf::{macros::lsm, programs::LsmContext};
use interlock_common::{Count, SOCKET_SK_OFFSET};

/// `S_IFMT` and `S_IFSOCK`.
const KIND: u16 = 0o170_000;
const SOCKET: u16 = 0o140_000;
/// `AF_INET` and `AF_INET6`.
const INET: u16 = 2;
const INET6: u16 = 10;

#[lsm(hook = "file_receive")]
pub fn lsm_file_receive(ctx: LsmContext) -> i32 {
    let file: u64 = ctx.arg(0);
    governed(
        |caller| match is_foreign(file, caller) {
            Some(false) => Ok(()),
            _ => Err(Count::Descriptor),
        },
        Attempt::default(),
    )
}

/// Whether it is an internet socket of another maker. `None` if that can't be told.
#[inline(always)]
fn is_foreign(file: u64, caller: &Caller) -> Option<bool> {
    let layout = layout()?;
    let inode: u64 = read(file, layout.file_inode)?;
    let mode: u16 = read(inode, layout.inode_mode)?;
    if mode & KIND != SOCKET {
        return Some(false);
    }
    let socket: u64 = read(file, layout.file_private)?;
    let sock: u64 = read(socket, SOCKET_SK_OFFSET as u32)?;
    let family: u16 = read(sock, layout.sock_family)?;
    if family != INET && family != INET6 {
        return Some(false);
    }
    let cgroup: u64 = read(sock, layout.sock_cgroup)?;
    belongs(read(cgroup, layout.cgroup_node)?, caller).map(|theirs| !theirs)
}
