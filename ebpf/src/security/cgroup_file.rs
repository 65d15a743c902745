//! Files of the cgroup hierarchy, opened for writing: below the governed cgroup only. A process that could write its number
//! into another cgroup's `cgroup.procs` would leave.
use super::{governed, layout, read};
use crate::{caller::Caller, refusals::Attempt};
use aya_ebpf::{macros::lsm, programs::LsmContext};
use interlock_common::Count;

/// `CGROUP2_SUPER_MAGIC` and `CGROUP_SUPER_MAGIC` (linux/magic.h).
const CGROUP2: u64 = 0x6367_7270;
/// `FMODE_WRITE`.
const WRITE: u32 = 2;
/// How far below the governed cgroup a file may be.
const LEVELS: u32 = 16;

#[lsm(hook = "file_open")]
pub fn lsm_file_open(ctx: LsmContext) -> i32 {
    let file: u64 = ctx.arg(0);
    // Cheap questions first: this hook runs for every file that anybody opens.
    let Some(inode) = cgroup_inode(file) else { return 0 };
    governed(
        |caller| match is_below(inode, caller) {
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

/// Whether it is a file of the caller's governed cgroup or of one below it. `None` if that can't be told.
#[inline(always)]
fn is_below(inode: u64, caller: &Caller) -> Option<bool> {
    let layout = layout()?;
    // A file's node, then its cgroup's, then those above.
    let mut node: u64 = read(inode, layout.inode_private)?;
    let mut level = 0;
    while level < LEVELS {
        level += 1;
        node = read(node, layout.node_parent)?;
        if node == 0 {
            return Some(false);
        }
        if read::<u64>(node, layout.node_id)? == caller.cgroup {
            return Some(true);
        }
    }
    Some(false)
}
