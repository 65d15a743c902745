//! Makes audit rows: what is the same for all rows of a session is prepared once.

use crate::config::{Audit, Scrub};
use crate::identity::Caller;
use audit::{Boundary, Outcome, Row, Verdict};
use mask::{Detector, Detectors, Redactor};
use policy::Ruling;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;
use wire::{Action, Certainty, Operation};

/// The part of a row that a session's rows share.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    host: Arc<str>,
    agent: Arc<str>,
    cgroup: Arc<str>,
    pid: u32,
    uid: u32,
    exe: Arc<str>,
    task: Arc<str>,
    pub(super) session: Uuid,
    sequence: u64,
    target: Arc<str>,
    destination: SocketAddr,
    boundary: Boundary,
    protocol: Arc<str>,
    user: Arc<str>,
    database: Arc<str>,
    nothing: Arc<str>,
    no_list: Arc<[Arc<str>]>,
}

impl Subject {
    pub(super) fn new(host: &Arc<str>, caller: &Caller) -> Self {
        let nothing: Arc<str> = "".into();
        Self {
            host: Arc::clone(host),
            agent: Arc::clone(&caller.agent),
            cgroup: Arc::clone(&caller.cgroup),
            pid: caller.pid,
            uid: caller.uid,
            exe: Arc::clone(&caller.exe),
            task: Arc::clone(&caller.task),
            session: audit::next_id(micros_now()),
            sequence: 0,
            target: Arc::clone(&nothing),
            destination: caller.destination,
            boundary: caller.boundary,
            protocol: Arc::clone(&nothing),
            user: Arc::clone(&nothing),
            database: Arc::clone(&nothing),
            nothing,
            no_list: Arc::new([]),
        }
    }

    pub(super) fn at(self, target: &str, protocol: &str) -> Self {
        Self { target: target.into(), protocol: protocol.into(), ..self }
    }

    pub(super) fn logs_in(&mut self, user: &str, database: &str) {
        self.user = user.into();
        self.database = database.into();
    }

    pub(super) fn target(&self) -> &Arc<str> {
        &self.target
    }

    pub(super) fn database(&self) -> &Arc<str> {
        &self.database
    }

    fn row(&self, time: i64) -> Row {
        Row {
            id: audit::next_id(time),
            time,
            host: Arc::clone(&self.host),
            agent: Arc::clone(&self.agent),
            cgroup: Arc::clone(&self.cgroup),
            pid: self.pid,
            uid: self.uid,
            exe: Arc::clone(&self.exe),
            task: Arc::clone(&self.task),
            session: self.session,
            sequence: self.sequence,
            target: Arc::clone(&self.target),
            destination: self.destination,
            boundary: self.boundary,
            protocol: Arc::clone(&self.protocol),
            user: Arc::clone(&self.user),
            database: Arc::clone(&self.database),
            action: Action::Unknown,
            verb: Arc::clone(&self.nothing),
            resources: Arc::clone(&self.no_list),
            statement: String::new(),
            statement_bytes: 0,
            fingerprint: 0,
            binds: Vec::new(),
            certainty: Certainty::Opaque,
            verdict: Verdict::Deny,
            policies: Arc::clone(&self.no_list),
            reason: Arc::clone(&self.nothing),
            decision_ns: 0,
            outcome: Outcome::default(),
        }
    }

    /// The row of something refused that never became an operation.
    pub(super) fn refusal(&self, verb: &str, action: Action, reason: &str) -> Row {
        Row {
            verb: verb.into(),
            action,
            reason: reason.into(),
            outcome: Outcome::refused(),
            ..self.row(micros_now())
        }
    }

    /// The row of an operation that was decided: what, when it was asked (µs since 1970) and how long that took (ns).
    pub(super) fn operation(
        &mut self,
        op: &Operation,
        ruling: &Ruling,
        (verdict, (time, decision_ns)): (Verdict, (i64, u64)),
        keep: &Audit,
    ) -> Row {
        self.sequence += 1;
        let meaning = &op.meaning;
        let outcome = if verdict == Verdict::Deny { Outcome::refused() } else { Outcome::default() };
        let binds = if ruling.record_binds { self.binds(op, keep) } else { Vec::new() };
        Row {
            action: meaning.action,
            verb: Arc::clone(&meaning.verb),
            resources: Arc::clone(&ruling.resources),
            statement: text(&op.text, keep),
            statement_bytes: op.text.len() as u64,
            fingerprint: meaning.fingerprint,
            binds,
            certainty: meaning.certainty,
            verdict,
            policies: Arc::clone(&ruling.policies),
            reason: Arc::clone(&ruling.reason),
            decision_ns,
            outcome,
            ..self.row(time)
        }
    }

    fn binds(&self, op: &Operation, keep: &Audit) -> Vec<Option<String>> {
        op.binds.iter().map(|value| value.as_ref().map(|value| text(value, keep))).collect()
    }
}

/// A text as a row keeps it: scrubbed, cut, and UTF-8.
fn text(bytes: &[u8], keep: &Audit) -> String {
    let max = usize::try_from(keep.statement_bytes_max).unwrap_or(usize::MAX);
    // Scrubbed before it is cut: half a card number is not found any more. What is far beyond the cut can't show.
    let near = bytes.get(..bytes.len().min(max.saturating_add(1_024))).unwrap_or(bytes);
    let scrubbed =
        if keep.scrub.is_empty() { Cow::Borrowed(near) } else { mask::scrub(near, &detectors(keep)) };
    let cut = scrubbed.get(..scrubbed.len().min(max)).unwrap_or(&scrubbed);
    // Nearly always it is UTF-8, which is quicker to check at once than to look for what is not.
    std::str::from_utf8(cut).map_or_else(|_| String::from_utf8_lossy(cut).into_owned(), str::to_owned)
}

fn detectors(keep: &Audit) -> Detectors {
    keep.scrub.iter().fold(Detectors::none(), |all, scrub| match scrub {
        Scrub::Email => all.with(Detector::Email, Redactor::Null),
        Scrub::Card => all.with(Detector::Card, Redactor::Partial(4)),
    })
}

/// Now, in µs since 1970 UTC.
pub(super) fn micros_now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|d| i64::try_from(d.as_micros()).ok())
        .unwrap_or(0)
}
