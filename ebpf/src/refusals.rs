//! Telling the host agent what was refused, so that each refusal gets its row.
use crate::{caller::caller, counts::count, maps::REFUSALS};
use aya_ebpf::helpers::{
    bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_get_current_uid_gid, bpf_ktime_get_ns,
};
use interlock_common::{Address, Count, Origin, Refusal, UNIX_NAME_BYTES_MAX, UnixName};

/// What was attempted, as far as its hook knows.
pub struct Attempt<'a> {
    /// The address in question.
    pub address: Option<Address>,
    /// Its port, host byte order.
    pub port: u16,
    /// `AF_*` of the socket.
    pub family: u32,
    /// As in `Refusal::detail`.
    pub detail: [u32; 2],
    /// The Unix socket in question.
    pub name: Option<&'a UnixName>,
}

impl Default for Attempt<'_> {
    #[inline(always)]
    fn default() -> Self {
        Self { address: None, port: 0, family: 0, detail: [0; 2], name: None }
    }
}

/// Tells of something that the current task attempted.
#[inline(always)]
pub fn tell(reason: Count, attempt: Attempt<'_>) {
    let (cgroup, generation) = match caller() {
        Ok(caller) => (caller.cgroup, caller.generation),
        // SAFETY: no arguments; never fails.
        Err(_) => (unsafe { bpf_get_current_cgroup_id() }, 0),
    };
    let owner = bpf_get_current_uid_gid();
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    put(reason, attempt, cgroup, generation, pid, owner as u32, (owner >> 32) as u32);
}

/// Tells of something about a socket, where the current task may be anybody or can't be asked for.
#[inline(always)]
pub fn tell_of_socket(reason: Count, attempt: Attempt<'_>, socket: Option<&Origin>, cgroup: u64) {
    match socket {
        Some(it) => put(reason, attempt, it.cgroup, it.generation, it.pid, it.uid, it.gid),
        None => put(reason, attempt, cgroup, 0, 0, u32::MAX, u32::MAX),
    }
}

#[inline(always)]
fn put(reason: Count, attempt: Attempt<'_>, cgroup: u64, generation: u64, pid: u32, uid: u32, gid: u32) {
    let Some(mut place) = REFUSALS.reserve(0) else {
        return count(Count::RefusalsLost);
    };
    place.write(Refusal {
        address: attempt.address.unwrap_or(Address([0; 4])),
        // SAFETY: no arguments; never fails.
        time: unsafe { bpf_ktime_get_ns() },
        cgroup,
        generation,
        pid,
        uid,
        gid,
        reason: reason as u32,
        detail: attempt.detail,
        port: attempt.port,
        family: attempt.family as u16,
        name_len: attempt.name.map_or(0, |name| name.name_len),
        name: attempt.name.map_or([0; UNIX_NAME_BYTES_MAX], |name| name.name),
        reserved: 0,
    });
    place.submit(0);
}
