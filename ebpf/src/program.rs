//! Which program the current task runs, as the kernel knows it: not its path, which leads elsewhere tomorrow.
use crate::memory::{is_readable, layout, read};
use aya_ebpf::helpers::bpf_get_current_task;
use interlock_common::Program;

/// The program of the current task; zeros where it can't be told.
#[inline(always)]
pub fn current() -> Program {
    match is_readable() {
        true => find().unwrap_or_default(),
        false => Program::default(),
    }
}

#[inline(always)]
fn find() -> Option<Program> {
    let layout = layout()?;
    // SAFETY: no arguments; never fails.
    let task = unsafe { bpf_get_current_task() };
    let memory: u64 = read(task, layout.task_mm)?;
    let file: u64 = read(memory, layout.mm_program)?;
    let inode: u64 = read(file, layout.file_inode)?;
    let superblock: u64 = read(inode, layout.inode_super)?;
    Some(Program {
        inode: read(inode, layout.inode_number)?,
        device: read(superblock, layout.super_device)?,
        reserved: 0,
    })
}
