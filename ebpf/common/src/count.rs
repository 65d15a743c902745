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
}

impl Count {
    /// How many counters there are.
    pub const LEN: usize = 10;

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
    ];

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
