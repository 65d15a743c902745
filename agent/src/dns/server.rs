//! Our sockets: datagrams that the kernel brings, and connections that a data thread hands over. On a runtime of its own, so
//! that neither sessions nor the admin plane wait for a name server.

use super::asker::{Asker, Common, Over};
use super::askers::Askers;
use super::budget::{Budgets, Told};
use super::datagram::{receive, timed};
use super::targets::refresh;
use super::upstream::Upstream;
use crate::config::DNS_TARGET;
use crate::identity::Caller;
use crate::intercept::{Kernel, Origin, netns_cookie};
use crate::session::Sessions;
use anyhow::Context;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc};

/// Questions under way at one time.
const QUESTIONS_MAX: usize = 2_048;
/// Connections that wait to be taken over.
const CONNECTIONS_WAITING: usize = 1_024;
/// How long a connection may be silent (RFC 7766 §6.2.3 asks for seconds).
const SILENT: Duration = Duration::from_secs(10);
/// How long the questions under way may take when the daemon stops.
const STOP: Duration = Duration::from_secs(1);
/// Bytes of the largest datagram.
const DATAGRAM_BYTES: usize = 65_535;

/// Says who sent a lookup.
pub type Identify = Arc<dyn Fn(&Origin) -> Caller + Send + Sync>;

/// The running server.
pub struct Server {
    runtime: Runtime,
    handle: Handle,
}

/// Takes connections to name servers over.
#[derive(Clone, Debug)]
pub struct Handle {
    connections: mpsc::Sender<(TcpStream, Caller)>,
}

/// What a task needs.
pub(super) struct Inner {
    pub(super) common: Common,
    askers: Askers,
    kernel: Arc<Kernel>,
    identify: Identify,
    questions: Arc<Semaphore>,
    dropped: Mutex<Told>,
}

impl Server {
    /// Answers what these sockets receive.
    ///
    /// # Errors
    /// No thread, or a socket that can't be watched.
    pub fn start(
        sockets: Vec<UdpSocket>,
        kernel: Arc<Kernel>,
        sessions: Sessions,
        identify: Identify,
    ) -> anyhow::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("dns").enable_all().build()?;
        let common =
            Common { sessions, budgets: Mutex::new(Budgets::default()), upstream: Upstream::default() };
        let questions = Arc::new(Semaphore::new(QUESTIONS_MAX));
        let inner = Arc::new(Inner {
            common,
            askers: Askers::default(),
            kernel,
            identify,
            questions,
            dropped: Mutex::default(),
        });
        let (connections, taken) = mpsc::channel(CONNECTIONS_WAITING);
        {
            let _inside = runtime.enter();
            for socket in sockets {
                let netns = netns_cookie(socket.as_fd()).context("the network namespace is not known")?;
                let address = socket.local_addr()?;
                timed(&socket).context("the kernel does not tell when datagrams arrive")?;
                let socket = tokio::net::UdpSocket::from_std(socket).context("a socket can't be watched")?;
                runtime.spawn(Arc::clone(&inner).take_datagrams(Arc::new(socket), netns, address));
            }
        }
        runtime.spawn(refresh(Arc::clone(&inner)));
        runtime.spawn(inner.take_connections(taken));
        Ok(Self { runtime, handle: Handle { connections } })
    }

    /// Takes connections over.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Ends it. Questions under way are recorded as interrupted.
    pub fn stop(self) {
        self.runtime.shutdown_timeout(STOP);
    }
}

impl Handle {
    /// Takes a connection over; gives its caller back if there are too many already.
    pub fn take(&self, stream: TcpStream, caller: Caller) -> Option<Caller> {
        self.connections.try_send((stream, caller)).err().map(|refused| refused.into_inner().1)
    }
}

impl Inner {
    async fn take_datagrams(
        self: Arc<Self>,
        socket: Arc<tokio::net::UdpSocket>,
        netns: u64,
        address: SocketAddr,
    ) {
        let mut buffer = vec![0; DATAGRAM_BYTES];
        loop {
            let (bytes, from) = match receive(&socket, &mut buffer).await {
                Ok((length, from)) => (buffer.get(..length).unwrap_or_default().to_vec(), from),
                Err(error) => {
                    tracing::warn!(%error, "a lookup can't be received");
                    tokio::task::yield_now().await;
                    continue;
                }
            };
            match self.kernel.asker(netns, from, address) {
                Ok(origin) => {
                    tokio::spawn(Arc::clone(&self).answer_datagram(Arc::clone(&socket), bytes, from, origin));
                }
                // Nobody governed sent it, so there is nobody to write a row about.
                Err(error) => {
                    tracing::info!(%error, %from, "a datagram is dropped: it is no governed cgroup's")
                }
            }
        }
    }

    async fn answer_datagram(
        self: Arc<Self>,
        socket: Arc<tokio::net::UdpSocket>,
        bytes: Vec<u8>,
        from: SocketAddr,
        origin: Origin,
    ) {
        let turn = Arc::clone(&self.questions).try_acquire_owned();
        if turn.is_err() && !self.is_dropped_aloud() {
            return;
        }
        let asker = self.askers.of(&self.common, &origin, || (self.identify)(&origin)).await;
        if turn.is_err() {
            let reason = format!(
                "{QUESTIONS_MAX} lookups are under way, as many as there may be: this one, and others, get no answer"
            );
            return asker.refuse(&reason);
        }
        if let Some(reply) = asker.answer(&self.common, &bytes, Over::Udp).await
            && let Err(error) = socket.send_to(&reply, from).await
        {
            tracing::debug!(%error, %from, "an answer can't be sent");
        }
    }

    /// Whether one that gets no answer gets a row; what follows soon has none.
    fn is_dropped_aloud(&self) -> bool {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner).tell(Instant::now()).is_some()
    }

    async fn take_connections(self: Arc<Self>, mut taken: mpsc::Receiver<(TcpStream, Caller)>) {
        while let Some((stream, caller)) = taken.recv().await {
            match tokio::net::TcpStream::from_std(stream) {
                Ok(stream) => {
                    tokio::spawn(Arc::clone(&self).answer_connection(stream, caller));
                }
                Err(error) => tracing::warn!(%error, "a connection for lookups can't be watched"),
            }
        }
    }

    async fn answer_connection(self: Arc<Self>, mut stream: tokio::net::TcpStream, caller: Caller) {
        let Some(guard) = self.common.sessions.enter(&caller, DNS_TARGET) else { return };
        let caller = self.common.sessions.with_hash(caller).await;
        let agent = caller.known_as();
        let desk = self.common.sessions.desk(caller, (DNS_TARGET, DNS_TARGET), Some(&guard));
        let asker = Asker::new(agent, desk);
        let mut drain = self.common.sessions.drain.clone();
        loop {
            let read = tokio::select! {
                read = tokio::time::timeout(SILENT, read_message(&mut stream)) => read,
                _ = drain.wait_for(|drain| *drain) => return,
            };
            // Silence, the end, and half a message come to the same.
            let Ok(Ok(bytes)) = read else { return };
            let Ok(_turn) = Arc::clone(&self.questions).acquire_owned().await else { return };
            let Some(reply) = asker.answer(&self.common, &bytes, Over::Tcp).await else { return };
            match tokio::time::timeout(SILENT, write_message(&mut stream, &reply)).await {
                Ok(Ok(())) => {}
                _ => return,
            }
        }
    }
}

/// A message by TCP has its length before it (RFC 1035 §4.2.2).
async fn read_message(stream: &mut tokio::net::TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn write_message(stream: &mut tokio::net::TcpStream, message: &[u8]) -> std::io::Result<()> {
    let length = u16::try_from(message.len()).unwrap_or(0);
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(message);
    // In one piece: some clients take a length alone for the whole.
    stream.write_all(&bytes).await
}
