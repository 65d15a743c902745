//! The command line's side of the control socket. Blocking: a command asks one thing and waits.

use super::message::{
    AgentStatus, Answer, Call, Failure, Outcome, Place, Prepare, Prepared, REPLY_BYTES_MAX, Reloaded, Reply,
    Request, Status, Tagged, VERSION,
};
use crate::intercept::Check;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use serde::Deserialize;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the daemon may take to answer; more than it gives itself.
const ANSWER: Duration = Duration::from_secs(90);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no daemon.
    #[error("the interlock daemon is not running (no answer at `{}`); start it with `interlock serve`", .0.display())]
    NotRunning(PathBuf),
    /// The socket is not ours to open.
    #[error("`{}` can't be opened: permission denied; run this as root", .0.display())]
    NotPermitted(PathBuf),
    /// Somebody else listens there.
    #[error("`{}` belongs to user {uid}, neither root nor you; it is not asked", socket.display())]
    Foreign {
        /// The socket.
        socket: PathBuf,
        /// Whose process listens there.
        uid: u32,
    },
    /// The connection broke or took too long.
    #[error("the connection to the daemon broke")]
    Io(#[source] io::Error),
    /// The daemon said something that is not understood.
    #[error("the daemon's answer is not understood ({0}); restart it after an update")]
    Protocol(String),
    /// The daemon refused or failed.
    #[error(transparent)]
    Refused(#[from] Failure),
}

impl ClientError {
    /// Whether no daemon could be asked at all, as against one that said no.
    pub const fn is_unreachable(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to a daemon's control socket, and makes sure that root or this user listens there.
    pub fn connect(socket: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(socket).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ClientError::NotRunning(socket.to_owned())
            }
            io::ErrorKind::PermissionDenied => ClientError::NotPermitted(socket.to_owned()),
            _ => ClientError::Io(error),
        })?;
        let peer = getsockopt(&stream, PeerCredentials).map_err(|error| ClientError::Io(error.into()))?;
        if peer.uid() != 0 && peer.uid() != nix::unistd::geteuid().as_raw() {
            return Err(ClientError::Foreign { socket: socket.to_owned(), uid: peer.uid() });
        }
        stream.set_read_timeout(Some(ANSWER)).map_err(ClientError::Io)?;
        stream.set_write_timeout(Some(ANSWER)).map_err(ClientError::Io)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// How the daemon is.
    pub fn status(&mut self) -> Result<Status, ClientError> {
        match self.call(Request::Status)? {
            Reply::Status(status) => Ok(*status),
            other => Err(unexpected(&other)),
        }
    }

    /// Which agents there are, and where.
    pub fn agents(&mut self) -> Result<Vec<AgentStatus>, ClientError> {
        match self.call(Request::Agents)? {
            Reply::Agents(agents) => Ok(agents),
            other => Err(unexpected(&other)),
        }
    }

    /// Governs an existing cgroup.
    pub fn tag(&mut self, agent: String, place: Place) -> Result<Tagged, ClientError> {
        match self.call(Request::Tag { agent, place })? {
            Reply::Tagged(tagged) => Ok(tagged),
            other => Err(unexpected(&other)),
        }
    }

    /// Stops governing a cgroup.
    pub fn untag(&mut self, place: Place) -> Result<Tagged, ClientError> {
        match self.call(Request::Untag { place })? {
            Reply::Untagged(tagged) => Ok(tagged),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes a fresh governed cgroup, kept while this client lives or a process is in it.
    pub fn prepare(&mut self, prepare: Prepare) -> Result<Prepared, ClientError> {
        match self.call(Request::Prepare(prepare))? {
            Reply::Prepared(prepared) => Ok(prepared),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes every finished row visible to readers of the spool.
    pub fn flush(&mut self) -> Result<(), ClientError> {
        match self.call(Request::Flush)? {
            Reply::Flushed => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Reads configuration and policies again.
    pub fn reload(&mut self) -> Result<Reloaded, ClientError> {
        match self.call(Request::Reload)? {
            Reply::Reloaded(reloaded) => Ok(reloaded),
            other => Err(unexpected(&other)),
        }
    }

    /// What only the daemon can check.
    pub fn doctor(&mut self) -> Result<Vec<Check>, ClientError> {
        match self.call(Request::Doctor)? {
            Reply::Checks(checks) => Ok(checks),
            other => Err(unexpected(&other)),
        }
    }

    /// Rows as they come: [`Reply::Row`] and [`Reply::Missed`], until the daemon stops. The first item may be a refusal.
    pub fn tail(mut self, filter: serde_json::Value) -> Result<Tail, ClientError> {
        self.send(Request::Tail { filter })?;
        // Rows may be hours apart.
        self.stream.get_ref().set_read_timeout(None).map_err(ClientError::Io)?;
        Ok(Tail { client: self, ended: false })
    }

    fn call(&mut self, request: Request) -> Result<Reply, ClientError> {
        self.send(request)?;
        self.receive()
    }

    fn send(&mut self, request: Request) -> Result<(), ClientError> {
        let call = Call { version: VERSION, request };
        let mut line = serde_json::to_vec(&call).map_err(|error| ClientError::Protocol(error.to_string()))?;
        line.push(b'\n');
        match self.stream.get_mut().write_all(&line) {
            // A daemon that refuses this client says so and hangs up: its reason is worth more than the broken pipe.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(ClientError::Io(error)),
            _ => Ok(()),
        }
    }

    fn receive(&mut self) -> Result<Reply, ClientError> {
        let mut line = Vec::new();
        let limit = u64::try_from(REPLY_BYTES_MAX).unwrap_or(u64::MAX);
        (&mut self.stream).take(limit).read_until(b'\n', &mut line).map_err(ClientError::Io)?;
        if line.last() != Some(&b'\n') {
            return Err(ClientError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        let protocol = |error: serde_json::Error| ClientError::Protocol(error.to_string());
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_slice(&line).map_err(protocol)?;
        if version != VERSION {
            return Err(ClientError::Protocol(format!("its protocol is {version}, ours is {VERSION}")));
        }
        match serde_json::from_slice::<Answer>(&line).map_err(protocol)?.result {
            Outcome::Ok(reply) => Ok(reply),
            Outcome::Error(failure) => Err(failure.into()),
        }
    }
}

/// Rows as they come; see [`Client::tail`].
#[derive(Debug)]
pub struct Tail {
    client: Client,
    ended: bool,
}

impl Iterator for Tail {
    type Item = Result<Reply, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = match self.client.receive() {
            Ok(Reply::End) => None,
            Ok(reply @ (Reply::Row(_) | Reply::Missed(_))) => Some(Ok(reply)),
            Ok(other) => Some(Err(unexpected(&other))),
            Err(error) => Some(Err(error)),
        };
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

fn unexpected(reply: &Reply) -> ClientError {
    let name: String = format!("{reply:?}").chars().take_while(|c| c.is_alphanumeric()).collect();
    ClientError::Protocol(format!("it answered with {name}"))
}
