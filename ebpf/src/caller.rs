//! Who is calling: the governed cgroup that the current task is in.
use crate::{maps::AGENTS, program};
use aya_ebpf::helpers::{
    bpf_get_current_ancestor_cgroup_id, bpf_get_current_cgroup_id, bpf_get_current_pid_tgid,
    bpf_get_current_uid_gid, bpf_ktime_get_ns,
};
use interlock_common::{AGENT_UNNAMED, Address, CGROUP_LEVELS_MAX, Count, Origin, STATE_IDLE};

/// The governed cgroup nearest above the caller, and when it was tagged.
pub struct Caller {
    pub cgroup: u64,
    pub generation: u64,
    /// Its agent, as keys have it; 0 if it has no rights by its name alone.
    pub key: u64,
    /// Whether it has no name yet.
    pub is_unnamed: bool,
}

impl Caller {
    /// What is kept of the caller, who is the current task, on a socket that it makes or connects.
    #[inline(always)]
    pub fn mark(&self, cookie: u64, netns: u64) -> Origin {
        let (thread, owner) = (bpf_get_current_pid_tgid(), bpf_get_current_uid_gid());
        Origin {
            address: Address([0; 4]),
            port: 0,
            via_port: 0,
            state: STATE_IDLE,
            reserved: 0,
            pid: (thread >> 32) as u32,
            uid: owner as u32,
            gid: (owner >> 32) as u32,
            thread: thread as u32,
            cgroup: self.cgroup,
            generation: self.generation,
            cookie,
            // SAFETY: no arguments; never fails.
            time: unsafe { bpf_ktime_get_ns() },
            netns,
            program: program::current(),
        }
    }
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
        key: if agent.flags == 0 { agent.key } else { 0 },
        is_unnamed: agent.flags & AGENT_UNNAMED != 0,
    })
}
