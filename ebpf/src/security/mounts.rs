//! What a governed root could take our pins away by, or mount a network by.
use super::governed;
use crate::memory::{layout, read};
use crate::refusals::Attempt;
use aya_ebpf::{macros::lsm, programs::LsmContext};
use interlock_common::Count;

/// `BPF_FS_MAGIC` (linux/magic.h).
const BPF_FS: u64 = 0xcafe_4a11;

#[lsm(hook = "inode_unlink")]
pub fn lsm_inode_unlink(ctx: LsmContext) -> i32 {
    pin(ctx.arg(1))
}

#[lsm(hook = "inode_rmdir")]
pub fn lsm_inode_rmdir(ctx: LsmContext) -> i32 {
    pin(ctx.arg(1))
}

#[lsm(hook = "inode_rename")]
pub fn lsm_inode_rename(ctx: LsmContext) -> i32 {
    pin(ctx.arg(1))
}

/// A pin is not removed: the link behind it would go with it.
#[inline(always)]
fn pin(dentry: u64) -> i32 {
    match magic(dentry) {
        Some(BPF_FS) => governed(|_| Err(Count::Bpf), Attempt::default()),
        _ => 0,
    }
}

#[inline(always)]
fn magic(dentry: u64) -> Option<u64> {
    let layout = layout()?;
    let superblock: u64 = read(dentry, layout.dentry_super)?;
    read(superblock, layout.super_magic)
}

#[lsm(hook = "sb_mount")]
pub fn lsm_sb_mount(_ctx: LsmContext) -> i32 {
    governed(|_| Err(Count::Mount), Attempt::default())
}

#[lsm(hook = "sb_umount")]
pub fn lsm_sb_umount(_ctx: LsmContext) -> i32 {
    governed(|_| Err(Count::Mount), Attempt::default())
}

#[lsm(hook = "move_mount")]
pub fn lsm_move_mount(_ctx: LsmContext) -> i32 {
    governed(|_| Err(Count::Mount), Attempt::default())
}
