//! What the kernel programs count: redirections, and refusals by their reason.

/// Index into the `COUNTS` map, one 64-bit counter per CPU each. The numbers are part of the contract: new ones are
/// added at the end.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// A TCP connection was sent to the listener.
    Redirected = 0,
    /// A datagram socket was let through to port 53.
    DnsPassed = 1,
    /// The caller is in no cgroup we know: it was handed a socket of a governed one, or the tagging is not finished.
    UnknownAgent = 2,
    /// This network namespace, or this address family, has no listener.
    NoListener = 3,
    /// What listens on the listener's address is not the host agent: it is dead, or somebody took its port.
    ListenerNotOurs = 4,
    /// The caller connected to the listener's own address.
    OwnListener = 5,
    /// A datagram to another port than 53, or DNS where it may not pass.
    Datagram = 6,
    /// A socket of a kind that could not be redirected: raw, ping, MPTCP, SCTP, DCCP, UDP-Lite and so on.
    Protocol = 7,
    /// The kernel had no memory for the connection's origin.
    NoMemory = 8,
    /// The table of connections under way is full: this one reaches the proxy without an origin and is closed there.
    FlowsFull = 9,
    /// A TCP connection to a server of the same agent on this host's loopback went straight there.
    Local = 10,
    /// A packet of a socket that no hook saw being made: it is from before the cgroup was governed.
    ForeignSocket = 11,
    /// A packet that would leave by, or came by, another interface than the loopback one, or that another address than
    /// a loopback one is at the end of.
    Interface = 12,
    /// A packet with IPv4 options or IPv6 extension headers (which can route it elsewhere), or of another protocol than
    /// TCP and UDP.
    Header = 13,
    /// The first packet of a TCP connection that no connect hook has sent where it goes.
    Unredirected = 14,
    /// A socket option that could route packets around us, or hand the connection to another protocol.
    SocketOption = 15,
    /// A bind to the listener's port.
    Bind = 16,
    /// A device that packets or virtual machines could be made with: tun, vhost, kvm, vsock.
    Device = 17,
    /// A refusal that found no room to be told to the host agent: it has no row of its own.
    RefusalsLost = 18,
    /// A socket of another family than Unix, IPv4, IPv6 and routing netlink.
    Family = 19,
    /// A Unix socket of somebody else that the agent's configuration does not allow.
    UnixSocket = 20,
    /// `bpf(2)`.
    Bpf = 21,
    /// Looking into a process of somebody else, or taking its descriptors.
    Trace = 22,
    /// A user namespace.
    UserNamespace = 23,
    /// Writing to a control file of cgroups outside the governed one.
    CgroupFile = 24,
    /// An IPv4 or IPv6 socket that somebody else made, handed over by a Unix socket.
    Descriptor = 25,
    /// Mounting or unmounting: networks can be mounted, and what holds the boundary unmounted.
    Mount = 26,
    /// A lookup was sent to the host agent, which answers it.
    DnsAnswered = 27,
    /// A lookup from an address and port that another socket sent one from just now, which has not been taken yet.
    DnsBusy = 28,
    /// A program that began to run found no room to be told to the host agent.
    ExecutionsLost = 29,
}

impl Count {
    /// How many counters there are.
    pub const LEN: usize = 30;

    /// All of them, in the order of their numbers.
    pub const ALL: [Self; Self::LEN] = [
        Self::Redirected,
        Self::DnsPassed,
        Self::UnknownAgent,
        Self::NoListener,
        Self::ListenerNotOurs,
        Self::OwnListener,
        Self::Datagram,
        Self::Protocol,
        Self::NoMemory,
        Self::FlowsFull,
        Self::Local,
        Self::ForeignSocket,
        Self::Interface,
        Self::Header,
        Self::Unredirected,
        Self::SocketOption,
        Self::Bind,
        Self::Device,
        Self::RefusalsLost,
        Self::Family,
        Self::UnixSocket,
        Self::Bpf,
        Self::Trace,
        Self::UserNamespace,
        Self::CgroupFile,
        Self::Descriptor,
        Self::Mount,
        Self::DnsAnswered,
        Self::DnsBusy,
        Self::ExecutionsLost,
    ];

    /// The counter of a number; `None` if there is none of this number.
    pub fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|count| *count as u32 == number)
    }

    /// The name in metrics and in `status`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redirected => "redirected",
            Self::DnsPassed => "dns_passed",
            Self::UnknownAgent => "denied_unknown_agent",
            Self::NoListener => "denied_no_listener",
            Self::ListenerNotOurs => "denied_listener_not_ours",
            Self::OwnListener => "denied_own_listener",
            Self::Datagram => "denied_datagram",
            Self::Protocol => "denied_protocol",
            Self::NoMemory => "denied_no_memory",
            Self::FlowsFull => "denied_flows_full",
            Self::Local => "local",
            Self::ForeignSocket => "denied_foreign_socket",
            Self::Interface => "denied_interface",
            Self::Header => "denied_header",
            Self::Unredirected => "denied_unredirected",
            Self::SocketOption => "denied_socket_option",
            Self::Bind => "denied_bind",
            Self::Device => "denied_device",
            Self::RefusalsLost => "refusals_lost",
            Self::Family => "denied_family",
            Self::UnixSocket => "denied_unix_socket",
            Self::Bpf => "denied_bpf",
            Self::Trace => "denied_trace",
            Self::UserNamespace => "denied_user_namespace",
            Self::CgroupFile => "denied_cgroup_file",
            Self::Descriptor => "denied_descriptor",
            Self::Mount => "denied_mount",
            Self::DnsAnswered => "dns_answered",
            Self::DnsBusy => "denied_dns_busy",
            Self::ExecutionsLost => "executions_lost",
        }
    }
}

const _: () = {
    let mut index = 0;
    while index < Count::LEN {
        assert!(Count::ALL[index] as usize == index);
        index += 1;
    }
};
