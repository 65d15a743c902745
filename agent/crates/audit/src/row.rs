//! The audit row: one per operation, complete when its outcome is known.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use uuid::Uuid;
use wire::{Action, Certainty};

mod fit;
mod id;
mod subject;
#[cfg(test)]
pub(crate) mod tests;

pub use id::next_id;
pub use subject::{Subject, SubjectFields};

/// One operation: who asked what of whom, what was decided and why, and how it ended.
///
/// Every field is a column of the store, the journal and ClickHouse; [`crate::COLUMNS`] says which.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// UUID version 7; unique over all hosts. [`next_id`] makes one without a system call.
    pub id: Uuid,
    /// When the operation was asked, in µs since 1970 UTC.
    pub time: i64,
    /// Whose operation it is.
    pub subject: Subject,
    /// Number of the operation within its session, from 1.
    pub sequence: u64,
    /// The strongest action of the operation.
    pub action: Action,
    /// The protocol's own word for it.
    pub verb: Arc<str>,
    /// What it touches, as `kind path` strings.
    pub resources: Arc<[Arc<str>]>,
    /// The statement, lossy UTF-8, cut at a configured length.
    pub statement: String,
    /// Bytes of the statement before it was cut.
    pub statement_bytes: u64,
    /// Equal for statements that differ only in constants; 0 where there is none.
    pub fingerprint: u64,
    /// Bind values where policy asks for them; `None` is NULL.
    pub binds: Vec<Option<String>>,
    /// How much of the statement was understood.
    pub certainty: Certainty,
    /// What was decided.
    pub verdict: Verdict,
    /// Names of the policies that decided.
    pub policies: Arc<[Arc<str>]>,
    /// One sentence: why.
    pub reason: Arc<str>,
    /// How long the decision took, in ns.
    pub decision_ns: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an operation ended. The default is what is known of one that nobody saw end.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// In one word.
    pub end: End,
    /// Rows returned or changed, as the target counted them.
    pub rows: u64,
    /// Bytes from the agent that belong to it.
    pub bytes_in: u64,
    /// Bytes to the agent that belong to it.
    pub bytes_out: u64,
    /// From release to the last byte of the answer, in µs.
    pub target_us: u64,
    /// The target's error code; empty without an error.
    pub error_code: Arc<str>,
    /// The target's error message; empty without an error.
    pub error: String,
}

/// The empty text: one for all, since nearly every row has several.
pub(crate) fn no_text() -> Arc<str> {
    static EMPTY: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(""));
    Arc::clone(&EMPTY)
}

impl Default for Outcome {
    fn default() -> Self {
        Self {
            end: End::Interrupted,
            rows: 0,
            bytes_in: 0,
            bytes_out: 0,
            target_us: 0,
            error_code: no_text(),
            error: String::new(),
        }
    }
}

impl Outcome {
    /// The outcome of an operation that was never released.
    pub fn refused() -> Self {
        Self { end: End::Refused, ..Self::default() }
    }
}

/// A set of words that rows store as a number: the word is what a reader sees, the number never changes.
pub trait Word: Copy + 'static {
    /// Every value.
    const ALL: &'static [Self];
    /// Its number, from 1.
    fn code(self) -> u8;
    /// Its word.
    fn word(self) -> &'static str;

    /// The value of a number.
    fn of_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.code() == code)
    }

    /// The value of a word.
    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.word() == word)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $value:ident = $code:literal $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name { $($(#[$about])* $value),+ }

        impl Word for $name {
            const ALL: &'static [Self] = &[$(Self::$value),+];
            fn code(self) -> u8 {
                match self { $(Self::$value => $code),+ }
            }
            fn word(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }
        }
    };
}

words! {
    /// How the connection came to us.
    Boundary {
        /// Redirected by the kernel: the agent could not avoid it.
        Transparent = 1 "transparent",
        /// Made to an explicit listener: not a boundary.
        Explicit = 2 "explicit",
    }
}

words! {
    /// What was decided about an operation.
    Verdict {
        /// Released as it was.
        Forward = 1 "forward",
        /// Refused.
        Deny = 2 "deny",
    }
}

words! {
    /// How an operation ended.
    End {
        /// The target did it.
        Done = 1 "done",
        /// The target answered with an error.
        Failed = 2 "failed",
        /// It was never released.
        Refused = 3 "refused",
        /// Its end was not seen: the session broke, or the host agent stopped or was killed.
        Interrupted = 4 "interrupted",
    }
}

impl Word for Action {
    const ALL: &'static [Self] = &[
        Self::Connect,
        Self::Read,
        Self::Execute,
        Self::Write,
        Self::Delete,
        Self::Define,
        Self::Admin,
        Self::Unknown,
    ];
    fn code(self) -> u8 {
        match self {
            Self::Connect => 1,
            Self::Read => 2,
            Self::Execute => 3,
            Self::Write => 4,
            Self::Delete => 5,
            Self::Define => 6,
            Self::Admin => 7,
            Self::Unknown => 8,
        }
    }
    fn word(self) -> &'static str {
        self.name()
    }
}

impl Word for Certainty {
    const ALL: &'static [Self] = &[Self::Exact, Self::Partial, Self::Opaque];
    fn code(self) -> u8 {
        match self {
            Self::Exact => 1,
            Self::Partial => 2,
            Self::Opaque => 3,
        }
    }
    fn word(self) -> &'static str {
        self.name()
    }
}

impl Row {
    /// A row with every field empty; readers fill it column by column.
    pub(crate) fn blank() -> Self {
        Blank::default().row()
    }

    /// The destination's address in the one form that rows store.
    pub(crate) fn destination_ip(&self) -> Ipv6Addr {
        match self.subject.destination.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        }
    }

    /// Sets the address part of the destination; IPv4-mapped addresses become IPv4.
    pub(crate) fn set_destination_ip(&mut self, ip: Ipv6Addr) {
        let ip = ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4);
        let subject = self.subject.edit();
        subject.destination = SocketAddr::new(ip, subject.destination.port());
    }
}

/// Shared empty values, so that a block of blank rows costs no allocations.
pub(crate) struct Blank {
    subject: Subject,
    text: Arc<str>,
    list: Arc<[Arc<str>]>,
}

impl Default for Blank {
    fn default() -> Self {
        Self { subject: Subject::new(SubjectFields::default()), text: no_text(), list: Arc::from([]) }
    }
}

impl Blank {
    /// A row with every field empty.
    pub(crate) fn row(&self) -> Row {
        let text = || Arc::clone(&self.text);
        Row {
            id: Uuid::nil(),
            time: 0,
            subject: self.subject.clone(),
            sequence: 0,
            action: Action::Unknown,
            verb: text(),
            resources: Arc::clone(&self.list),
            statement: String::new(),
            statement_bytes: 0,
            fingerprint: 0,
            binds: Vec::new(),
            certainty: Certainty::Opaque,
            verdict: Verdict::Deny,
            policies: Arc::clone(&self.list),
            reason: text(),
            decision_ns: 0,
            outcome: Outcome::default(),
        }
    }
}
