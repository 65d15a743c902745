//! The daemon's side of the control socket.

mod connection;

use super::message::{Code, Failure};
use super::{Admin, RunLock, socket_path};
use connection::Connection;
use std::fs::Permissions;
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

/// Limits on clients.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Clients at a time; one more is told that the daemon is busy.
    pub clients: usize,
    /// Bytes of a request line.
    pub request_bytes: usize,
    /// How long a client may take for a request, and be silent between two.
    pub read: Duration,
    /// How long an answer may take to make. Governing a cgroup and reloading take milliseconds.
    pub answer: Duration,
    /// How long a client may take to read a line.
    pub write: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            clients: 64,
            request_bytes: super::message::REQUEST_BYTES_MAX,
            read: Duration::from_secs(30),
            answer: Duration::from_secs(60),
            write: Duration::from_secs(30),
        }
    }
}

/// How long open connections may go on once the server is asked to stop: for a last line, not for a last request.
const STOP: Duration = Duration::from_secs(1);
/// How long to wait when no connection can be accepted, such as without a free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The listening socket. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    limits: ServerLimits,
}

impl Server {
    /// Listens at `<run>/control.sock` with mode 0600, in place of what a dead daemon left there. To be called in a tokio
    /// runtime. The lock says that no living daemon has the socket.
    pub fn bind(lock: &RunLock, limits: ServerLimits) -> io::Result<Self> {
        let path = socket_path(lock.run());
        // Under another name until its mode is set, so that a client never finds it open to more than its owner.
        let new = lock.run().join("control.new");
        remove(&new)?;
        let listener = UnixListener::bind(&new).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("control socket `{}` can't be made: {error}", path.display()),
            )
        })?;
        std::fs::set_permissions(&new, Permissions::from_mode(0o600))?;
        std::fs::rename(&new, &path)?;
        Ok(Self { listener, path, limits })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Answers clients until `stop` completes.
    pub async fn serve(self, admin: Arc<dyn Admin>, stop: impl Future<Output = ()> + Send) {
        let places = Arc::new(Semaphore::new(self.limits.clients));
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let stream = tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        warn!(%error, "can't accept a control connection");
                        sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                turn_away(&stream);
                continue;
            };
            let admin = Arc::clone(&admin);
            let (limits, stopped) = (self.limits.clone(), stopped.clone());
            connections.spawn(async move {
                let mut connection = Connection::new(stream, admin, limits, stopped);
                if let Err(error) = connection.run().await {
                    debug!(%error, "control connection ended");
                }
                drop(place);
            });
        }
        stopping.send_replace(true);
        let all_done = async { while connections.join_next().await.is_some() {} };
        if timeout(STOP, all_done).await.is_err() {
            connections.shutdown().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            warn!(%error, path = %self.path.display(), "can't remove the control socket");
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Tells a client that there are too many, without waiting for it.
fn turn_away(stream: &UnixStream) {
    let failure = Failure::new(Code::Busy, "the daemon has too many control clients; try again");
    // Fits the empty buffer of a new socket; a client that is gone already needs no answer.
    stream.try_write(&connection::line(Err(failure))).ok();
}
