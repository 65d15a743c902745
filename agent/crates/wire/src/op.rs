//! What one operation is and means, in words that no protocol owns.

use bytes::Bytes;
mod map;

pub use map::OpMap;

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

/// Number of an operation within its session, from 1, in the order the client asked.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OpId(pub u64);

/// One complete thing asked of a target: a statement, a login, a cancel request.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The session's own number for it.
    pub id: OpId,
    /// Whether this runs the operation or only prepares it.
    pub phase: Phase,
    /// What it means; shared by all repetitions of the same statement.
    pub meaning: Arc<Meaning>,
    /// The statement as the client wrote it (not necessarily UTF-8); empty where the protocol has none.
    pub text: Bytes,
    /// Bind values, in order, as sent (text or binary as the protocol has it); `None` is NULL.
    pub binds: Vec<Option<Bytes>>,
    /// For a cancel request: the key of the session that it wants to interrupt.
    pub cancel: Option<crate::CancelKey>,
}

/// Is an operation about to run, or only being prepared?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Nothing runs yet (PostgreSQL's Parse). Decided, so that nothing unpermitted is even prepared, but a row is
    /// written only if it is denied: the run that follows is asked, and recorded, on its own.
    Prepare,
    /// The operation runs when it is released. Exactly one audit row.
    Run,
}

/// What an operation does, as far as its protocol's reader can prove. Immutable, shared and cached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Meaning {
    /// The protocol's own word: `SELECT`, `COPY FROM`, `LOGIN`; several statements are joined with `;`.
    pub verb: std::sync::Arc<str>,
    /// The strongest action among `accesses`: what the audit row shows.
    pub action: Action,
    /// Everything the operation touches. Policy must permit every pair.
    pub accesses: Box<[Access]>,
    /// How much of it was understood.
    pub certainty: Certainty,
    /// Why `certainty` is not [`Certainty::Exact`]; empty otherwise.
    pub doubt: Box<str>,
    /// Further facts that a policy may ask for.
    pub facts: Facts,
    /// Equal for statements that differ only in constants; 0 where there is none. Not collision-resistant: for
    /// grouping in the audit trail, never for a decision.
    pub fingerprint: u64,
}

impl Meaning {
    /// A meaning of one action on nothing nameable, as logins and unreadable statements have.
    pub fn opaque(verb: &str, action: Action, doubt: &str) -> Self {
        Self {
            verb: verb.into(),
            action,
            accesses: Box::new([]),
            certainty: Certainty::Opaque,
            doubt: doubt.into(),
            facts: Facts::default(),
            fingerprint: 0,
        }
    }

    /// The hash that a decision cache may use; equality must still be checked by comparing.
    pub fn cache_hash(&self, hasher: &impl BuildHasher) -> u64 {
        let mut state = hasher.build_hasher();
        self.verb.hash(&mut state);
        self.accesses.hash(&mut state);
        self.facts.hash(&mut state);
        (self.certainty as u8).hash(&mut state);
        state.finish()
    }
}

/// One action on one resource.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Access {
    /// What is done.
    pub action: Action,
    /// To what.
    pub resource: Resource,
}

/// A protocol-neutral action. `verb` in [`Meaning`] keeps the native word.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Action {
    /// Open a session with a target, or interrupt one.
    Connect,
    /// Read data.
    Read,
    /// Call a routine, run a command.
    Execute,
    /// Create or change data.
    Write,
    /// Remove data.
    Delete,
    /// Create, change or drop the shape of data (DDL).
    Define,
    /// Settings, roles, files of the server, other sessions.
    Admin,
    /// Not understood: no policy can permit it.
    Unknown,
}

impl Action {
    /// Its name in policies and audit rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Read => "read",
            Self::Execute => "execute",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Define => "define",
            Self::Admin => "admin",
            Self::Unknown => "unknown",
        }
    }

    /// Can it change anything? Decides whether its audit row must be durable before it is released.
    pub const fn changes(self) -> bool {
        !matches!(self, Self::Connect | Self::Read)
    }
}

/// Something that a target holds. The path starts below the target and its database: `[schema, table, column]`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Resource {
    /// What kind of thing.
    pub kind: ResourceKind,
    /// Its name, outermost part first. Empty for [`ResourceKind::Database`] and [`ResourceKind::Target`]: a session
    /// has one of each. A column named `*` stands for every column of its table.
    pub path: Box<[Box<str>]>,
}

impl Resource {
    /// A resource from its kind and path.
    pub fn new(kind: ResourceKind, path: &[&str]) -> Self {
        Self { kind, path: path.iter().map(|part| Box::from(*part)).collect() }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        let mut lead = ' ';
        for part in &self.path {
            write!(f, "{lead}{part}")?;
            lead = '.';
        }
        Ok(())
    }
}

/// The kinds of [`Resource`]; they are the entity types of the policy schema.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ResourceKind {
    /// The target itself.
    Target,
    /// The session's database.
    Database,
    /// A schema: `[schema]`.
    Schema,
    /// A table, view, sequence or other relation: `[schema, table]`.
    Table,
    /// A column: `[schema, table, column]`.
    Column,
    /// A function, procedure or aggregate: `[schema, routine]`.
    Routine,
    /// Anything else that a protocol names: a role, a setting, a file, a channel.
    Name,
}

impl ResourceKind {
    /// Its name as the policy schema and the audit rows spell it, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Database => "database",
            Self::Schema => "schema",
            Self::Table => "table",
            Self::Column => "column",
            Self::Routine => "routine",
            Self::Name => "name",
        }
    }
}

/// How much of an operation was understood. The shipped policies permit only `Exact`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Certainty {
    /// All of it.
    Exact,
    /// The statement was read, but something in it could not be resolved; `accesses` may be incomplete.
    Partial,
    /// It could not be read at all.
    Opaque,
}

impl Certainty {
    /// Its name in policies and audit rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Partial => "partial",
            Self::Opaque => "opaque",
        }
    }
}

/// Facts about an operation that a policy may ask for. Absent means "does not apply".
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Facts {
    /// Every UPDATE and DELETE of the operation has a WHERE clause.
    pub filtered: Option<bool>,
    /// The largest number of rows its LIMIT lets through, where every result has one.
    pub limit: Option<i64>,
    /// Statements in the string.
    pub statements: u32,
}
