//! One question, one answer: the only way for a held operation to go on.

use crate::{OpId, Operation};

/// An operation that is kept back until it is answered. Dropping it unanswered leaves the operation kept back.
#[derive(Debug)]
#[must_use = "an unanswered question holds its operation for ever"]
pub struct Question {
    op: Operation,
}

impl Question {
    /// Only machines ask.
    pub(crate) const fn new(op: Operation) -> Self {
        Self { op }
    }

    /// What is asked.
    pub const fn op(&self) -> &Operation {
        &self.op
    }

    /// Answers it. Consumes the question, so that nothing is answered twice.
    pub fn answer(self, verdict: Verdict) -> (Answer, Operation) {
        (Answer { id: self.op.id, verdict }, self.op)
    }
}

/// The answer to one [`Question`]. Neither `Clone` nor otherwise constructible.
#[derive(Debug)]
pub struct Answer {
    pub(crate) id: OpId,
    pub(crate) verdict: Verdict,
}

/// What happens to an operation. There is no "hold": to a machine, a hold is only time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Release it as the client sent it.
    Forward,
    /// Refuse it in the client's own dialect; nothing of it reaches the target.
    Deny(Denial),
}

/// Why an operation is refused, as told to the client. Must not hold secrets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Denial {
    /// One sentence: what was refused and which rule did it.
    pub message: Box<str>,
    /// What the user can do about it; may be empty.
    pub hint: Box<str>,
}
