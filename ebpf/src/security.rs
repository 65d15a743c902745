//! The second layer: hooks of the kernel's security framework (BPF LSM), where it may be had. They run for every process of
//! the host and end at once for those of no governed cgroup. They go by who the *current* process is, so that they also
//! see what the hooks of a cgroup do not: other kinds of sockets, Unix sockets, descriptors that somebody else made, and
//! ways out of the cgroup.
mod bpf;
mod cgroup_file;
mod descriptor;
mod family;
mod namespace;
mod trace;
mod unix;

use crate::{
    caller::{Caller, caller},
    counts::count,
    maps::LAYOUT,
    refusals::{Attempt, tell},
};
use aya_ebpf::helpers::bpf_probe_read_kernel;
use interlock_common::{Count, Layout};

/// A security hook's return value: the call goes on.
const ALLOW: i32 = 0;
/// A security hook's return value: EPERM.
const DENY: i32 = -1;

/// Decides for governed processes; others pass.
#[inline(always)]
fn governed(decide: impl FnOnce(&Caller) -> Result<(), Count>, attempt: Attempt<'_>) -> i32 {
    let Ok(caller) = caller() else { return ALLOW };
    match decide(&caller) {
        Ok(()) => ALLOW,
        Err(reason) => refuse(reason, attempt),
    }
}

#[inline(always)]
fn refuse(reason: Count, attempt: Attempt<'_>) -> i32 {
    count(reason);
    tell(reason, attempt);
    DENY
}

/// The running kernel's offsets. There is always one; the compiler can't know.
#[inline(always)]
fn layout() -> Option<&'static Layout> {
    LAYOUT.get(0)
}

/// Reads a value that lies `offset` bytes behind an address of the kernel; a bad address reads as `None`.
#[inline(always)]
fn read<T>(address: u64, offset: u32) -> Option<T> {
    let address = address.checked_add(u64::from(offset))? as *const T;
    // SAFETY: the helper checks the address; every `T` used here is an integer.
    unsafe { bpf_probe_read_kernel(address) }.ok()
}
