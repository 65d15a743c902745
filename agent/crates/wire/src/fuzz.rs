//! The properties that every machine must have, each as one function that panics when it does not hold. Unit tests call
//! them with generated input, fuzz targets with hostile input.

use crate::{
    Command, Commands, Denial, Event, Interceptor, Observation, OpId, Options, Phase, Protocol, Question,
    Side, Verdict,
};
use bytes::Bytes;
use std::collections::BTreeSet;

/// What a machine did so far.
#[derive(Debug, Default)]
pub struct Transcript {
    /// Everything sent to the client, merged.
    pub to_client: Vec<u8>,
    /// Everything sent to the target, merged.
    pub to_server: Vec<u8>,
    /// Each question: phase, verb, text.
    pub asked: Vec<(Phase, String, Vec<u8>)>,
    /// Each operation that ended: number, rows, error code.
    pub done: Vec<(u64, u64, Option<String>)>,
    /// Sides that were closed.
    pub closed: Vec<Side>,
    /// Why the machine gave up.
    pub error: Option<String>,
}

/// A machine under test and what it did.
pub struct Bench {
    machine: Box<dyn Interceptor>,
    /// What it did.
    pub seen: Transcript,
    held: Option<Question>,
    released: BTreeSet<OpId>,
}

impl Bench {
    /// A new connection of that protocol.
    pub fn new(protocol: &dyn Protocol, options: &Options) -> Self {
        let machine = protocol.begin(options);
        Self { machine, seen: Transcript::default(), held: None, released: BTreeSet::new() }
    }

    /// The question that waits for its answer.
    pub const fn held(&self) -> Option<&Question> {
        self.held.as_ref()
    }

    /// Does the machine want to read from that side?
    pub fn wants(&self, side: Side) -> bool {
        self.machine.wants(side)
    }

    /// Bytes arrive; questions stay unanswered.
    pub fn data(&mut self, from: Side, bytes: &[u8]) {
        self.event(Event::Data { from, bytes: Bytes::copy_from_slice(bytes) });
    }

    /// The held question is answered.
    pub fn answer(&mut self, verdict: Verdict) {
        let Some(question) = self.held.take() else { return };
        if verdict == Verdict::Forward && question.op().phase == Phase::Run {
            self.released.insert(question.op().id);
        }
        let (answer, _) = question.answer(verdict);
        self.event(Event::Answer(answer));
    }

    /// Bytes arrive, and every question they raise is answered at once.
    pub fn data_answered(&mut self, from: Side, bytes: &[u8], mut verdict: impl FnMut(&Question) -> Verdict) {
        self.data(from, bytes);
        while let Some(question) = self.held() {
            let verdict = verdict(question);
            self.answer(verdict);
        }
    }

    /// Feeds one event and checks what must hold after any.
    pub fn event(&mut self, event: Event) {
        if self.seen.error.is_some() {
            return;
        }
        let mut commands = Commands::new();
        let handled = self.machine.handle(event, &mut commands);
        self.seen.error = handled.err().map(|error| error.to_string());
        for command in commands {
            self.take(command);
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Send { to, bytes } => {
                assert!(!bytes.is_empty(), "an empty send");
                assert!(
                    self.held.is_none() || to == Side::Client,
                    "bytes to the target behind an open question"
                );
                let merged =
                    if to == Side::Client { &mut self.seen.to_client } else { &mut self.seen.to_server };
                merged.extend_from_slice(&bytes);
            }
            Command::Ask(question) => {
                assert!(self.held.is_none(), "a second question before the first was answered");
                let op = question.op();
                self.seen.asked.push((op.phase, op.meaning.verb.to_string(), op.text.to_vec()));
                self.held = Some(question);
            }
            Command::Observe(Observation::Done(end)) => {
                assert!(self.released.remove(&end.op()), "an end of something that was not running");
                let code = end.error.map(|(code, _)| code.into());
                self.seen.done.push((end.id, end.rows, code));
            }
            Command::Observe(_) => {}
            Command::Close { side } => self.seen.closed.push(side),
        }
    }
}

/// A refusal for tests.
pub fn denial() -> Verdict {
    Verdict::Deny(Denial { message: "refused".into(), hint: "".into() })
}

/// Hostile bytes from both sides with any answers at any time: no panic, no second question, nothing to the target
/// behind an open question, no end of what never ran, and no more output than the input can explain.
///
/// The script is a list of records: a control byte (bit 0: from the target; bit 1: refuse; bit 2: answer later), a
/// length, then so much data.
pub fn hostile(protocol: &dyn Protocol, options: &Options, mut script: &[u8]) {
    const REPLY_BYTES_MAX: usize = 1_024;
    let mut bench = Bench::new(protocol, options);
    let (mut given, mut records) = (0, 0);
    while let Some((&[control, length], rest)) = script.split_first_chunk() {
        let (data, rest) = rest.split_at_checked(usize::from(length)).unwrap_or((rest, &[]));
        script = rest;
        given += data.len();
        records += 1;
        let side = if control & 1 == 0 { Side::Client } else { Side::Server };
        bench.data(side, data);
        while control & 4 == 0 && bench.held().is_some() {
            bench.answer(if control & 2 == 0 { Verdict::Forward } else { denial() });
        }
    }
    bench.event(Event::Eof { from: Side::Client });
    let asked = bench.seen.asked.len();
    let sent = bench.seen.to_client.len() + bench.seen.to_server.len();
    assert!(
        sent <= given + (asked + records + 2) * REPLY_BYTES_MAX,
        "more output than the input can explain"
    );
}

/// The same bytes cut anywhere give the same transcript. `turns` are what each side says in turn.
pub fn split_invariant(
    protocol: &dyn Protocol,
    options: &Options,
    turns: &[(Side, Vec<u8>)],
    cuts: &[usize],
) {
    let whole = run(protocol, options, turns, &[]);
    let pieces = run(protocol, options, turns, cuts);
    assert_eq!(whole.to_server, pieces.to_server, "the target got something else");
    assert_eq!(whole.to_client, pieces.to_client, "the client got something else");
    assert_eq!(whole.asked, pieces.asked, "something else was asked");
    assert_eq!(whole.done, pieces.done, "something else ended");
    assert_eq!(whole.error, pieces.error, "another error");
}

/// Runs a conversation in which everything is released, each turn cut at `cuts` (repeated over the turn).
pub fn run(
    protocol: &dyn Protocol,
    options: &Options,
    turns: &[(Side, Vec<u8>)],
    cuts: &[usize],
) -> Transcript {
    let mut bench = Bench::new(protocol, options);
    let mut cuts = cuts.iter().copied().cycle();
    for (side, bytes) in turns {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let cut = cuts.next().unwrap_or(rest.len()).clamp(1, rest.len());
            let (piece, after) = rest.split_at_checked(cut).unwrap_or((rest, &[]));
            bench.data_answered(*side, piece, |_| Verdict::Forward);
            rest = after;
        }
    }
    bench.seen
}
