//! Threads that accept connections and drive their sessions, each with a runtime of its own: a session never changes
//! its thread, and needs no locks on its way.

use super::governor::Governor;
use super::listeners::{Kind, Listening};
use crate::identity::Caller;
use crate::intercept::{Kernel, OriginError};
use crate::session::Sessions;
use anyhow::Context;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::watch;

/// How long to wait when no connection can be accepted, such as without a free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The running threads.
pub(super) struct Workers {
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

/// What a thread's acceptor needs.
#[derive(Clone)]
struct Acceptor {
    kernel: Option<Arc<Kernel>>,
    governor: Arc<Governor>,
    sessions: Sessions,
    kind: Kind,
    address: SocketAddr,
}

impl Workers {
    /// One thread per CPU, all accepting from all listeners.
    pub(super) fn start(
        listening: &Listening,
        kernel: Option<&Arc<Kernel>>,
        governor: &Arc<Governor>,
        sessions: &Sessions,
    ) -> anyhow::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let (stop, stopped) = watch::channel(false);
        let mut threads = Vec::with_capacity(count);
        for index in 0..count {
            let mut acceptors = Vec::new();
            for listener in &listening.all {
                let socket = listener.socket.try_clone().context("a listener can't be shared")?;
                let acceptor = Acceptor {
                    kernel: kernel.cloned(),
                    governor: Arc::clone(governor),
                    sessions: sessions.clone(),
                    kind: listener.kind.clone(),
                    address: listener.address,
                };
                acceptors.push((socket, acceptor));
            }
            let stopped = stopped.clone();
            let thread = std::thread::Builder::new().name(format!("data-{index}"));
            threads
                .push(thread.spawn(move || work(acceptors, stopped)).context("a thread can't be started")?);
        }
        Ok(Self { stop, threads })
    }

    /// Cuts off what still runs and waits for the threads.
    pub(super) fn stop(self) {
        self.stop.send_replace(true);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a data thread had panicked");
            }
        }
    }
}

fn work(acceptors: Vec<(TcpListener, Acceptor)>, mut stopped: watch::Receiver<bool>) {
    let runtime = match Builder::new_current_thread().enable_io().build() {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!(%error, "a data thread can't start"),
    };
    runtime.block_on(async move {
        for (socket, acceptor) in acceptors {
            tokio::spawn(accept(socket, acceptor));
        }
        // An error means that the daemon is gone: stop as well.
        drop(stopped.wait_for(|stop| *stop).await);
    });
}

async fn accept(socket: TcpListener, acceptor: Acceptor) {
    let listener = match tokio::net::TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "a listener can't be used"),
    };
    let mut drain = acceptor.sessions.drain.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = drain.wait_for(|drain| *drain) => return,
        };
        match accepted {
            Ok((stream, peer)) => acceptor.take(stream, peer),
            Err(error) => {
                tracing::warn!(%error, "a connection can't be accepted");
                let pause = {
                    let _clock = acceptor.sessions.timers.enter();
                    tokio::time::sleep(ACCEPT_PAUSE)
                };
                pause.await;
            }
        }
    }
}

impl Acceptor {
    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let (caller, explicit) = match &self.kind {
            Kind::Explicit { agent, target } => (Caller::explicit(agent, self.address), Some(target.clone())),
            Kind::Transparent => match self.identify(&stream) {
                Ok(caller) => (caller, None),
                Err(error) => {
                    // Nobody governed is at the other end, so there is nobody to write a row about.
                    tracing::info!(%error, %peer, "a connection is closed: it was not redirected from a governed cgroup");
                    return;
                }
            },
        };
        tokio::spawn(self.sessions.clone().serve(stream, caller, explicit));
    }

    fn identify(&self, stream: &TcpStream) -> Result<Caller, OriginError> {
        let kernel = self.kernel.as_ref().ok_or(OriginError::NotRedirected)?;
        let origin = kernel.origin(stream.as_fd())?;
        let (cgroup, task) = self.governor.describe(origin.cgroup_id);
        Ok(Caller::governed(&origin, cgroup, task))
    }
}
