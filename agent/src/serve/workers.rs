//! Threads that accept connections and drive their sessions, each with an event loop of its own: a session never changes
//! its thread, and needs no locks on its way.

use super::executions::Executions;
use super::listeners::{Kind, Listening};
use crate::dns;
use crate::identity::Caller;
use crate::intercept::{Kernel, OriginError};
use crate::reactor::{Handle, Listener, Reactor};
use crate::session::Sessions;
use anyhow::Context;
use mio::net::TcpStream;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// How long to wait when no connection can be accepted, such as without a free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that are accepted in a row, at most, while sessions wait for their thread.
const TURNS: u32 = 32;

/// The running threads.
pub(super) struct Workers {
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

/// What a thread's acceptor needs.
#[derive(Clone)]
struct Acceptor {
    kernel: Option<Arc<Kernel>>,
    executions: Option<Arc<Executions>>,
    sessions: Sessions,
    lookups: Option<dns::Handle>,
    kind: Kind,
    address: SocketAddr,
}

impl Workers {
    /// One thread per CPU, all accepting from all listeners.
    pub(super) fn start(
        listening: &Listening,
        kernel: Option<&Arc<Kernel>>,
        executions: Option<&Arc<Executions>>,
        sessions: &Sessions,
        lookups: Option<&dns::Handle>,
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
                    executions: executions.cloned(),
                    sessions: sessions.clone(),
                    lookups: lookups.cloned(),
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
    let reactor = match Reactor::new() {
        Ok(reactor) => reactor,
        Err(error) => return tracing::error!(%error, "a data thread can't start"),
    };
    for (socket, acceptor) in acceptors {
        let handle = reactor.handle().clone();
        reactor.handle().spawn(accept(handle, socket, acceptor));
    }
    let ended = reactor.run(async move {
        // An error means that the daemon is gone: stop as well.
        drop(stopped.wait_for(|stop| *stop).await);
    });
    if let Err(error) = ended {
        tracing::error!(%error, "a data thread ends: the kernel does not tell it of events");
    }
}

async fn accept(reactor: Handle, socket: TcpListener, acceptor: Acceptor) {
    let listener = match Listener::new(&reactor, socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "a listener can't be used"),
    };
    let mut drain = acceptor.sessions.drain.clone();
    let mut turns = 0_u32;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = drain.wait_for(|drain| *drain) => return,
        };
        match accepted {
            Ok((stream, peer)) => acceptor.take(&reactor, stream, peer),
            Err(error) => {
                tracing::warn!(%error, "a connection can't be accepted");
                let pause = {
                    let _clock = acceptor.sessions.timers.enter();
                    tokio::time::sleep(ACCEPT_PAUSE)
                };
                pause.await;
            }
        }
        turns = turns.wrapping_add(1);
        if turns.is_multiple_of(TURNS) {
            reactor.yield_now().await;
        }
    }
}

impl Acceptor {
    fn take(&self, reactor: &Handle, stream: TcpStream, peer: SocketAddr) {
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
        if caller.destination.port() == dns::PORT
            && explicit.is_none()
            && let Some(lookups) = &self.lookups
        {
            if let Some(caller) = lookups.take(std::net::TcpStream::from(stream), caller) {
                self.sessions.refuse_lookups(&caller);
            }
            return;
        }
        let session = self.sessions.clone().serve(reactor.clone(), stream, caller, explicit);
        reactor.spawn(session);
    }

    fn identify(&self, stream: &TcpStream) -> Result<Caller, OriginError> {
        let (Some(kernel), Some(executions)) = (&self.kernel, &self.executions) else {
            return Err(OriginError::NotRedirected);
        };
        Ok(executions.caller(&kernel.origin(stream.as_fd())?))
    }
}
