//! A machine's error ends its session; it says whose fault it was.

use std::fmt;

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Blame {
    /// The client broke the protocol or a limit.
    Client,
    /// The target did.
    Server,
    /// A bug in here.
    Us,
}

/// The end of a session for a protocol reason. The machine has already queued what can still be told to the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WireError {
    /// Whose fault.
    pub blame: Blame,
    /// What happened: lower case, no period, no data from the wire.
    pub what: &'static str,
}

impl WireError {
    pub(crate) const fn client(what: &'static str) -> Self {
        Self { blame: Blame::Client, what }
    }

    pub(crate) const fn server(what: &'static str) -> Self {
        Self { blame: Blame::Server, what }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.blame {
            Blame::Client => "client",
            Blame::Server => "target",
            Blame::Us => "interlock",
        };
        write!(f, "{who}: {}", self.what)
    }
}

impl std::error::Error for WireError {}
