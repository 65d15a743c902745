//! What can go wrong between us and the kernel.
use crate::cgroup::{CgroupError, CgroupId};
use std::{io, path::PathBuf};

/// Why the kernel side can't work here at all, in one line.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// Built without the kernel programs.
    #[error("this binary was built without the kernel programs: run `cargo xtask ebpf` and build again")]
    Stub,
    /// Not root.
    #[error("not root: loading kernel programs needs root (or CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN)")]
    NotRoot,
    /// The kernel refuses `bpf(2)`.
    #[error("the kernel does not let us use bpf ({0}): a container without CAP_BPF, or a kernel without it")]
    NoBpf(io::Error),
    /// No cgroup v2.
    #[error(transparent)]
    NoCgroup(#[from] CgroupError),
    /// An old kernel.
    #[error("kernel {0} is too old: interception needs 5.15 or newer")]
    Kernel(String),
}

/// An error of the kernel side; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// It can't work here.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A cgroup is not there, or can't be used.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// Another host agent works with this directory.
    #[error(
        "`{0}` is in use by another host agent: stop it, or give this one a directory of its own (`paths.bpf`)"
    )]
    InUse(PathBuf),
    /// The directory for pins can't be used.
    #[error("can't {what} `{path}`")]
    Pins {
        /// A verb.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The pins were left by another version, in another layout.
    #[error(
        "`{path}` holds the kernel state of another version of the host agent: let its agents go by `interlock detach \
         --all`, or restart the host"
    )]
    OtherSchema {
        /// The directory of the other layout.
        path: PathBuf,
    },
    /// The kernel refused a program or a map.
    #[error("the kernel refused to load `{name}`: {reason}")]
    Load {
        /// Program or map.
        name: String,
        /// What the kernel, or its verifier, said.
        reason: String,
    },
    /// A program can't be attached.
    #[error("can't attach `{hook}` to cgroup `{cgroup}`: {source}{hint}")]
    Attach {
        /// The program.
        hook: &'static str,
        /// Where.
        cgroup: String,
        /// The reason.
        source: io::Error,
        /// What to do about it, if that is known.
        hint: &'static str,
    },
    /// A map operation failed.
    #[error("can't {what} the kernel's table `{map}`: {reason}")]
    Map {
        /// A verb.
        what: &'static str,
        /// The map.
        map: &'static str,
        /// The reason.
        reason: String,
    },
    /// A bad agent name.
    #[error("`{0}` is not an agent name: give 1 to 63 bytes without control characters")]
    Name(String),
    /// The cgroup would contain the host agent, or everything.
    #[error("cgroup `{0}` can't be governed: {1}")]
    NotGovernable(String, &'static str),
    /// It is governed already, under another name.
    #[error("cgroup `{cgroup}` is governed already, as agent `{agent}`: untag it first")]
    AlreadyGoverned {
        /// The cgroup.
        cgroup: String,
        /// Its agent.
        agent: String,
    },
    /// No such governed cgroup.
    #[error("cgroup {0} is not governed")]
    NotGoverned(CgroupId),
    /// A listener that does not fit its sockets.
    #[error("no listening socket was given for the address `{0}`")]
    NoSocket(std::net::SocketAddr),
    /// A system call on a listening socket failed.
    #[error("can't use the listening socket")]
    Socket(#[source] io::Error),
}

/// Why an accepted connection has no origin: close it.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// A process that is not governed connected to the listener itself, or the origin was lost.
    #[error("the connection was not redirected: it was made to the listener itself")]
    NotRedirected,
    /// The agent was untagged, or tagged anew, since.
    #[error("cgroup {0} is not governed any more, or under another name")]
    Released(CgroupId),
    /// The kernel would not say.
    #[error("can't read the origin of a connection: {0}")]
    System(String),
}
