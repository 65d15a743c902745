//! The one loop: bytes to the machine, its commands to sockets and desk. The same for every protocol.

use super::bells::Bells;
use super::desk::{Decided, Desk, Waiting};
use super::leg::Leg;
use crate::config::Limits;
use crate::reactor::{Handle, Socket};
use audit::{Begun, SpoolError};
use bytes::Bytes;
use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::runtime;
use tokio::sync::watch;
use wire::{Command, Commands, Detection, Event, Interceptor, Observation, Protocol, Side, WireError};

/// Drives one session.
pub(super) struct Driver {
    client: Leg,
    /// Not connected to before something is released to it: a refused login never reaches the target.
    server: Option<Leg>,
    /// The target's addresses, in the order that they are tried.
    upstreams: Vec<SocketAddr>,
    machine: Box<dyn Interceptor>,
    desk: Desk,
    /// Known to speak the target's protocol; until then, the first bytes.
    recognised: Option<&'static dyn Protocol>,
    waiting: Option<Waiting>,
    commands: Commands,
    /// Bytes of the client that went to the machine.
    decoded: u64,
    /// Operations that have ended.
    ended: u32,
    /// Something was released, so the client was let in.
    started: bool,
    connect_timeout: Duration,
    reactor: Handle,
    timers: runtime::Handle,
}

/// The alarm rings so often in `limits.idle_timeout`; to note the time of every message would cost more.
const QUIET: u32 = 4;
/// While the daemon drains, a session that has had fewer operations than `YOUNG` (its login is one) ends only when nothing has
/// happened for so long: a client that has just connected comes to its question, and one that only asks one, to its end.
const DRAIN_PAUSE: Duration = Duration::from_millis(200);
const YOUNG: u32 = 2;
/// Happenings that a session takes in a row, at most, while others wait for its thread.
const TURNS: u32 = 64;

/// What woke the loop.
pub(super) enum Happening {
    Read(Side, Bytes),
    End(Side),
    Broken(Side, io::Error),
    Recorded(Result<Begun, SpoolError>),
    Drain,
    Tick,
}

impl Driver {
    pub(super) fn new(
        (client, upstreams): (Socket, Vec<SocketAddr>),
        machine: Box<dyn Interceptor>,
        desk: Desk,
        protocol: &'static dyn Protocol,
        reactor: Handle,
        timers: runtime::Handle,
    ) -> Self {
        Self {
            client: Leg::new(client),
            server: None,
            upstreams,
            machine,
            desk,
            recognised: Some(protocol),
            waiting: None,
            commands: Commands::new(),
            decoded: 0,
            ended: 0,
            started: false,
            connect_timeout: Duration::MAX,
            reactor,
            timers,
        }
    }

    /// Runs the session to its end. Operations that have not ended by then are recorded as interrupted.
    pub(super) async fn run(mut self, limits: &Limits, drain: watch::Receiver<bool>) {
        self.connect_timeout = limits.connect_timeout;
        let startup_ends = Instant::now() + limits.startup_timeout;
        let mut bells = Bells::new(&self.timers, drain, startup_ends);
        // Was there anything since the alarm last rang, and how often has it rung for nothing?
        let (mut active, mut quiet) = (false, 0);
        let (mut draining, mut turns) = (false, 0_u32);
        while !self.is_over() {
            match self.next(&mut bells, draining).await {
                Happening::Tick if draining && !active && self.machine.idle() && !self.client.is_shut() => {
                    self.end();
                }
                Happening::Tick if draining => {
                    active = false;
                    bells.ring_after(DRAIN_PAUSE);
                }
                Happening::Tick if self.started && (active || quiet < QUIET - 1) => {
                    quiet = if active { 0 } else { quiet + 1 };
                    active = false;
                    bells.ring_after(limits.idle_timeout / QUIET);
                }
                Happening::Tick if self.started => {
                    self.desk.refused("TIMEOUT", "the connection was silent for `limits.idle_timeout`");
                    self.end_at_once();
                }
                Happening::Tick if Instant::now() < startup_ends => bells.ring_at(startup_ends),
                Happening::Tick => {
                    self.desk.refused("TIMEOUT", "the client did not log in within `limits.startup_timeout`");
                    self.end_at_once();
                }
                Happening::Drain => {
                    (draining, active) = (true, false);
                    bells.ring_after(DRAIN_PAUSE);
                }
                other => {
                    active = true;
                    self.take(other).await;
                }
            }
            if draining && self.ended >= YOUNG && self.machine.idle() && !self.client.is_shut() {
                self.end();
            }
            // Others on this thread get their turn.
            turns = turns.wrapping_add(1);
            if turns.is_multiple_of(TURNS) {
                self.reactor.yield_now().await;
            }
        }
        self.desk.close(self.decoded, self.client.written());
    }

    /// Tells the client and closes both sides.
    fn end(&mut self) {
        if self.machine.handle(Event::Shutdown, &mut self.commands).is_ok() {
            self.carry_out_sends();
        }
        self.client.close();
        self.client.reads = false;
        if let Some(server) = &mut self.server {
            server.close();
            server.reads = false;
        }
    }

    /// As [`Self::end`], for a client that may not be reading: what can't be written now never is.
    fn end_at_once(&mut self) {
        self.end();
        // Errors and a full socket come to the same here.
        drop(self.client.write());
        self.client.abandon();
        self.server.iter_mut().for_each(Leg::abandon);
    }

    fn is_over(&self) -> bool {
        let server_over = self.server.as_ref().is_none_or(|server| !server.reads || server.is_shut());
        let client_done = self.client.is_shut();
        client_done && server_over
    }

    async fn next(&mut self, bells: &mut Bells, draining: bool) -> Happening {
        std::future::poll_fn(|cx| match self.poll(cx) {
            Poll::Ready(happening) => Poll::Ready(happening),
            Poll::Pending => bells.poll(cx, draining),
        })
        .await
    }

    /// Writes what can be written, then looks for something to do.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Happening> {
        if let Poll::Ready(error) = self.client.write() {
            return Poll::Ready(Happening::Broken(Side::Client, error));
        }
        if let Some(server) = &mut self.server
            && let Poll::Ready(error) = server.write()
        {
            return Poll::Ready(Happening::Broken(Side::Server, error));
        }
        if self.is_over() {
            return Poll::Ready(Happening::End(Side::Server));
        }
        if let Some(waiting) = &mut self.waiting
            && let Poll::Ready(row) = Pin::new(&mut waiting.row).poll(cx)
        {
            return Poll::Ready(Happening::Recorded(row.unwrap_or(Err(SpoolError::Closed))));
        }
        let server_full = self.server.as_ref().is_some_and(Leg::is_full);
        if self.client.reads
            && !server_full
            && self.machine.wants(Side::Client)
            && let Poll::Ready(read) = self.client.read()
        {
            return Poll::Ready(happened(Side::Client, read));
        }
        let client_full = self.client.is_full();
        if let Some(server) = &mut self.server
            && server.reads
            && !client_full
            && self.machine.wants(Side::Server)
            && let Poll::Ready(read) = server.read()
        {
            return Poll::Ready(happened(Side::Server, read));
        }
        Poll::Pending
    }

    async fn take(&mut self, happening: Happening) {
        let event = match happening {
            Happening::Read(from, bytes) => {
                if from == Side::Client && !self.recognise(&bytes) {
                    return;
                }
                if from == Side::Client {
                    self.decoded = self.decoded.saturating_add(bytes.len() as u64);
                }
                Event::Data { from, bytes }
            }
            Happening::End(from) => {
                self.stop_reading(from);
                Event::Eof { from }
            }
            Happening::Broken(side, error) => {
                tracing::debug!(%error, ?side, "a session's socket broke");
                match side {
                    Side::Client => self.client.abandon(),
                    Side::Server => self.server.iter_mut().for_each(Leg::abandon),
                }
                Event::Eof { from: side }
            }
            Happening::Recorded(begun) => match self.waiting.take() {
                Some(waiting) => Event::Answer(self.desk.recorded(waiting, begun)),
                None => return,
            },
            Happening::Drain | Happening::Tick => return,
        };
        let handled = self.machine.handle(event, &mut self.commands);
        self.settle(handled).await;
    }

    fn stop_reading(&mut self, side: Side) {
        match side {
            Side::Client => self.client.reads = false,
            Side::Server => self.server.iter_mut().for_each(|server| server.reads = false),
        }
    }

    /// The first bytes must look like the target's protocol; TLS is left to the machine to refuse in its own way.
    fn recognise(&mut self, first: &[u8]) -> bool {
        const TLS_HANDSHAKE: u8 = 0x16;
        let Some(protocol) = self.recognised.take() else { return true };
        let known = first.first() == Some(&TLS_HANDSHAKE) || protocol.detect(first) != Detection::No;
        if !known {
            let name = protocol.name();
            self.desk.refused(
                "UNKNOWN PROTOCOL",
                &format!("the client does not speak `{name}` as its target does"),
            );
            self.client.reset();
            self.client.abandon();
        }
        known
    }

    /// Carries out commands until there are none: an answer given at once makes new ones.
    async fn settle(&mut self, mut handled: Result<(), WireError>) {
        loop {
            let mut answer = None;
            let mut unreachable = false;
            let mut commands = std::mem::take(&mut self.commands);
            for command in commands.drain(..) {
                match command {
                    Command::Ask(question) => match self.desk.decide(question) {
                        Decided::Now(now) => answer = Some(now),
                        Decided::Soon(waiting) => self.waiting = Some(waiting),
                    },
                    Command::Send { to: Side::Server, bytes } => {
                        unreachable |= !self.send_to_server(bytes).await;
                    }
                    other => self.carry_out(other),
                }
            }
            // The list keeps its memory.
            self.commands = commands;
            if let Err(error) = handled {
                self.desk.broken(&error);
                self.client.close();
                self.client.reads = false;
                self.server.iter_mut().for_each(|server| {
                    server.close();
                    server.reads = false;
                });
                return;
            }
            handled = match answer {
                _ if unreachable => self.machine.handle(Event::Unreachable, &mut self.commands),
                Some(answer) => self.machine.handle(Event::Answer(answer), &mut self.commands),
                None => return,
            };
        }
    }

    fn carry_out_sends(&mut self) {
        for command in std::mem::take(&mut self.commands) {
            self.carry_out(command);
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Send { to: Side::Client, bytes } => self.client.queue(bytes),
            Command::Send { to: Side::Server, bytes } => {
                if let Some(server) = &mut self.server {
                    server.queue(bytes);
                }
            }
            Command::Observe(Observation::Done(end)) => {
                self.ended = self.ended.saturating_add(1);
                self.desk.done(end);
            }
            Command::Observe(Observation::Login { user, database, .. }) => {
                self.desk.logs_in(&user, &database)
            }
            Command::Observe(Observation::CancelKey(key)) => self.desk.cancel_key(key),
            Command::Close { side: Side::Client } => {
                self.client.close();
                self.client.reads = false;
            }
            Command::Close { side: Side::Server } => self.server.iter_mut().for_each(Leg::close),
            // Only machines ask, and only `settle` has their questions decided.
            Command::Ask(_) => {}
        }
    }

    /// Queues bytes for the target, connecting to it first if that was not done. False if it can't be reached.
    async fn send_to_server(&mut self, bytes: Bytes) -> bool {
        self.started = true;
        if self.server.is_none() {
            self.server = self.connect().await;
        }
        let Some(server) = &mut self.server else { return false };
        server.queue(bytes);
        true
    }

    /// Connects to the target, by the first of its addresses that can be reached.
    async fn connect(&self) -> Option<Leg> {
        for upstream in &self.upstreams {
            let connecting = {
                let _clock = self.timers.enter();
                tokio::time::timeout(self.connect_timeout, Socket::connect(&self.reactor, *upstream))
            };
            match connecting.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(socket) => return Some(Leg::new(socket)),
                Err(error) => tracing::warn!(%upstream, %error, "a target can't be reached"),
            }
        }
        None
    }
}

fn happened(side: Side, read: io::Result<Bytes>) -> Happening {
    match read {
        Ok(bytes) if bytes.is_empty() => Happening::End(side),
        Ok(bytes) => Happening::Read(side, bytes),
        Err(error) => Happening::Broken(side, error),
    }
}
