//! One client: who it is, its requests, its answers.

use super::ServerLimits;
use crate::control::message::{Answer, Call, Code, Failure, Outcome, Reply, Request, VERSION};
use crate::control::{Admin, Answering, Lease, TailItem};
use serde::Deserialize;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// A client and what is needed to answer it.
pub(super) struct Connection {
    stream: BufReader<UnixStream>,
    admin: Arc<dyn Admin>,
    limits: ServerLimits,
    stopped: watch::Receiver<bool>,
    /// What `prepare` gave; kept until the client hangs up.
    leases: Vec<Lease>,
}

/// What came from the client.
enum Line {
    Request(Vec<u8>),
    TooLong,
    End,
}

impl Connection {
    pub(super) fn new(
        stream: UnixStream,
        admin: Arc<dyn Admin>,
        limits: ServerLimits,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self { stream: BufReader::new(stream), admin, limits, stopped, leases: Vec::new() }
    }

    /// Answers requests until the client hangs up, misbehaves or the daemon stops.
    pub(super) async fn run(&mut self) -> io::Result<()> {
        if let Err(failure) = self.may_ask() {
            return self.send(Err(failure)).await;
        }
        let mut stopped = self.stopped.clone();
        loop {
            let read = async {
                timeout(self.limits.read, read_line(&mut self.stream, self.limits.request_bytes)).await
            };
            let line = tokio::select! {
                read = read => match read {
                    Ok(line) => line?,
                    // A client that holds a lease waits for its `exec`; one that is just silent is cut off.
                    Err(_) if !self.leases.is_empty() => continue,
                    Err(_) => {
                        let waited = self.limits.read.as_secs();
                        let message = format!("no whole request within {waited} s; end it with a line break");
                        return self.send(Err(Failure::new(Code::BadRequest, message))).await;
                    }
                },
                () = told(&mut stopped) => return Ok(()),
            };
            let request = match line {
                Line::End => return Ok(()),
                Line::TooLong => {
                    let message = format!("the request is longer than {} bytes", self.limits.request_bytes);
                    return self.send(Err(Failure::new(Code::BadRequest, message))).await;
                }
                Line::Request(bytes) => match understand(&bytes) {
                    Ok(request) => request,
                    Err(failure) => {
                        self.send(Err(failure)).await?;
                        continue;
                    }
                },
            };
            if !self.answer(request).await? {
                return Ok(());
            }
        }
    }

    /// Root and the daemon's own user may ask, but not from within a governed cgroup.
    fn may_ask(&self) -> Result<(), Failure> {
        let refuse = |message: &str| Err(Failure::new(Code::NotAllowed, message));
        let Ok(peer) = self.stream.get_ref().peer_cred() else {
            return refuse("the kernel does not say who you are");
        };
        if peer.uid() != 0 && peer.uid() != nix::unistd::geteuid().as_raw() {
            return refuse("only root and the daemon's own user may ask; run it as root");
        }
        let Some(pid) = peer.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0) else {
            return refuse("you are in a process namespace that the daemon does not see; run it on the host");
        };
        if self.admin.peer_is_governed(pid) {
            return refuse("you are in a governed cgroup; agents may not administer themselves");
        }
        Ok(())
    }

    /// Answers one request. `false` ends the connection.
    async fn answer(&mut self, request: Request) -> io::Result<bool> {
        let within = self.limits.answer;
        if let Request::Tail { filter } = request {
            return match limited(within, self.admin.tail(filter)).await {
                Ok(rows) => self.tail(rows).await.map(|()| false),
                Err(failure) => self.send(Err(failure)).await.map(|()| true),
            };
        }
        let admin = Arc::clone(&self.admin);
        let reply = match request {
            Request::Status => {
                limited(within, admin.status()).await.map(|status| Reply::Status(Box::new(status)))
            }
            Request::Agents => limited(within, admin.agents()).await.map(Reply::Agents),
            Request::Tag { agent, place } => {
                limited(within, admin.tag(agent, place)).await.map(Reply::Tagged)
            }
            Request::Untag { place } => limited(within, admin.untag(place)).await.map(Reply::Untagged),
            Request::Prepare(_) if !self.leases.is_empty() => {
                Err(Failure::new(Code::BadRequest, "a connection prepares one cgroup only; open another"))
            }
            Request::Prepare(prepare) => {
                limited(within, admin.prepare(prepare)).await.map(|(prepared, lease)| {
                    self.leases.push(lease);
                    Reply::Prepared(prepared)
                })
            }
            Request::Flush => limited(within, admin.flush()).await.map(|()| Reply::Flushed),
            Request::Reload => limited(within, admin.reload()).await.map(Reply::Reloaded),
            Request::Doctor => limited(within, admin.doctor()).await.map(Reply::Checks),
            // Answered above.
            Request::Tail { .. } => return Ok(false),
        };
        self.send(reply).await.map(|()| true)
    }

    /// Sends rows as they come, until the client says anything or hangs up, or the daemon stops.
    async fn tail(&mut self, mut rows: mpsc::Receiver<TailItem>) -> io::Result<()> {
        let mut stopped = self.stopped.clone();
        loop {
            let mut byte = [0; 1];
            let item = tokio::select! {
                item = rows.recv() => item,
                _ = self.stream.read(&mut byte) => return Ok(()),
                () = told(&mut stopped) => None,
            };
            let reply = match item {
                Some(TailItem::Row(row)) => Reply::Row(row),
                Some(TailItem::Missed(rows)) => Reply::Missed(rows),
                None => return self.send(Ok(Reply::End)).await,
            };
            self.send(Ok(reply)).await?;
        }
    }

    /// Sends one line, or gives the client up.
    async fn send(&mut self, reply: Result<Reply, Failure>) -> io::Result<()> {
        let line = line(reply);
        let write = self.stream.get_mut().write_all(&line);
        timeout(self.limits.write, write).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

/// Waits until the server is to stop.
async fn told(stopped: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is the same.
    stopped.wait_for(|stopped| *stopped).await.ok();
}

/// Runs one call of the daemon, but not for ever.
async fn limited<T>(within: Duration, call: Answering<'_, T>) -> Result<T, Failure> {
    timeout(within, call).await.unwrap_or_else(|_| {
        Err(Failure::new(Code::Failed, format!("the daemon could not do it within {} s", within.as_secs())))
    })
}

/// Reads one line without its end.
async fn read_line(stream: &mut BufReader<UnixStream>, bytes_max: usize) -> io::Result<Line> {
    let mut line = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    stream.take(limit).read_until(b'\n', &mut line).await?;
    if line.pop_if(|last| *last == b'\n').is_some() {
        return Ok(Line::Request(line));
    }
    // Without a line break: the limit was reached, or the client hung up, perhaps within a request.
    Ok(if line.len() > bytes_max { Line::TooLong } else { Line::End })
}

/// Reads a request; the version first, since another version's request may not be readable.
fn understand(line: &[u8]) -> Result<Request, Failure> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let bad = |error: serde_json::Error| Failure::new(Code::BadRequest, format!("not a request: {error}"));
    let Versioned { version } = serde_json::from_slice(line).map_err(bad)?;
    if version != VERSION {
        let message = format!(
            "client and daemon are of different versions (protocol {version} and {VERSION}); restart the daemon after an update"
        );
        return Err(Failure::new(Code::WrongVersion, message));
    }
    serde_json::from_slice::<Call>(line).map(|call| call.request).map_err(bad)
}

/// One reply line with its end.
pub(super) fn line(reply: Result<Reply, Failure>) -> Vec<u8> {
    let result = match reply {
        Ok(reply) => Outcome::Ok(reply),
        Err(failure) => Outcome::Error(failure),
    };
    let mut line = serde_json::to_vec(&Answer { version: VERSION, result }).unwrap_or_else(|_| {
        // Only a map with keys that are not text can't be written, and no message has one.
        br#"{"version":1,"result":{"error":{"code":"failed","message":"the answer can't be written"}}}"#
            .to_vec()
    });
    line.push(b'\n');
    line
}
