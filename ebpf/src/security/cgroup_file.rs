//! Files of the cgroup hierarchy, opened for writing: below the governed cgroup only. A process that could write its number
//! into another cgroup's `cgroup.procs` would leave.
use super::{belongs, governed};
use crate::memory::{layout, read};
use crate::{caller::Caller, refusals::Attempt};
use aya_ebpf::{macros::lsm, programs::LsmContext};
use interlock_common::Count;

/// `CGROUP2_SUPER_MAGIC` and `CGROUP_SUPER_MAGIC` (linux/magic.h).
const CGROUP2: u64 = 0x6367_7270;
/// `FMODE_WRITE`.
const WRITE: u32 = 2;

#[lsm(hook = "file_open")]
pub fn lsm_file_open(ctx: LsmContext) -> i32 {
    let file: u64 = ctx.arg(0);
    // Cheap questions first: this hook runs for every file that anybody opens.
    let Some(inode) = cgroup_inode(file) else { return 0 };
    governed(
        |caller| match is_theirs(inode, caller) {
            Some(true) => Ok(()),
            _ => Err(Count::CgroupFile),
        },
        Attempt::default(),
    )
}

/// The inode, if this is a file of the hierarchy and is opened for writing.
#[inline(always)]
fn cgroup_inode(file: u64) -> Option<u64> {
    let layout = layout()?;
    let mode: u32 = read(file, layout.file_mode)?;
    if mode & WRITE == 0 {
        return None;
    }
    let inode: u64 = read(file, layout.file_inode)?;
    let superblock: u64 = read(inode, layout.inode_super)?;
    let magic: u64 = read(superblock, layout.super_magic)?;
    (magic == CGROUP2).then_some(inode)
}

/// Whether it is a file of a cgroup of the caller's. `None` if that can't be told.
#[inline(always)]
fn is_theirs(inode: u64, caller: &Caller) -> Option<bool> {
    let layout = layout()?;
    let file: u64 = read(inode, layout.inode_private)?;
    let cgroup: u64 = read(file, layout.node_parent)?;
    if cgroup == 0 {
        return Some(false);
    }
    belongs(cgroup, caller)
}
