//! Decides the operations of one session and records them: none is released without a ruling and a row.
//!
//! A machine asks [`Desk::decide`] by its questions; what is answered here instead of passed on (lookups) asks
//! [`Desk::admit`].

use super::Sessions;
use super::ledger::Account;
use super::record::{Recorder, micros_now};
use super::registry::Entry;
use crate::config::Durable;
use crate::identity::{self, Caller};
use crate::live::Live;
use audit::{Begun, End, Outcome, SpoolError, Verdict as Recorded};
use policy::{Asked, Effect, Place, Principal, Ruling};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;
use wire::{
    Access, Action, Answer, Blame, Denial, Meaning, OpEnd, OpId, OpMap, Operation, Phase, Question,
    ResourceKind, Verdict, WireError,
};

/// The desk of one session.
pub(crate) struct Desk {
    sessions: Sessions,
    recorder: Recorder,
    caller: Caller,
    entry: Arc<Entry>,
    /// Who asks: the agent, then those that it is inside of, which must all be permitted it.
    who: Vec<Principal>,
    at: Place,
    /// Other targets that the connection may be for: their rules must permit too.
    also: Vec<Place>,
    running: OpMap<Running>,
}

struct Running {
    begun: Begun,
    released: Instant,
}

/// What became of an operation.
pub(crate) enum Admission {
    /// It may run; its row is open.
    Released,
    /// It may not; its row is written.
    Refused(Denial),
    /// It may once its row is on the disk: [`Desk::settle`] then says.
    Soon(Recording),
}

/// A row on its way to the disk.
pub(crate) type Recording = oneshot::Receiver<Result<Begun, SpoolError>>;

/// When a question was asked, and for how long it was decided.
#[derive(Clone, Copy)]
pub(super) struct Times {
    /// When it was asked, in µs since 1970 UTC.
    pub(super) time: i64,
    /// How long the decision took.
    pub(super) decision_ns: u64,
}

/// What became of a question.
pub(super) enum Decided {
    /// It has its answer.
    Now(Answer),
    /// Its row is on its way to the disk.
    Soon(Waiting),
}

/// A permitted operation whose row must be durable first.
pub(super) struct Waiting {
    question: Question,
    pub(super) row: Recording,
}

impl Desk {
    pub(super) fn new(sessions: Sessions, recorder: Recorder, caller: Caller, entry: Arc<Entry>) -> Self {
        let who = [&caller.agent].into_iter().chain(caller.outer.iter());
        let who = who.map(|agent| principal(agent, &caller)).collect();
        let at = place_of(&recorder);
        Self { sessions, recorder, caller, entry, who, at, also: Vec::new(), running: OpMap::default() }
    }

    /// Has the rules of these targets hold as well: whatever any of them refuses is refused.
    pub(super) fn and_as(mut self, targets: &[&str]) -> Self {
        self.also = targets.iter().map(|target| Place::new((*target).into(), "".into())).collect();
        self
    }

    /// Why nobody can decide for who asks, if so.
    pub(crate) fn unknown(&self, live: &Live) -> Option<String> {
        super::place::unknown_agent(live, &self.caller)
    }

    /// The strictest ruling on what an operation means there, of all who must be permitted it.
    fn ask(&self, live: &Live, at: &Place, meaning: &Arc<Meaning>, hour: u8) -> Arc<Ruling> {
        self.strictest(|who| live.policies.rule(&Asked { who, at, meaning, hour }))
    }

    /// The strictest ruling on all who must be permitted something.
    pub(crate) fn strictest(&self, rule: impl Fn(&Principal) -> Arc<Ruling>) -> Arc<Ruling> {
        self.who.iter().map(rule).reduce(stricter).unwrap_or_else(nobody)
    }

    /// Where.
    pub(crate) const fn place(&self) -> &Place {
        &self.at
    }

    pub(super) fn logs_in(&mut self, user: &str, database: &str) {
        self.recorder.logs_in(user, database);
        self.at = place_of(&self.recorder);
        let database: Arc<str> = database.into();
        for place in &mut self.also {
            *place = Place::new(Arc::clone(&place.target), Arc::clone(&database));
        }
    }

    pub(super) fn cancel_key(&self, key: wire::CancelKey) {
        let subject = self.recorder.subject();
        self.sessions.registry.remember(&self.entry, subject.session, &subject.target, key);
    }

    /// Rules on a question and sees to its row.
    pub(super) fn decide(&mut self, question: Question) -> Decided {
        match self.admit(question.op(), Self::rule) {
            Admission::Released => Decided::Now(question.answer(Verdict::Forward).0),
            Admission::Refused(denial) => Decided::Now(question.answer(Verdict::Deny(denial)).0),
            Admission::Soon(row) => Decided::Soon(Waiting { question, row }),
        }
    }

    /// Rules on an operation by `rule`, which gets the policies in force and the hour, and sees to its row.
    pub(crate) fn admit(
        &mut self,
        op: &Operation,
        rule: impl FnOnce(&Self, &Live, &Operation, u8) -> Arc<Ruling>,
    ) -> Admission {
        let (time, asked) = (micros_now(), Instant::now());
        let live = self.sessions.live.load();
        let ruling = rule(self, &live, op, hour(time));
        let decision_ns = u64::try_from(asked.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let times = Times { time, decision_ns };
        match &ruling.effect {
            Effect::Forward => self.forward(&live, op, &ruling, times),
            Effect::Deny => Admission::Refused(self.deny(&live, op, &ruling, times)),
            Effect::Hold { groups } => {
                let ruling = unapproved(&ruling, groups);
                Admission::Refused(self.deny(&live, op, &ruling, times))
            }
        }
    }

    fn rule(&self, live: &Live, op: &Operation, hour: u8) -> Arc<Ruling> {
        if let Some(key) = &op.cancel {
            return Arc::new(self.rule_on_cancel(key));
        }
        let ask = |at| self.ask(live, at, &op.meaning, hour);
        self.also.iter().map(ask).fold(ask(&self.at), stricter)
    }

    /// An agent may interrupt its own operations: that takes nothing that it could not do by hanging up.
    fn rule_on_cancel(&self, key: &wire::CancelKey) -> Ruling {
        let target = &self.recorder.subject().target;
        let owner = self.sessions.registry.owner(target, key);
        let (effect, policy, reason) = match owner {
            Some((agent, session)) if agent == self.caller.agent => {
                (Effect::Forward, "interlock:cancel-own-session", format!("interrupts session {session}"))
            }
            Some((agent, session)) => {
                let reason = format!("session {session} is agent `{agent}`'s");
                (Effect::Deny, "interlock:cancel-own-session", reason)
            }
            None => {
                let reason = "no open session has this cancel key".to_owned();
                (Effect::Deny, "interlock:cancel-own-session", reason)
            }
        };
        Ruling {
            effect,
            policies: Arc::new([policy.into()]),
            reason: reason.into(),
            hint: "".into(),
            resources: Arc::new([format!("connect target {target}").into()]),
            record_binds: false,
        }
    }

    fn forward(&mut self, live: &Live, op: &Operation, ruling: &Ruling, times: Times) -> Admission {
        if op.phase == Phase::Prepare {
            return Admission::Released;
        }
        let keep = &live.config.audit;
        let row = self.recorder.operation(op, ruling, (Recorded::Forward, times), keep);
        let durable = match live.config.audit.durable {
            Durable::Writes => changes_something(&op.meaning.accesses),
            Durable::All => true,
            Durable::Never => false,
        };
        if durable {
            let (sender, receiver) = oneshot::channel();
            let then = move |begun| {
                // Nobody waits any more: the session is gone, and dropping the row records that.
                drop(sender.send(begun));
            };
            self.sessions.spool.begin_durable(row, Box::new(then));
            return Admission::Soon(receiver);
        }
        let begun = self.sessions.spool.begin(row);
        self.settle(op.id, begun)
    }

    /// The row of a waiting operation reached the disk, or could not.
    pub(super) fn recorded(&mut self, waiting: Waiting, begun: Result<Begun, SpoolError>) -> Answer {
        match self.settle(waiting.question.op().id, begun) {
            Admission::Refused(denial) => waiting.question.answer(Verdict::Deny(denial)).0,
            _ => waiting.question.answer(Verdict::Forward).0,
        }
    }

    /// The row of an operation reached its place, or could not: releases or refuses it.
    pub(crate) fn settle(&mut self, op: OpId, begun: Result<Begun, SpoolError>) -> Admission {
        match begun {
            Ok(begun) => {
                self.sessions.registry.counts.forwarded();
                self.running.insert(op, Running { begun, released: Instant::now() });
                Admission::Released
            }
            Err(error) => {
                tracing::error!(%error, agent = %self.caller.agent, "an operation is refused because it can't be recorded");
                self.sessions.registry.counts.denied();
                Admission::Refused(Denial {
                    message: "refused by Interlock: the operation can't be recorded".into(),
                    hint: "Ask the operators of this host to look at `interlock doctor`.".into(),
                })
            }
        }
    }

    fn deny(&mut self, live: &Live, op: &Operation, ruling: &Ruling, times: Times) -> Denial {
        self.sessions.registry.counts.denied();
        let keep = &live.config.audit;
        let row = self.recorder.operation(op, ruling, (Recorded::Deny, times), keep);
        if let Err(error) = self.sessions.spool.record(row) {
            tracing::error!(%error, reason = %ruling.reason, "a refused operation could not be recorded");
        }
        let message = format!("refused by Interlock: {}", ruling.reason).into();
        Denial { message, hint: (&*ruling.hint).into() }
    }

    /// An operation came to its end: its row is complete.
    pub(crate) fn done(&mut self, end: OpEnd) {
        let Some(running) = self.running.remove(end.op()) else { return };
        let target_us = u64::try_from(running.released.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (error_code, error) =
            end.error.map_or((None, String::new()), |(code, text)| (Some(code), text.into()));
        let ended = if error_code.is_some() { End::Failed } else { End::Done };
        let outcome = Outcome {
            end: ended,
            rows: end.rows,
            bytes_in: end.bytes_in,
            bytes_out: end.bytes_out,
            target_us,
            error,
            ..error_code.map_or_else(Outcome::default, |code| Outcome {
                error_code: code.into(),
                ..Outcome::default()
            })
        };
        self.sessions.spool.finish(running.begun, outcome);
    }

    /// The session ends because one side broke the protocol, or is not understood.
    pub(super) fn broken(&mut self, error: &WireError) {
        self.sessions.registry.counts.failed();
        let verb = match error.blame {
            Blame::Client | Blame::Server => "PROTOCOL ERROR",
            Blame::Us => "INTERNAL ERROR",
        };
        self.refused(verb, &error.to_string());
    }

    /// The session is over: so many bytes of the agent went to the decoder, so many were written to it.
    pub(super) fn close(&self, decoded: u64, written: u64) {
        if self.caller.cookie == 0 {
            return;
        }
        let account =
            Account { cookie: self.caller.cookie, decoded, written, recorder: self.recorder.clone() };
        self.sessions.tell_difference(self.sessions.ledger.session(account));
    }

    /// The session is ended from here for a reason that is no operation's.
    pub(crate) fn refused(&mut self, verb: &str, reason: &str) {
        self.sessions.registry.counts.denied();
        let row = self.recorder.refusal(verb, Action::Unknown, reason);
        if let Err(error) = self.sessions.spool.record(row) {
            tracing::error!(%error, reason, "the end of a session could not be recorded");
        }
    }
}

fn principal(agent: &Arc<str>, caller: &Caller) -> Principal {
    let container = identity::runs(&caller.cgroup).container;
    Principal::new(
        Arc::clone(agent),
        caller.cgroup.to_string(),
        caller.process.exe.to_string(),
        caller.exe_hash.to_string(),
        caller.uid,
    )
    .in_container(Some(container.to_owned()).filter(|id| !id.is_empty()))
    .on_task(Some(caller.task.to_string()).filter(|task| !task.is_empty()))
}

/// The one of two rulings that permits less; the first, if they permit the same.
fn stricter(one: Arc<Ruling>, other: Arc<Ruling>) -> Arc<Ruling> {
    let severity = |ruling: &Ruling| match ruling.effect {
        Effect::Forward => 0,
        Effect::Hold { .. } => 1,
        Effect::Deny => 2,
    };
    if severity(&other) > severity(&one) { other } else { one }
}

/// What nobody asks, nobody may: there is always somebody.
fn nobody() -> Arc<Ruling> {
    Arc::new(Ruling {
        effect: Effect::Deny,
        policies: Arc::new([]),
        reason: "nobody asks".into(),
        hint: "".into(),
        resources: Arc::new([]),
        record_binds: false,
    })
}

fn place_of(recorder: &Recorder) -> Place {
    let subject = recorder.subject();
    Place::new(Arc::clone(&subject.target), Arc::clone(&subject.database))
}

/// The ruling on an operation that people would have to approve, where they can't.
fn unapproved(ruling: &Ruling, groups: &[String]) -> Ruling {
    let groups = groups.join("`, `");
    Ruling {
        effect: Effect::Deny,
        reason: format!("{}; it would need the approval of `{groups}`", ruling.reason).into(),
        hint: "This version of Interlock can't ask people for approval: have a policy permit the operation."
            .into(),
        ..ruling.clone()
    }
}

/// May it change something? Calls of built-in routines don't count: those that change something are refused by the
/// shipped policies, and a policy that permits them can ask for more with `audit.durable = "all"`.
fn changes_something(accesses: &[Access]) -> bool {
    accesses.iter().any(|access| match access.action {
        Action::Connect | Action::Read => false,
        Action::Execute => access.resource.path.first().is_none_or(|schema| &**schema != "pg_catalog"),
        Action::Write => {
            access.resource.kind != ResourceKind::Name
                || access.resource.path.first().is_none_or(|kind| &**kind != "setting")
        }
        Action::Delete | Action::Define | Action::Admin | Action::Unknown => true,
    })
}

/// The hour of the day, UTC, at a time in µs since 1970.
fn hour(time: i64) -> u8 {
    u8::try_from(time.div_euclid(3_600_000_000).rem_euclid(24)).unwrap_or(0)
}
