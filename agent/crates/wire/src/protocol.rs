//! The two traits that a protocol implements.

use crate::{Commands, Event, Limits, Side, WireError};
use std::sync::Arc;

/// One wire protocol.
pub trait Protocol: Sync {
    /// Its name in configuration, policies and audit rows.
    fn name(&self) -> &'static str;

    /// Do these first bytes of a client belong to it?
    fn detect(&self, first: &[u8]) -> Detection;

    /// The machine for one new connection.
    fn begin(&self, options: &Options) -> Box<dyn Interceptor>;
}

/// What the first bytes say about a protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Detection {
    /// It is this one.
    Match,
    /// Undecided; more bytes are needed.
    NeedMore,
    /// It is not.
    No,
}

/// What a machine is told about its connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// The limits to keep.
    pub limits: Arc<Limits>,
    /// What all connections share.
    pub shared: Arc<Shared>,
    /// Answer the client without the one extra request by which names are resolved as the target does. For
    /// comparisons byte by byte; names that need resolving make an operation [`crate::Certainty::Partial`].
    pub no_lookups: bool,
}

impl Options {
    /// Options for connections that keep these limits.
    pub fn new(limits: Arc<Limits>) -> Self {
        let shared = Arc::new(Shared { sql: crate::postgres::sql::Reader::new(&limits) });
        Self { limits, shared, no_lookups: false }
    }
}

/// Caches that serve all connections. Bounded; they change how fast an answer comes, never what it is.
#[derive(Debug)]
pub struct Shared {
    /// Statements read before.
    pub(crate) sql: crate::postgres::sql::Reader,
}

/// One connection's machine. Pure: the same events give the same commands.
pub trait Interceptor: Send {
    /// Takes one event and appends what must be done.
    ///
    /// # Errors
    /// The session must end: the commands appended before still stand, then both sides are closed.
    fn handle(&mut self, event: Event, out: &mut Commands) -> Result<(), WireError>;

    /// Should the driver read from this side now? Back-pressure, also while an operation is held.
    fn wants(&self, side: Side) -> bool;

    /// Is nothing under way that ending the session would break?
    fn idle(&self) -> bool;
}
