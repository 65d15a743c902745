//! Who is calling: the governed cgroup that the current task is in.
use crate::maps::AGENTS;
use aya_ebpf::helpers::{bpf_get_current_ancestor_cgroup_id, bpf_get_current_cgroup_id};
use interlock_common::{CGROUP_LEVELS_MAX, Count};

/// The governed cgroup nearest above the caller, and when it was tagged.
pub struct Caller {
    pub cgroup: u64,
    pub generation: u64,
    /// Its agent, as keys have it.
    pub key: u64,
}

/// Looks from the caller's own cgroup upwards; the nearest governed one wins, so an agent inside an agent is the inner
/// one.
///
/// The hook runs for the cgroup that the *socket* was made in. The caller can be elsewhere (it was handed the socket):
/// then it is attributed to its own agent, and refused if it has none.
#[inline(always)]
pub fn caller() -> Result<Caller, Count> {
    // SAFETY: no arguments; never fails.
    let own = unsafe { bpf_get_current_cgroup_id() };
    if let Some(found) = governed(own) {
        return Ok(found);
    }
    let mut level = CGROUP_LEVELS_MAX;
    while level > 0 {
        level -= 1;
        // SAFETY: any level is valid; too deep a one gives 0, which is no cgroup's id.
        let id = unsafe { bpf_get_current_ancestor_cgroup_id(level) };
        if id != 0
            && let Some(found) = governed(id)
        {
            return Ok(found);
        }
    }
    Err(Count::UnknownAgent)
}

#[inline(always)]
fn governed(id: u64) -> Option<Caller> {
    // SAFETY: the reference is read at once. Should the entry be removed and its memory used again in between, the
    // generation is one that the host agent doesn't know, and it refuses the connection.
    unsafe { AGENTS.get(&id) }.map(|agent| Caller {
        cgroup: id,
        generation: agent.generation,
        key: agent.key,
    })
}
