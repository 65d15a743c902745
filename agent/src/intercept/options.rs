//! How to open the kernel side, and where it sends connections.
use super::{pins::Paths, placement::Placement};
use interlock_common::{CONFIG_DNS_ANSWERED, CONFIG_DNS_PASSES, FLOWS_MAX};
use std::net::{SocketAddrV4, SocketAddrV6};

/// How to open the kernel side.
#[derive(Clone, Debug)]
pub struct KernelOptions {
    /// Where pins and our own cgroup are.
    pub paths: Paths,
    /// Which cgroup this process's listening sockets are made in.
    pub placement: Placement,
    /// What becomes of governed processes' datagrams to port 53. All others are refused in any case.
    pub dns: Lookups,
    /// How many connections can be on their way from `connect` to `accept` at one time (half open). One that finds no
    /// room arrives without an origin. Counts when the pins are made, not when they are adopted.
    pub flows_max: u32,
    /// The listening sockets that are going to be published are those of the host agent before, which were handed over.
    pub inherits: bool,
    /// Whether the security hooks are attached, where the kernel has them.
    pub security: bool,
    /// Unix sockets of others that agents may connect to: an agent's name, and a path or `@` and an abstract name.
    pub unix_sockets: Vec<(String, String)>,
}

impl Default for KernelOptions {
    fn default() -> Self {
        Self {
            paths: Paths::default(),
            placement: Placement::default(),
            dns: Lookups::Pass,
            flows_max: FLOWS_MAX as u32,
            inherits: false,
            security: true,
            unix_sockets: Vec::new(),
        }
    }
}

/// What becomes of datagrams to port 53.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookups {
    /// They go to the published sockets of the listener's address and port, by UDP; [`Kernel::asker`](super::Kernel::asker)
    /// says who sent one.
    Answered,
    /// They go where they want to.
    Pass,
    /// They are refused.
    Refused,
}

impl Lookups {
    /// As the programs read it.
    pub(super) const fn flags(self) -> u32 {
        match self {
            Self::Answered => CONFIG_DNS_ANSWERED,
            Self::Pass => CONFIG_DNS_PASSES,
            Self::Refused => 0,
        }
    }
}

/// Where redirected connections go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// For IPv4, also as `::ffff:a.b.c.d`: a loopback address.
    pub v4: SocketAddrV4,
    /// For IPv6: a loopback address. Without it such connections are refused.
    pub v6: Option<SocketAddrV6>,
}
