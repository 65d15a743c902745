//! The second layer: hooks of the kernel's security framework (BPF LSM), where it may be had. They run for every process of
//! the host and end at once for those of no governed cgroup. They go by who the *current* process is, so that they also
//! see what the hooks of a cgroup do not: other kinds of sockets, Unix sockets, descriptors that somebody else made, and
//! ways out of the cgroup.
mod bpf;
mod cgroup_clone;
mod cgroup_file;
mod descriptor;
mod family;
mod mounts;
mod namespace;
mod trace;
mod unix;

use crate::{
    caller::{Caller, caller},
    counts::count,
    listener::is_same_agent_by_id,
    memory::{layout, read},
    refusals::{Attempt, tell},
};
use interlock_common::Count;

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

/// Counts and tells; the caller gets EPERM.
#[inline(always)]
fn refuse(reason: Count, attempt: Attempt<'_>) -> i32 {
    count(reason);
    tell(reason, attempt);
    DENY
}

/// How far below the governed cgroup something may be.
const LEVELS: u32 = 16;

/// Whether a node of the cgroup hierarchy is the caller's governed cgroup, another of the same agent, or below the former.
/// `None` if that can't be told.
#[inline(always)]
fn belongs(node: u64, caller: &Caller) -> Option<bool> {
    let layout = layout()?;
    let mut node = node;
    if is_same_agent_by_id(read(node, layout.node_id)?, caller) {
        return Some(true);
    }
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
