//! What goes into a machine and what comes out.

use crate::{Answer, OpId, Question};
use bytes::Bytes;

/// One of the two ends of an intercepted connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The governed agent.
    Client,
    /// The target.
    Server,
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// Bytes arrived.
    Data {
        /// From which side.
        from: Side,
        /// In arrival order, cut anywhere.
        bytes: Bytes,
    },
    /// A side will send no more.
    Eof {
        /// Which.
        from: Side,
    },
    /// A question was answered.
    Answer(Answer),
    /// The target can't be connected to. Comes instead of anything from the server.
    Unreachable,
    /// The session is ended from here: tell the client, in its own dialect, and close.
    Shutdown,
}

/// What the driver must do, in this order.
#[derive(Debug)]
pub enum Command {
    /// Write bytes.
    Send {
        /// To which side.
        to: Side,
        /// What.
        bytes: Bytes,
    },
    /// Have this decided and feed the answer back.
    Ask(Question),
    /// Note this for the audit row or the session.
    Observe(Observation),
    /// Send nothing more to this side and close it once all that was sent is flushed.
    Close {
        /// Which.
        side: Side,
    },
}

/// The driver's list of commands; a machine only appends.
pub type Commands = Vec<Command>;

/// A fact about the session that is no bytes.
#[derive(Debug)]
pub enum Observation {
    /// The client named itself. Comes before the first question.
    Login {
        /// The user it wants to be.
        user: Box<str>,
        /// The database it wants.
        database: Box<str>,
        /// What it calls itself (`application_name`); a claim, never an identity.
        application: Box<str>,
    },
    /// The target gave the session a key by which another connection may interrupt it.
    CancelKey(CancelKey),
    /// An answered operation came to its end. Exactly one per answered [`crate::Phase::Run`] question.
    Done(OpEnd),
}

/// How an operation ended.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OpEnd {
    /// Which; 0 only in a default value.
    pub id: u64,
    /// Rows returned or changed, as the target counted them.
    pub rows: u64,
    /// Bytes from the target to the client that belong to it.
    pub bytes_out: u64,
    /// Bytes from the client that belong to it.
    pub bytes_in: u64,
    /// The target's error: code and message.
    pub error: Option<(Box<str>, Box<str>)>,
}

impl OpEnd {
    /// The operation that ended.
    pub const fn op(&self) -> OpId {
        OpId(self.id)
    }
}

/// PostgreSQL's BackendKeyData, MySQL's connection id: what a cancel request names.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct CancelKey {
    /// The target's process or connection number.
    pub process: u32,
    /// The secret that goes with it.
    pub secret: Bytes,
}
