//! The contract between the kernel programs and the host agent: what the shared maps hold, byte for byte.
//!
//! Every struct is `repr(C)` without hidden padding, so that both sides, built by different compilers for different
//! targets, agree on it; the assertions at the end of each file hold that. Whoever changes a layout raises [`SCHEMA`].
#![no_std]

mod address;
mod count;
mod records;

pub use address::Address;
pub use count::Count;
pub use records::{
    Agent, Closed, Config, Datagrams, Entered, Executed, FlowKey, Layout, Listener, Origin, Program, Refusal,
    Taken, UnixName,
};

/// Version of the map layouts. Pinned maps live in a directory of this name, so that a newer host agent never reads
/// what an older one wrote in another layout.
pub const SCHEMA: u32 = 3;

/// Agent names are kept in the kernel so that they survive a restart of the host agent; longer ones are refused.
pub const AGENT_NAME_BYTES_MAX: usize = 63;

/// How many cgroups one host agent can govern.
pub const AGENTS_MAX: usize = 4096;

/// How many network namespaces can have a listener of ours.
pub const LISTENERS_MAX: usize = 1024;

/// How many connections can be on their way from `connect` to `accept` at one time. A connection that finds the
/// table full reaches the proxy without an origin and is closed there.
pub const FLOWS_MAX: usize = 65_536;

/// How many ends of governed sockets can have lookups on their way to the host agent at one time. Older ones make room: a
/// lookup that is still waiting then is not answered, or taken for that of the next sender from the same address and port.
pub const DATAGRAMS_MAX: usize = 65_536;

/// How deep below the root of the cgroup hierarchy a governed cgroup is looked for, in levels. A process deeper than
/// that, whose governed ancestor lies deeper too, is refused.
pub const CGROUP_LEVELS_MAX: i32 = 32;

/// How many devices can be forbidden to governed processes.
pub const DEVICES_MAX: usize = 64;

/// How many Unix sockets can be allowed to agents, each agent's counted by itself.
pub const UNIX_ALLOWED_MAX: usize = 4096;

/// The longest name of a Unix socket, in bytes (`UNIX_PATH_MAX`).
pub const UNIX_NAME_BYTES_MAX: usize = 108;

/// The longest path of a program that is told, in bytes; of a longer one, so much.
pub const PROGRAM_PATH_BYTES_MAX: usize = 256;

/// Bytes of executions that can wait for the host agent: some 900 of them.
pub const EXECUTED_BYTES: usize = 256 * 1024;

/// Bytes of ended connections that can wait for the host agent: some 8,000 of them.
pub const CLOSED_BYTES: usize = 256 * 1024;

/// Bytes of processes that entered that can wait for the host agent: some 2,000 of them.
pub const ENTERED_BYTES: usize = 64 * 1024;

/// Offset of `sk` in `struct socket`. The verifier follows a pointer only by an offset that is written in the program;
/// the host agent compares this one with the running kernel's before it loads what uses it.
pub const SOCKET_SK_OFFSET: usize = 24;

/// Bytes of refusals that can wait for the host agent: some 1,300 of them. Those that find no room are only counted.
pub const REFUSALS_BYTES: usize = 256 * 1024;

/// [`Agent::flags`]: the cgroup is inside another agent's. What bears its name elsewhere is another agent's to the kernel: only the
/// host agent knows what both may do.
pub const AGENT_INSIDE: u64 = 1;

/// [`Agent::flags`]: it stands for whatever has no name yet, and is no agent: its processes are nothing to each other.
pub const AGENT_UNNAMED: u64 = 2;

/// [`Config::flags`]: datagrams to port 53 pass.
pub const CONFIG_DNS_PASSES: u32 = 1;

/// [`Config::flags`]: datagrams to port 53 go to the host agent, which answers them. With neither flag every datagram of a
/// governed process is refused.
pub const CONFIG_DNS_ANSWERED: u32 = 2;

/// How long a datagram can wait to be taken before it counts as lost, in nanoseconds: until then no other socket may send
/// from the same address and port, so that nobody's lookup is taken for another's.
pub const DATAGRAM_AGE_MAX: u64 = 20_000_000_000;

/// [`Origin::state`]: nothing under way on this socket.
pub const STATE_IDLE: u16 = 0;

/// [`Origin::state`]: a connect hook has redirected the call that is in progress, and no SYN has left yet.
pub const STATE_PENDING: u16 = 1;

/// The key of a character device in `DEVICES`.
#[inline(always)]
pub const fn device_key(major: u32, minor: u32) -> u64 {
    (major as u64) << 32 | minor as u64
}
