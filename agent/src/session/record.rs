//! Makes audit rows: what is the same for all rows of a session is prepared once.

use super::desk::Times;
use crate::config::{Audit, Scrub};
use crate::identity::{self, Caller};
use audit::{Outcome, Row, Subject, SubjectFields, Verdict};
use mask::{Detector, Detectors, Redactor};
use policy::Ruling;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use wire::{Action, Certainty, Operation};

/// What all rows of a host have in common.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The host's name.
    pub host: Arc<str>,
    /// The layers of the boundary that are missing, with commas between them.
    pub degraded: Arc<str>,
}

/// Makes the rows of one session.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    subject: Subject,
    sequence: u64,
}

impl Recorder {
    pub(super) fn new(site: &Site, caller: &Caller) -> Self {
        let process = &caller.process;
        let runs = identity::runs(&caller.cgroup);
        let subject = Subject::new(SubjectFields {
            host: Arc::clone(&site.host),
            degraded: Arc::clone(&site.degraded),
            agent: Arc::clone(&caller.agent),
            cgroup: Arc::clone(&caller.cgroup),
            pid: caller.pid,
            uid: caller.uid,
            exe: Arc::clone(&process.exe),
            cgroup_id: caller.cgroup_id,
            thread: caller.thread,
            login_uid: process.login_uid.unwrap_or(identity::UNKNOWN_UID),
            exe_hash: Arc::clone(&caller.exe_hash),
            exe_inode: process.file.map_or(0, |file| file.inode),
            argv: Arc::clone(&process.argv),
            parents: Arc::clone(&process.parents),
            unit: runs.unit.into(),
            container: runs.container.into(),
            task: Arc::clone(&caller.task),
            session: audit::next_id(micros_now()),
            destination: caller.destination,
            boundary: caller.boundary,
            ..SubjectFields::default()
        });
        Self { subject, sequence: 0 }
    }

    pub(super) fn at(mut self, target: &str, protocol: &str) -> Self {
        let subject = self.subject.edit();
        subject.target = target.into();
        subject.protocol = protocol.into();
        self
    }

    /// Adds the names that the destination is known by.
    pub(super) fn named(mut self, names: &[Arc<str>]) -> Self {
        if !names.is_empty() {
            self.subject.edit().destination_name = names.join(" ").into();
        }
        self
    }

    pub(super) fn logs_in(&mut self, user: &str, database: &str) {
        let subject = self.subject.edit();
        subject.user = user.into();
        subject.database = database.into();
    }

    /// Whose rows they are.
    pub(super) const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The row of something refused that never became an operation.
    pub(super) fn refusal(&self, verb: &str, action: Action, reason: &str) -> Row {
        let time = micros_now();
        Row {
            id: audit::next_id(time),
            time,
            subject: self.subject.clone(),
            sequence: self.sequence,
            action,
            verb: verb.into(),
            resources: Arc::new([]),
            statement: String::new(),
            statement_bytes: 0,
            fingerprint: 0,
            binds: Vec::new(),
            certainty: Certainty::Opaque,
            verdict: Verdict::Deny,
            policies: Arc::new([]),
            reason: reason.into(),
            decision_ns: 0,
            outcome: Outcome::refused(),
        }
    }

    /// The row of an operation that was decided.
    pub(super) fn operation(
        &mut self,
        op: &Operation,
        ruling: &Ruling,
        (verdict, Times { time, decision_ns }): (Verdict, Times),
        keep: &Audit,
    ) -> Row {
        self.sequence += 1;
        let meaning = &op.meaning;
        let outcome = if verdict == Verdict::Deny { Outcome::refused() } else { Outcome::default() };
        let binds = if ruling.record_binds { self.binds(op, keep) } else { Vec::new() };
        Row {
            id: audit::next_id(time),
            time,
            subject: self.subject.clone(),
            sequence: self.sequence,
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
    micros(SystemTime::now())
}

/// A time, in µs since 1970 UTC; 0 before that.
pub(super) fn micros(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|d| i64::try_from(d.as_micros()).ok()).unwrap_or(0)
}
