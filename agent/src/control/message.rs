//! What is said over the control socket: requests, replies and failures.

use crate::intercept::Check;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

/// Version of the protocol. Grows when a message changes its meaning; new optional fields don't count.
pub const VERSION: u32 = 1;
/// Bytes of the longest request line.
pub const REQUEST_BYTES_MAX: usize = 64 << 10;
/// Bytes of the longest reply line: a row with its longest statement, every byte escaped, fits well.
pub const REPLY_BYTES_MAX: usize = 32 << 20;

/// One request line.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// [`VERSION`] of the client.
    pub version: u32,
    /// What is asked.
    pub request: Request,
}

/// What can be asked.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How the daemon is. Answered by [`Reply::Status`].
    Status,
    /// Which agents there are and where. Answered by [`Reply::Agents`].
    Agents,
    /// Govern an existing cgroup as an agent. Answered by [`Reply::Tagged`].
    Tag {
        /// The agent, as configured.
        agent: String,
        /// The cgroup.
        place: Place,
    },
    /// Stop governing a cgroup. Answered by [`Reply::Untagged`].
    Untag {
        /// The cgroup.
        place: Place,
    },
    /// Make a fresh governed cgroup for a command. Answered by [`Reply::Prepared`]. The cgroup is kept while this connection
    /// is open or a process is in it.
    Prepare(Prepare),
    /// Make every finished row visible to readers of the spool. Answered by [`Reply::Flushed`].
    Flush,
    /// Send rows as they come. Answered by any number of [`Reply::Row`] and [`Reply::Missed`], then [`Reply::End`] when the
    /// daemon stops. Ends when the client sends anything or hangs up.
    Tail {
        /// Which rows, in the form of the audit filter; `null` for all.
        filter: serde_json::Value,
    },
    /// Read configuration and policies again. Answered by [`Reply::Reloaded`].
    Reload,
    /// What only the daemon can check. Answered by [`Reply::Checks`].
    Doctor,
}

/// What `interlock exec` needs.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// The agent, as configured.
    pub agent: String,
    /// The task that rows of the command carry.
    #[serde(default)]
    pub task: Option<String>,
}

/// A cgroup, named directly or by a process in it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Its directory, or its path from the root of the hierarchy.
    Cgroup(PathBuf),
    /// The cgroup this process is in.
    Pid(u32),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cgroup(path) => write!(f, "cgroup `{}`", path.display()),
            Self::Pid(pid) => write!(f, "the cgroup of process {pid}"),
        }
    }
}

/// One reply line.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Answer {
    /// [`VERSION`] of the daemon.
    pub version: u32,
    /// The reply, or why there is none.
    pub result: Outcome,
}

/// A reply or a failure.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Ok(Reply),
    /// It was not.
    Error(Failure),
}

/// What is answered.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Agents`].
    Agents(Vec<AgentStatus>),
    /// To [`Request::Tag`].
    Tagged(Tagged),
    /// To [`Request::Untag`].
    Untagged(Tagged),
    /// To [`Request::Prepare`].
    Prepared(Prepared),
    /// To [`Request::Flush`].
    Flushed,
    /// To [`Request::Tail`]: one audit row, as the spool's JSON.
    Row(serde_json::Value),
    /// To [`Request::Tail`]: so many rows were left out because the reader was too slow.
    Missed(u64),
    /// To [`Request::Tail`]: no more rows will come.
    End,
    /// To [`Request::Reload`].
    Reloaded(Reloaded),
    /// To [`Request::Doctor`].
    Checks(Vec<Check>),
}

/// Why a request was not done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The kind, for programs.
    pub code: Code,
    /// One sentence, for people: what happened and what to do.
    pub message: String,
}

impl Failure {
    /// A failure of that kind.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Kinds of failures.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The request can't be understood, is too long or came too slowly.
    BadRequest,
    /// There are too many clients.
    Busy,
    /// It was tried and failed.
    Failed,
    /// The client may not ask.
    NotAllowed,
    /// It can't be done on this host or in this state, such as governing without the kernel side.
    Unavailable,
    /// No such agent is configured.
    UnknownAgent,
    /// No such cgroup or process.
    UnknownPlace,
    /// Client and daemon are of different versions.
    WrongVersion,
}

/// How the daemon is.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Status {
    /// Version of the daemon.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// When it was started, RFC 3339.
    pub started: String,
    /// The configuration in force.
    pub config: ConfigStatus,
    /// The policies in force.
    pub policies: PolicyStatus,
    /// How connections reach the daemon.
    pub boundaries: Vec<Boundary>,
    /// The kernel side.
    pub kernel: KernelStatus,
    /// Sessions.
    pub sessions: SessionStatus,
    /// Operations since the start by verdict, such as `forward` and `deny`.
    pub operations: BTreeMap<String, u64>,
    /// The audit spool.
    pub spool: SpoolStatus,
    /// Where rows are shipped; none is configured otherwise.
    pub sink: Option<SinkStatus>,
}

/// The configuration in force.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct ConfigStatus {
    /// The file.
    pub path: PathBuf,
    /// When what is in force was read, RFC 3339.
    pub loaded: String,
    /// Why the last reload failed; what was in force before still is.
    pub error: Option<String>,
    /// Keys whose new value waits for a restart.
    pub restart_needed: Vec<String>,
}

/// The policies in force.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct PolicyStatus {
    /// Counts up with every reload that took effect.
    pub generation: u64,
    /// How many policies.
    pub count: usize,
    /// When they were read, RFC 3339.
    pub loaded: String,
    /// Why the last reload failed; the policies before still hold.
    pub error: Option<String>,
    /// Warnings about the policies in force.
    pub warnings: Vec<String>,
}

/// One way for connections to reach the daemon.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Boundary {
    /// What it is worth.
    pub kind: BoundaryKind,
    /// Where the daemon listens.
    pub address: String,
    /// The agent of an explicit listener.
    #[serde(default)]
    pub agent: Option<String>,
    /// The target of an explicit listener.
    #[serde(default)]
    pub target: Option<String>,
}

/// What a way to the daemon is worth.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoundaryKind {
    /// The kernel takes every connection of governed cgroups.
    Transparent,
    /// Clients are pointed at a listener by hand.
    Explicit,
}

impl fmt::Display for BoundaryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transparent => "transparent",
            Self::Explicit => "explicit listener: not transparent, not a boundary",
        })
    }
}

/// The kernel side.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct KernelStatus {
    /// Why it is not loaded, in one line.
    pub unavailable: Option<String>,
    /// Cgroups that are governed.
    pub governed: usize,
    /// What the programs refused, by reason.
    pub refused: BTreeMap<String, u64>,
}

/// Sessions.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct SessionStatus {
    /// Open now.
    pub open: u64,
    /// Since the start.
    pub total: u64,
}

/// The audit spool.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct SpoolStatus {
    /// Rows that are kept.
    pub rows: u64,
    /// Rows that wait for a sink.
    pub waiting: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// When the oldest waiting row was asked, RFC 3339.
    pub oldest_waiting: Option<String>,
    /// Why rows can't be written; operations are refused meanwhile.
    pub error: Option<String>,
}

/// A sink.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct SinkStatus {
    /// Its name and address, without credentials.
    pub name: String,
    /// In a word or two: `connected`, `waiting to retry`.
    pub state: String,
    /// Whether rows get there.
    pub healthy: bool,
    /// Rows shipped since the start.
    pub shipped: u64,
    /// The last error, if it still holds.
    pub error: Option<String>,
    /// When it is tried again, RFC 3339.
    pub retry_at: Option<String>,
}

/// An agent and its cgroups.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct AgentStatus {
    /// Its name.
    pub name: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// Whether it is in the configuration in force. One that is not keeps its cgroups closed: everything is refused.
    pub configured: bool,
    /// Where it is.
    pub cgroups: Vec<GovernedStatus>,
    /// Its open sessions.
    pub sessions: u64,
}

/// A governed cgroup.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct GovernedStatus {
    /// Path from the root of the hierarchy; none when it was removed.
    pub path: Option<PathBuf>,
    /// The kernel's id of it.
    pub id: u64,
    /// How it came to be governed: `exec`, `tag`, `glob`.
    pub origin: String,
    /// The task given to `exec`.
    pub task: Option<String>,
    /// Processes in it and below.
    pub processes: u64,
}

/// A cgroup that is governed now, or no more.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Tagged {
    /// The agent.
    pub agent: String,
    /// Path from the root of the hierarchy.
    pub cgroup: PathBuf,
    /// What the caller should know, such as connections that were open before and stay ungoverned.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A fresh governed cgroup.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Prepared {
    /// The agent.
    pub agent: String,
    /// Its directory, to whose `cgroup.procs` the caller writes itself.
    pub directory: PathBuf,
    /// Whether the command may make Unix sockets: the kernel tells whom they reach, or the configuration allows the agent some.
    pub unix_sockets: bool,
}

/// What a reload did.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Reloaded {
    /// The policies' generation now.
    pub generation: u64,
    /// What changed, in one line.
    pub changes: String,
    /// Keys whose new value waits for a restart.
    pub restart_needed: Vec<String>,
}

/// A time as messages carry it: RFC 3339 in UTC, to the second.
pub fn time(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at)
        .map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
