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
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The limits to keep.
    pub limits: Arc<Limits>,
    /// Answer the client without the one extra request by which names are resolved as the target does. For
    /// comparisons byte by byte; names that need resolving make an operation [`crate::Certainty::Partial`].
    pub no_lookups: bool,
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
}
