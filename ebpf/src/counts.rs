//! Counting, and turning a decision into what a cgroup hook returns.
use crate::{
    maps::COUNTS,
    refusals::{Attempt, tell},
};
use interlock_common::Count;

/// A hook's return value: the call goes on.
pub const ALLOW: i32 = 1;

/// A hook's return value: the caller gets EPERM, the packet is dropped.
pub const DENY: i32 = 0;

/// Adds one to a counter.
#[inline(always)]
pub fn count(what: Count) {
    if let Some(counter) = COUNTS.get_ptr_mut(what as u32) {
        // SAFETY: a pointer to this CPU's element, which only programs on this CPU write; at worst a count is lost
        // when one program interrupts another.
        unsafe { *counter += 1 }
    }
}

/// Counts a decision on what the current task attempts, tells the host agent of a refusal, and gives the hook's return
/// value.
#[inline(always)]
pub fn verdict(decision: Result<Option<Count>, Count>, attempt: Attempt<'_>) -> i32 {
    match decision {
        Ok(None) => ALLOW,
        Ok(Some(what)) => {
            count(what);
            ALLOW
        }
        Err(reason) => {
            count(reason);
            tell(reason, attempt);
            DENY
        }
    }
}
