//! The keys and values of the shared maps.
use crate::{AGENT_NAME_BYTES_MAX, Address, PROGRAM_PATH_BYTES_MAX, UNIX_NAME_BYTES_MAX};

/// Value of `AGENTS`, keyed by the governed cgroup's id (`u64`). The entry is what makes a cgroup governed: it is
/// written after every hook is attached.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Agent {
    /// Differs at each tagging, so that a connection made under an earlier name is told from one made under this.
    pub generation: u64,
    /// Stands for the name in keys; never 0.
    pub key: u64,
    /// Length of the name in bytes.
    pub name_len: u8,
    /// The agent's name in UTF-8, then zeros.
    pub name: [u8; AGENT_NAME_BYTES_MAX],
    /// `AGENT_*` flags.
    pub flags: u64,
}

impl Agent {
    /// Length and name, in words that can be compared one by one.
    #[inline(always)]
    pub const fn name_words(&self) -> &[u64; 8] {
        // SAFETY: the 64 bytes behind the key, aligned as it is (the assertions below), all initialised.
        unsafe { &*(&raw const self.name_len).cast() }
    }
}

/// Value of `LISTENERS`, keyed by network namespace cookie (`u64`).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Listener {
    /// Where native IPv6 connections go.
    pub address6: Address,
    /// Where IPv4 and v4-mapped connections go: a mapped address.
    pub address4: Address,
    /// Port of `address6`, host byte order; 0 = no IPv6 listener, such connections are refused.
    pub port6: u16,
    /// Port of `address4`, host byte order; 0 = none.
    pub port4: u16,
}

/// Value of `SOCKETS` (of a governed process's socket, from its making on), `FLOWS` and `ORIGINS` (of the accepted
/// socket): who made the socket or its connection, and where a connection wanted to go.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The destination the caller named; zeros until `connect`.
    pub address: Address,
    /// Its port, host byte order.
    pub port: u16,
    /// The port that packets go to in its place, host byte order: the listener's, or that of the agent's own server.
    /// 0 until `connect`.
    pub via_port: u16,
    /// `STATE_*`.
    pub state: u16,
    /// Always 0.
    pub reserved: u16,
    /// Process id of the caller (thread group), in the initial pid namespace.
    pub pid: u32,
    /// User id of the caller, in the initial user namespace.
    pub uid: u32,
    /// Group id of the caller, in the initial user namespace.
    pub gid: u32,
    /// Thread id of the caller.
    pub thread: u32,
    /// Id of the governed cgroup the caller is in or below: the nearest one.
    pub cgroup: u64,
    /// [`Agent::generation`] at the time.
    pub generation: u64,
    /// Cookie of the caller's socket, unique on this host until it restarts.
    pub cookie: u64,
    /// Monotonic time of the call, in nanoseconds since boot.
    pub time: u64,
    /// Cookie of the socket's network namespace.
    pub netns: u64,
    /// The program that the caller runs; zeros where it can't be told.
    pub program: Program,
}

/// A file as the kernel knows it, for as long as its inode exists: not what `stat` says on every file system.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Program {
    /// Its inode number; 0 = none.
    pub inode: u64,
    /// The device number of its file system (`s_dev`).
    pub device: u32,
    /// Always 0.
    pub reserved: u32,
}

/// Record of `EXECUTED`: a governed process has begun to run a program.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Executed {
    /// The program.
    pub program: Program,
    /// Process id, in the initial pid namespace.
    pub pid: u32,
    /// Bytes of `path` that count.
    pub path_len: u32,
    /// Its path as it was given to `execve`.
    pub path: [u8; PROGRAM_PATH_BYTES_MAX],
}

/// Value of `DATAGRAMS`, keyed by the two ends ([`FlowKey`]): who sends datagrams to the host agent from there.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Datagrams {
    /// The sender.
    pub origin: Origin,
    /// How often the packet hook has seen one of its datagrams: once for each governed cgroup above the sender.
    pub seen: u64,
    /// How many governed cgroups there are above the sender.
    pub levels: u64,
    /// When it has sent the last one, monotonic, in nanoseconds since boot.
    pub time: u64,
}

/// Value of `TAKEN`, with the same key: how many of those the host agent has taken.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Cookie of the socket that sent them.
    pub cookie: u64,
    /// How many.
    pub taken: u64,
}

/// Record of `ENTERED`: a process was moved into a governed cgroup, or into one below.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Entered {
    /// Id of the governed cgroup, the nearest one.
    pub cgroup: u64,
    /// Process id, in the initial pid namespace.
    pub pid: u32,
    /// Always 0.
    pub reserved: u32,
}

/// Record of `CLOSED`: a connection that was redirected has ended, with what the kernel counted at the agent's end.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Closed {
    /// Cookie of the agent's socket.
    pub cookie: u64,
    /// What the other end has acknowledged: bytes, one for the SYN, and perhaps one for the FIN.
    pub acknowledged: u64,
    /// What has arrived: bytes, and perhaps one for the FIN.
    pub received: u64,
}

/// Key of `FLOWS`, and of `DATAGRAMS` and `TAKEN`: the ends of an agent's socket and of the listener.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FlowKey {
    /// Cookie of the network namespace: two of them may use the same addresses and ports.
    pub netns: u64,
    /// The agent's end.
    pub client: Address,
    /// The listener's end.
    pub listener: Address,
    /// Port of the agent's end, host byte order.
    pub client_port: u32,
    /// Port of the listener's end, host byte order.
    pub listener_port: u32,
}

/// Record of `REFUSALS`: one thing that a governed process was not allowed to do.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// The address in question; zeros if there is none.
    pub address: Address,
    /// Monotonic time, in nanoseconds since boot.
    pub time: u64,
    /// Id of the governed cgroup; if `generation` is 0, of the caller's own or the socket's, whether governed or not.
    pub cgroup: u64,
    /// [`Agent::generation`] at the time; 0 if no governed cgroup was found.
    pub generation: u64,
    /// Process id (thread group) of the caller, or of who made the socket; 0 if unknown.
    pub pid: u32,
    /// Its user id, in the initial user namespace.
    pub uid: u32,
    /// Its group id, in the initial user namespace.
    pub gid: u32,
    /// [`Count`](crate::Count) as a number: why.
    pub reason: u32,
    /// By reason: the socket's type and protocol; level and name of a socket option; major and minor number of a
    /// device; interface and protocol of a packet.
    pub detail: [u32; 2],
    /// The port in question, host byte order.
    pub port: u16,
    /// `AF_*` of the socket; 0 if unknown.
    pub family: u16,
    /// Bytes of `name` that count.
    pub name_len: u32,
    /// The name of a Unix socket in question: a path, or a zero byte and an abstract name.
    pub name: [u8; UNIX_NAME_BYTES_MAX],
    /// Always 0.
    pub reserved: u32,
}

/// Key of `UNIX_ALLOWED`: a Unix socket that an agent may connect to, by the name that its server has bound.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct UnixName {
    /// [`Agent::key`] of the agent; 0 = every agent.
    pub agent: u64,
    /// Bytes of `name` that count.
    pub name_len: u32,
    /// As in [`Refusal::name`], then zeros.
    pub name: [u8; UNIX_NAME_BYTES_MAX],
}

/// The one element of `LAYOUT`: where the running kernel keeps what the security hooks read, as offsets in bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// `unix_sock.addr`
    pub unix_addr: u32,
    /// `unix_address.len`
    pub unix_address_len: u32,
    /// `unix_address.name`
    pub unix_address_name: u32,
    /// `task_struct.cgroups`
    pub task_cgroups: u32,
    /// `css_set.dfl_cgrp`
    pub css_set_cgroup: u32,
    /// `cgroup.kn`
    pub cgroup_node: u32,
    /// `kernfs_node.id`
    pub node_id: u32,
    /// `kernfs_node.parent`, in newer kernels `__parent`
    pub node_parent: u32,
    /// `file.f_inode`
    pub file_inode: u32,
    /// `file.f_mode`
    pub file_mode: u32,
    /// `file.private_data`
    pub file_private: u32,
    /// `inode.i_mode`
    pub inode_mode: u32,
    /// `inode.i_sb`
    pub inode_super: u32,
    /// `inode.i_private`
    pub inode_private: u32,
    /// `super_block.s_magic`
    pub super_magic: u32,
    /// `sock_common.skc_family`, which is at the start of `sock`
    pub sock_family: u32,
    /// `sock.sk_cgrp_data`, which starts with a pointer to the cgroup
    pub sock_cgroup: u32,
    /// `dentry.d_sb`
    pub dentry_super: u32,
    /// `task_struct.mm`
    pub task_mm: u32,
    /// `mm_struct.exe_file`
    pub mm_program: u32,
    /// `inode.i_ino`
    pub inode_number: u32,
    /// `super_block.s_dev`
    pub super_device: u32,
    /// `linux_binprm.filename`
    pub execution_path: u32,
    /// `task_struct.tgid`
    pub task_process: u32,
}

/// The one element of `CONFIG`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// `CONFIG_*` flags.
    pub flags: u32,
    /// Always 0.
    pub reserved: u32,
    /// How many of the lost refusals have been recorded: the host agent's own note, kept over restarts.
    pub lost_told: u64,
}

// SAFETY: `repr(C)` integers and arrays of them, without padding (the sizes below are the sums of the fields), for
// which every bit pattern is a value.
#[cfg(feature = "user")]
mod pod {
    //! Marks the records as plain old data for aya.
    use super::{Closed, Entered, Executed, Refusal};

    impl Refusal {
        /// Reads one out of the ring buffer; `None` if it is of another size.
        pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
            // SAFETY: the size is that of the record, for which every bit pattern is a value; no alignment is assumed.
            (bytes.len() == size_of::<Self>())
                .then(|| unsafe { bytes.as_ptr().cast::<Self>().read_unaligned() })
        }
    }

    impl Entered {
        /// Reads one out of the ring buffer; `None` if it is of another size.
        pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
            // SAFETY: as above.
            (bytes.len() == size_of::<Self>())
                .then(|| unsafe { bytes.as_ptr().cast::<Self>().read_unaligned() })
        }
    }

    impl Closed {
        /// Reads one out of the ring buffer; `None` if it is of another size.
        pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
            // SAFETY: as above.
            (bytes.len() == size_of::<Self>())
                .then(|| unsafe { bytes.as_ptr().cast::<Self>().read_unaligned() })
        }
    }

    impl Executed {
        /// Reads one out of the ring buffer; `None` if it is of another size.
        pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
            // SAFETY: as above.
            (bytes.len() == size_of::<Self>())
                .then(|| unsafe { bytes.as_ptr().cast::<Self>().read_unaligned() })
        }
    }

    unsafe impl aya::Pod for super::Agent {}
    unsafe impl aya::Pod for super::Listener {}
    unsafe impl aya::Pod for super::Origin {}
    unsafe impl aya::Pod for super::FlowKey {}
    unsafe impl aya::Pod for super::Datagrams {}
    unsafe impl aya::Pod for super::Taken {}
    unsafe impl aya::Pod for super::Refusal {}
    unsafe impl aya::Pod for super::UnixName {}
    unsafe impl aya::Pod for super::Layout {}
    unsafe impl aya::Pod for super::Config {}
}

const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<Agent>() == 88 && align_of::<Agent>() == 8);
    assert!(offset_of!(Agent, name_len) == 16 && offset_of!(Agent, name) == 17);
    assert!(size_of::<Listener>() == 36 && align_of::<Listener>() == 4);
    assert!(offset_of!(Listener, address4) == 16 && offset_of!(Listener, port6) == 32);
    assert!(size_of::<Origin>() == 96 && align_of::<Origin>() == 8);
    assert!(size_of::<Closed>() == 24 && size_of::<Entered>() == 16);
    assert!(size_of::<Executed>() == 24 + PROGRAM_PATH_BYTES_MAX && size_of::<Program>() == 16);
    assert!(size_of::<Datagrams>() == 120 && size_of::<Taken>() == 16);
    assert!(
        offset_of!(Origin, port) == 16 && offset_of!(Origin, pid) == 24 && offset_of!(Origin, thread) == 36
    );
    assert!(offset_of!(Origin, cgroup) == 40 && offset_of!(Origin, time) == 64);
    assert!(size_of::<FlowKey>() == 48 && align_of::<FlowKey>() == 8);
    assert!(offset_of!(FlowKey, listener) == 24 && offset_of!(FlowKey, client_port) == 40);
    assert!(size_of::<Refusal>() == 184 && align_of::<Refusal>() == 8);
    assert!(offset_of!(Refusal, time) == 16 && offset_of!(Refusal, pid) == 40);
    assert!(offset_of!(Refusal, detail) == 56 && offset_of!(Refusal, port) == 64);
    assert!(offset_of!(Refusal, name) == 72);
    assert!(size_of::<UnixName>() == 120 && offset_of!(UnixName, name) == 12);
    assert!(size_of::<Layout>() == 96);
    assert!(size_of::<Config>() == 16);
};
