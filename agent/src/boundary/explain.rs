//! A refusal of the kernel side in the words of a row.

use crate::intercept::Refused;
use interlock_common::Count;
use wire::Action;

/// What a row says of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// What the process called: `SOCKET`, `CONNECT`.
    pub verb: &'static str,
    /// What that counts as.
    pub action: Action,
    /// Stands where an operation's policies stand; nobody can write one of this name.
    pub rule: String,
    /// One sentence: what was refused, why, and what to do instead.
    pub reason: String,
}

/// Puts a refusal into words.
pub fn explain(refused: &Refused) -> Words {
    let verb = verb(refused);
    let action = if matches!(verb, "OPEN" | "BPF" | "PTRACE" | "UNSHARE" | "MOUNT") {
        Action::Admin
    } else {
        Action::Connect
    };
    let rule = format!("kernel:{}", refused.reason.name().trim_start_matches("denied_"));
    Words { verb, action, rule, reason: reason(refused) }
}

/// The row about refusals that could not be told one by one.
pub fn lost(count: u64) -> Words {
    let reason = format!(
        "{count} refusals of the kernel side came faster than they could be recorded: they were refused and counted, \
         and have no rows of their own"
    );
    let rule = format!("kernel:{}", Count::RefusalsLost.name());
    Words { verb: "REFUSALS", action: Action::Connect, rule, reason }
}

/// The row about sockets that a process has brought along.
pub fn entered(closed: usize) -> Words {
    let sockets = if closed == 1 { "socket" } else { "sockets" };
    let reason = format!(
        "closed {closed} {sockets} that the process had from elsewhere when it was moved into the cgroup: no hook has seen \
         it being made"
    );
    let rule = format!("kernel:{}", Count::ForeignSocket.name().trim_start_matches("denied_"));
    Words { verb: "ENTER", action: Action::Connect, rule, reason }
}

/// The row about letting everything go.
pub fn let_go(cgroups: usize) -> Words {
    let reason = format!(
        "an administrator let all {cgroups} governed cgroups go: their processes reach whatever they want"
    );
    Words { verb: "DETACH", action: Action::Admin, rule: "kernel:detach".to_owned(), reason }
}

fn verb(refused: &Refused) -> &'static str {
    match refused.reason {
        Count::Protocol => "SOCKET",
        Count::UnknownAgent if refused.address.is_none() => "SOCKET",
        Count::Datagram | Count::DnsBusy => "SEND",
        Count::ForeignSocket | Count::Interface | Count::Header | Count::Unredirected => "PACKET",
        Count::SocketOption => "SETSOCKOPT",
        Count::Bind => "BIND",
        Count::Device | Count::CgroupFile => "OPEN",
        Count::Family => "SOCKET",
        Count::Bpf => "BPF",
        Count::Trace => "PTRACE",
        Count::UserNamespace => "UNSHARE",
        Count::Descriptor => "RECEIVE",
        Count::Mount => "MOUNT",
        _ => "CONNECT",
    }
}

fn reason(refused: &Refused) -> String {
    let [first, second] = refused.detail;
    match refused.reason {
        Count::UnknownAgent => {
            "the process is in no governed cgroup and used a governed one's socket, or its cgroup was \
                                just being tagged"
                .to_owned()
        }
        Count::NoListener => {
            "Interlock does not listen in this network namespace or for this address family: the host \
                              agent is down, or the namespace is not served"
                .to_owned()
        }
        Count::ListenerNotOurs => {
            "the host agent is down, or another process has its port: nothing passes meanwhile".to_owned()
        }
        Count::OwnListener => {
            "the listener's own address was connected to, which is for redirected connections only".to_owned()
        }
        Count::Datagram => {
            "datagrams do not pass (UDP, QUIC), but for lookups; use TCP".to_owned()
        }
        Count::DnsBusy => {
            "a lookup from an address and port that another socket had just sent one from, which was still waiting: \
                           the client asks again"
                .to_owned()
        }
        Count::Protocol => format!(
            "sockets of {} and {} do not pass the decision: use an ordinary TCP socket",
            kind_name(first),
            protocol_name(second)
        ),
        Count::FlowsFull => {
            "too many connections were on their way to Interlock at one time: this one is closed, try again"
                .to_owned()
        }
        Count::NoMemory => "the kernel had no memory to remember where the connection goes".to_owned(),
        Count::ForeignSocket => {
            "a packet of a socket that was opened before the cgroup was governed: restart the process"
                .to_owned()
        }
        Count::Interface => format!(
            "a packet that would not stay on the loopback interface (interface {first}, {}): only connections that \
             Interlock redirects pass",
            protocol_name(second)
        ),
        Count::Header => {
            "a packet with IP options or extension headers, or of another protocol than TCP and UDP"
                .to_owned()
        }
        Count::Unredirected => "a TCP connection that no connect call has announced".to_owned(),
        Count::SocketOption => {
            format!("socket option {second} of level {first} could route packets around the decision")
        }
        Count::Bind => "the listener's port is the host agent's".to_owned(),
        Count::Device => format!("device {first}:{second} could carry traffic around the decision"),
        Count::Family
        | Count::UnixSocket
        | Count::Bpf
        | Count::Trace
        | Count::UserNamespace
        | Count::CgroupFile
        | Count::Descriptor
        | Count::Mount => security_reason(refused),
        // These are no refusals that are told.
        Count::Redirected | Count::DnsPassed | Count::DnsAnswered | Count::Local | Count::RefusalsLost | Count::ExecutionsLost => {
            refused.reason.name().to_owned()
        }
    }
}

/// What only the security hooks refuse.
fn security_reason(refused: &Refused) -> String {
    match refused.reason {
        Count::Family => {
            format!("socket family {} does not pass the decision: use TCP over IPv4 or IPv6", refused.family)
        }
        Count::UnixSocket if refused.name.is_empty() => {
            "a Unix socket without a name, which is not the agent's own".to_owned()
        }
        Count::UnixSocket => format!(
            "Unix socket `{0}` is not the agent's own: connect by TCP, or add \"{0}\" to `unix_sockets` of the agent",
            refused.name
        ),
        Count::Bpf => {
            format!(
                "bpf command {}, or a pin: governed processes leave the kernel's programs alone",
                refused.detail[0]
            )
        }
        Count::Trace => {
            "a process of another agent or of the host was to be traced, or its open files taken".to_owned()
        }
        Count::UserNamespace => "a user namespace gives rights over a network of its own".to_owned(),
        Count::CgroupFile => {
            "a control file of cgroups outside the governed one was to be written: that is the way out of it"
                .to_owned()
        }
        Count::Descriptor => {
            "a network socket that another process has made was handed over: the hooks of its maker's \
                              cgroup run for it"
                .to_owned()
        }
        Count::Mount => "file systems are mounted and unmounted outside of governed cgroups".to_owned(),
        _ => refused.reason.name().to_owned(),
    }
}

fn kind_name(kind: u32) -> String {
    match kind {
        1 => "type stream".to_owned(),
        2 => "type datagram".to_owned(),
        3 => "type raw".to_owned(),
        5 => "type seqpacket".to_owned(),
        other => format!("type {other}"),
    }
}

/// By IANA's list of protocol numbers; 262 is Linux's own for MPTCP.
fn protocol_name(protocol: u32) -> String {
    match protocol {
        0 => "no protocol that was recognised".to_owned(),
        1 => "protocol ICMP".to_owned(),
        6 => "protocol TCP".to_owned(),
        17 => "protocol UDP".to_owned(),
        33 => "protocol DCCP".to_owned(),
        58 => "protocol ICMPv6".to_owned(),
        132 => "protocol SCTP".to_owned(),
        136 => "protocol UDP-Lite".to_owned(),
        255 => "protocol raw IP".to_owned(),
        262 => "protocol MPTCP".to_owned(),
        other => format!("protocol {other}"),
    }
}
