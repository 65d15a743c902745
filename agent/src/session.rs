//! One intercepted connection, from its first byte to its last row.
//!
//! [`Sessions`] is what all of them share. `place.rs` says where a connection is meant to go and refuses, with a row,
//! what it can't place; `drive.rs` is the one loop that feeds a protocol's machine; `desk.rs` decides each question and
//! records it; `registry.rs` counts sessions and remembers their cancel keys.

mod bells;
mod desk;
mod drive;
mod ledger;
mod leg;
mod place;
mod record;
mod registry;

pub(crate) use desk::{Admission, Desk};
pub use ledger::Ledger;
pub use record::Site;
pub(crate) use registry::Guard;
pub use registry::{Counts, Registry};

use crate::boundary::Words;
use crate::config::{DNS_TARGET, TargetConfig};
use crate::dns::Names;
use crate::identity::{self, Caller, Hashes};
use crate::intercept::Closed;
use crate::live::{Current, Live};
use crate::reactor::{Handle, Socket};
use audit::{End, Outcome, Row, Spool, Verdict};
use mio::net::TcpStream;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio::runtime;
use tokio::sync::watch;

/// What all sessions share.
#[derive(Clone)]
pub struct Sessions {
    /// Configuration and policies in force.
    pub live: Current,
    /// Where rows go.
    pub spool: Spool,
    /// Sessions, their counts and cancel keys.
    pub registry: Arc<Registry>,
    /// Hashes of programs.
    pub hashes: Arc<Hashes>,
    /// What all rows here have in common.
    pub site: Site,
    /// What sessions have read and written, until the kernel agrees.
    pub ledger: Arc<Ledger>,
    /// By which names agents know addresses.
    pub names: Arc<Names>,
    /// Our own listeners: a connection to them is never passed on.
    pub own: Arc<[SocketAddr]>,
    /// Turns true when the daemon stops.
    pub drain: watch::Receiver<bool>,
    /// The runtime whose clock wakes sessions. Their own threads have none: it would look for timers at every wake-up,
    /// and a session's hardly ever ring.
    pub timers: runtime::Handle,
}

impl Sessions {
    /// Serves one accepted connection to its end, in a task of its own.
    pub async fn serve(self, reactor: Handle, client: TcpStream, caller: Caller, explicit: Option<String>) {
        let live = self.live.load_full();
        let recorder = record::Recorder::new(&self.site, &caller);
        let placed = place::place(&self, &live, &caller, explicit.as_deref());
        let place::Placed { target, also, upstreams, names } = match placed {
            Ok(placed) => placed,
            Err(refusal) => {
                self.refuse_connection(&recorder, &refusal);
                leg::reset(&client);
                return;
            }
        };
        let limits = &live.config.limits;
        let Some(guard) = self.enter(&caller, &target.name) else { return leg::reset(&client) };
        let client = match Socket::new(&reactor, client) {
            Ok(client) => client,
            Err(error) => {
                let reason = format!("the kernel does not watch the connection: {error}");
                self.refuse_connection(&recorder, &place::Refusal { target: target.name.clone(), reason });
                return;
            }
        };
        let Some(protocol) = wire::registry::by_name(target.protocol) else { return };
        // After the limits: reading a program takes time.
        let caller = self.with_hash(caller).await;
        let recorder =
            record::Recorder::new(&self.site, &caller).at(&target.name, protocol.name()).named(&names);
        let desk = desk::Desk::new(self.clone(), recorder, caller, guard.session()).and_as(&also);
        let machine = protocol.begin(&live.options);
        let timers = self.timers.clone();
        let driver = drive::Driver::new((client, upstreams), machine, desk, protocol, reactor, timers);
        driver.run(limits, self.drain.clone()).await;
        drop(guard);
    }

    /// The desk of a caller whose operations are answered here. `guard` is its place among the open sessions, if it has one.
    pub(crate) fn desk(
        &self,
        caller: Caller,
        (target, protocol): (&str, &str),
        guard: Option<&Guard>,
    ) -> Desk {
        let recorder = record::Recorder::new(&self.site, &caller).at(target, protocol);
        let entry = guard.map_or_else(|| Registry::visitor(&caller.agent), Guard::session);
        Desk::new(self.clone(), recorder, caller, entry)
    }

    /// A place among the open sessions; without one, records that the connection is refused.
    pub(crate) fn enter(&self, caller: &Caller, target: &str) -> Option<Guard> {
        let live = self.live.load();
        let limits = &live.config.limits;
        match self.registry.enter(&caller.agent, limits.connections, limits.connections_per_agent) {
            Ok(guard) => Some(guard),
            Err(full) => {
                let recorder = record::Recorder::new(&self.site, caller);
                self.refuse_connection(
                    &recorder,
                    &place::Refusal { target: target.to_owned(), reason: too_many(&full) },
                );
                None
            }
        }
    }

    /// Records that a connection for lookups is closed, since too many wait.
    pub(crate) fn refuse_lookups(&self, caller: &Caller) {
        let reason =
            "too many connections for lookups wait to be served: this one is closed, try again".to_owned();
        let recorder = record::Recorder::new(&self.site, caller);
        self.refuse_connection(&recorder, &place::Refusal { target: DNS_TARGET.to_owned(), reason });
    }

    /// Adds the hash of the caller's program. One that has not been seen before is read on a thread that may wait.
    pub(crate) async fn with_hash(&self, mut caller: Caller) -> Caller {
        let Some(file) = caller.process.file.filter(|_| caller.exe_hash.is_empty()) else { return caller };
        caller.exe_hash = match self.hashes.known(file) {
            Some(hash) => hash,
            None => {
                let _turn = self.hashes.turn().await;
                if let Some(hash) = self.hashes.known(file) {
                    caller.exe_hash = hash;
                    return caller;
                }
                let (hashes, pid) = (Arc::clone(&self.hashes), caller.pid);
                let computed = match caller.exe_open.take() {
                    Some(open) => self.timers.spawn_blocking(move || hashes.compute(|| Ok(open), file)),
                    None => self.timers.spawn_blocking(move || hashes.compute(|| identity::open(pid), file)),
                };
                computed.await.unwrap_or_else(|_| "".into())
            }
        };
        caller
    }

    /// The kernel has seen a connection end: holds that against what its session has read and written.
    pub fn settle(&self, closed: Closed) {
        self.tell_difference(self.ledger.connection(closed, Instant::now()));
    }

    fn tell_difference(&self, found: Option<(ledger::Account, ledger::Difference)>) {
        let Some((account, difference)) = found else { return };
        let mut row = account.recorder.refusal("BYTES", wire::Action::Connect, &difference.to_string());
        row.policies = Arc::new(["kernel:bytes".into()]);
        if let Err(error) = self.spool.record(row) {
            tracing::error!(%error, %difference, "bytes that were not accounted for could not be recorded");
        }
    }

    /// Records what was refused outside any session.
    pub fn refuse(&self, caller: &Caller, words: Words, time: SystemTime) {
        self.registry.counts.denied();
        let mut row =
            record::Recorder::new(&self.site, caller).refusal(words.verb, words.action, &words.reason);
        row.time = record::micros(time);
        row.policies = Arc::new([words.rule.into()]);
        if let Err(error) = self.spool.record(row) {
            tracing::error!(%error, reason = words.reason, "a refusal of the kernel side could not be recorded");
        }
    }

    /// A connection that goes nowhere still leaves its row.
    fn refuse_connection(&self, recorder: &record::Recorder, refusal: &place::Refusal) {
        self.registry.counts.denied();
        let recorder = recorder.clone().at(&refusal.target, "");
        let row = recorder.refusal("CONNECT", wire::Action::Connect, &refusal.reason);
        if let Err(error) = self.spool.record(row) {
            tracing::error!(%error, reason = refusal.reason, "a refused connection could not be recorded");
        }
    }
}

fn too_many(full: &registry::Full) -> String {
    format!("{full}; raise `limits.connections` or `limits.connections_per_agent`")
}

/// The row of something that an administrator does: permitted and done.
pub fn administered(by: &Caller, words: Words) -> Row {
    let host: Arc<str> =
        nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default().into();
    let mut row = record::Recorder::new(&Site { host, ..Site::default() }, by).refusal(
        words.verb,
        words.action,
        &words.reason,
    );
    row.policies = Arc::new([words.rule.into()]);
    row.verdict = Verdict::Forward;
    row.outcome = Outcome { end: End::Done, ..Outcome::default() };
    row
}

/// The target that a configuration in force has under that name.
fn target<'a>(live: &'a Live, name: &str) -> Option<&'a TargetConfig> {
    live.config.target(name)
}
