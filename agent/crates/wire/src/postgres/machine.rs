//! The machine of one PostgreSQL connection.
//!
//! ```text
//!            SSLRequest: `N`                     AuthenticationOk … ReadyForQuery
//!             ┌──────┐                                     │
//!             ▼      │   login asked, released             ▼
//!  ──▶ Startup ──────┴────────▶ Authenticating ──────▶ Session ──┐ every Query, Parse, Bind,
//!         │                          │                   │  ▲     │ FunctionCall: asked
//!         │ CancelRequest            │ refused,          │  └─────┘
//!         ▼                          ▼ failed            ▼ Terminate, end of stream, protocol error
//!       Ending ──────────────────▶ Closed ◀──────────────┘
//! ```
//!
//! Nothing that can run reaches the target before its answer, whatever state the target is in: what is asked depends
//! on the message alone. The reply queue serves attribution (which row a reply belongs to) and replaces the error that a
//! refused request's stand-in provokes. `client.rs` reads the client's side, `server.rs` the target's, `lookup.rs`
//! asks the target for its search path, `meaning.rs` says what a request means, `answer.rs` carries out answers.

mod answer;
mod client;
mod lookup;
mod meaning;
mod server;

use super::frame::Inbound;
use super::names::Names;
use super::reply::{self, Expected, Kind, ReplyQueue, Severity};
use super::sql::{Reading, Recent, Scope};
use super::startup::Login;
use crate::{
    CancelKey, Command, Commands, Event, Interceptor, Limits, Meaning, Observation, OpEnd, OpId, OpMap,
    Operation, Options, Phase, Question, Shared, Side, WireError,
};
use bytes::Bytes;
use lookup::Lookup;
use std::cell::RefCell;
use std::sync::Arc;

/// Where the connection is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Startup,
    Authenticating,
    Session,
    /// Only what the target still sends matters.
    Ending,
    Closed,
}

/// A request that waits for its answer, and what it needs once it has one.
#[derive(Debug)]
enum Held {
    Login(Box<Login>, Bytes),
    Cancel(Bytes),
    Query {
        message: Bytes,
        reading: Arc<Reading>,
    },
    Parse {
        message: Bytes,
        name: Bytes,
        text: Bytes,
    },
    Bind {
        message: Bytes,
        portal: Bytes,
        reading: Option<Arc<Reading>>,
        unsettles: bool,
    },
    Execute {
        message: Bytes,
    },
    Function {
        message: Bytes,
    },
    /// Too long to keep, or malformed: never released. Bytes of it that are still to be thrown away.
    Unreleasable {
        rest: usize,
        simple: bool,
    },
}

/// What a prepared statement's name stands for.
#[derive(Clone, Debug, PartialEq)]
enum Statement {
    /// Prepared by `Parse`: read again at every use, as the target plans it again when the search path changes.
    Text(Bytes),
    /// Prepared by SQL `PREPARE`, read under that scope; `None` is one that no session has: its own string had changed
    /// the search path.
    Sql { inner: Arc<Meaning>, scope: Option<Arc<Scope>> },
}

/// What a portal's name stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Portal {
    op: OpId,
    /// Executing it may change what later readings depend on.
    unsettles: bool,
}

/// An operation that was released and has not ended.
#[derive(Debug, Default)]
struct Running {
    end: OpEnd,
    /// Rows that came since the last CommandComplete.
    rows_seen: u64,
    /// It was asked to run, not only bound.
    executed: bool,
    /// The target said that it did it.
    completed: bool,
    /// Done on success: (statement or cursor, name; none = all), with the request's number.
    lets_go: Vec<(LetsGo, Option<Box<str>>)>,
    seq: u64,
}

#[derive(Clone, Copy, Debug)]
enum LetsGo {
    Statement,
    Cursor,
}

/// What later readings depend on and only the target knows.
#[derive(Debug)]
struct Settings {
    scope: Arc<Scope>,
    /// `standard_conforming_strings`: with `off`, backslashes in plain strings escape.
    plain_strings: bool,
    encoding: Encoding,
    /// Something passed that may have changed `scope` or `plain_strings`.
    stale: bool,
    /// It passed inside the transaction that is open now, so its end may change them again.
    changed_in_transaction: bool,
    /// A lookup is under way.
    lookup: Option<Lookup>,
}

/// How the client's text is encoded, as far as that matters for reading it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Encoding {
    Utf8,
    Latin1,
    Other,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Machine {
    limits: Arc<Limits>,
    shared: Arc<Shared>,
    lookups: bool,
    state: State,
    from_client: Inbound,
    from_server: Inbound,
    /// Bytes of the message at the front that pass without being looked at.
    client_passing: usize,
    server_passing: usize,
    /// Bytes at the front that the target sent, were looked at, and are the client's. 0 between events.
    server_seen: usize,
    /// Bytes of the client's message at the front that are thrown away.
    client_discarding: usize,
    held: Option<Held>,
    replies: ReplyQueue,
    running: OpMap<Running>,
    statements: Names<Statement>,
    portals: Names<Portal>,
    cursors: Names<Arc<Meaning>>,
    settings: Settings,
    /// What it read last; borrowed only while it reads.
    recent: RefCell<Recent>,
    /// Number of the last request.
    seq: u64,
    last_op: u64,
    login_op: Option<OpId>,
    cancel_op: Option<OpId>,
    user: Box<str>,
    /// The client's next message can't be used yet.
    waiting: bool,
    /// Number of the pipeline segment: requests up to a Sync.
    segment: u64,
    /// Requests of the extended protocol were sent since the last Sync.
    segment_open: bool,
    /// A request was refused: like the target, skip everything up to the next Sync.
    skipping: bool,
    /// The target reads COPY data.
    copy_in: bool,
    /// The end of COPY data was sent before the target asked for any; the last request before it.
    copy_ended_at: Option<u64>,
    encryption_requests: u8,
    /// `I`dle, in a `T`ransaction, or in a failed one (`E`).
    transaction: u8,
}

impl Machine {
    pub(super) fn new(options: &Options) -> Self {
        let names_max = options.limits.names_max;
        Self {
            limits: Arc::clone(&options.limits),
            shared: Arc::clone(&options.shared),
            lookups: !options.no_lookups,
            state: State::Startup,
            from_client: Inbound::default(),
            from_server: Inbound::default(),
            client_passing: 0,
            server_passing: 0,
            server_seen: 0,
            client_discarding: 0,
            held: None,
            replies: ReplyQueue::default(),
            running: OpMap::default(),
            statements: Names::new(names_max),
            portals: Names::new(names_max),
            cursors: Names::new(names_max),
            settings: Settings {
                scope: Arc::new(Scope { search_path: Vec::new(), user: "".into() }),
                plain_strings: true,
                encoding: Encoding::Utf8,
                stale: true,
                changed_in_transaction: false,
                lookup: None,
            },
            recent: RefCell::default(),
            seq: 0,
            last_op: 0,
            login_op: None,
            cancel_op: None,
            user: "".into(),
            waiting: false,
            segment: 0,
            segment_open: false,
            skipping: false,
            copy_in: false,
            copy_ended_at: None,
            encryption_requests: 0,
            transaction: b'I',
        }
    }

    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Asks about a request and holds it.
    fn ask(&mut self, ask: Ask, held: Held, out: &mut Commands) {
        self.last_op += 1;
        let Ask { phase, meaning, text, binds, cancel } = ask;
        let op = Operation { id: OpId(self.last_op), phase, meaning, text, binds, cancel };
        self.held = Some(held);
        out.push(Command::Ask(Question::new(op)));
    }

    /// The released operation begins.
    fn begin(&mut self, id: OpId, bytes_in: usize, seq: u64) {
        let end = OpEnd { id: id.0, bytes_in: bytes_in as u64, ..OpEnd::default() };
        self.running.insert(id, Running { end, seq, ..Running::default() });
    }

    /// The operation has ended; nothing happens if it had before.
    fn finish(&mut self, id: OpId, out: &mut Commands) {
        let Some(running) = self.running.remove(id) else { return };
        if running.end.error.is_none() && running.completed {
            for (kind, name) in &running.lets_go {
                match (kind, name) {
                    (LetsGo::Statement, Some(name)) => self.statements.release(name.as_bytes(), running.seq),
                    (LetsGo::Statement, None) => self.statements.release_all(running.seq),
                    (LetsGo::Cursor, Some(name)) => self.cursors.release(name.as_bytes(), running.seq),
                    (LetsGo::Cursor, None) => self.cursors.release_all(running.seq),
                }
            }
        }
        out.push(Command::Observe(Observation::Done(running.end)));
    }

    fn await_reply(&mut self, kind: Kind, seq: u64, name: Bytes, op: Option<OpId>) {
        self.replies.push(Expected { kind, seq, name, op, refused: None });
    }

    /// Ends the connection with an error that the client is told.
    fn violation(&mut self, what: &'static str, out: &mut Commands) -> WireError {
        self.fatal("08P01", what, "", out);
        WireError::client(what)
    }

    fn fatal(&mut self, code: &str, text: &str, hint: &str, out: &mut Commands) {
        send(out, Side::Client, reply::error(Severity::Fatal, code, text, hint));
        self.close(out);
    }

    fn close(&mut self, out: &mut Commands) {
        self.state = State::Closed;
        out.push(Command::Close { side: Side::Server });
        out.push(Command::Close { side: Side::Client });
    }
}

/// What is asked about a request.
struct Ask {
    phase: Phase,
    meaning: Arc<Meaning>,
    text: Bytes,
    binds: Vec<Option<Bytes>>,
    cancel: Option<CancelKey>,
}

impl Ask {
    const fn run(meaning: Arc<Meaning>, text: Bytes) -> Self {
        Self { phase: Phase::Run, meaning, text, binds: Vec::new(), cancel: None }
    }
}

fn send(out: &mut Commands, to: Side, bytes: Bytes) {
    if !bytes.is_empty() {
        out.push(Command::Send { to, bytes });
    }
}

impl Interceptor for Machine {
    fn handle(&mut self, event: Event, out: &mut Commands) -> Result<(), WireError> {
        match event {
            Event::Data { from: Side::Client, bytes } => self.from_client.push(bytes),
            Event::Data { from: Side::Server, bytes } => {
                self.from_server.push(bytes);
                self.read_server(out)?;
            }
            Event::Eof { from } => {
                self.end_of_stream(from, out);
                return Ok(());
            }
            Event::Answer(answer) => self.carry_out(answer, out),
            Event::Unreachable => {
                self.unreachable(out);
                return Ok(());
            }
            Event::Shutdown => {
                if !matches!(self.state, State::Closed | State::Ending) {
                    self.fatal("57P01", "terminating connection: Interlock is shutting down", "", out);
                }
                return Ok(());
            }
        }
        self.read_client(out)
    }

    fn idle(&self) -> bool {
        self.held.is_none()
            && self.running.is_empty()
            && self.replies.is_empty()
            && self.transaction == b'I'
            && !matches!(self.state, State::Authenticating)
    }

    fn wants(&self, side: Side) -> bool {
        match (side, self.state) {
            (_, State::Closed) => false,
            (Side::Server, _) => true,
            // Whatever can't be used now would only pile up.
            (Side::Client, _) => {
                self.held.is_none() && !self.waiting && self.replies.len() < self.limits.pipeline_max
            }
        }
    }
}

impl Machine {
    fn unreachable(&mut self, out: &mut Commands) {
        const WHY: &str = "the target can't be reached";
        if let Some(op) = self.login_op.take().or_else(|| self.cancel_op.take()) {
            if let Some(running) = self.running.get_mut(op) {
                running.end.error = Some(("08001".into(), WHY.into()));
            }
            self.finish(op, out);
        }
        self.fatal("08001", WHY, "See Interlock's audit trail and log for the address that was tried.", out);
    }

    fn end_of_stream(&mut self, from: Side, out: &mut Commands) {
        if self.state == State::Closed {
            return;
        }
        // The target never replies to a cancel request: closing is its reply.
        if let Some(op) = self.cancel_op.take().filter(|_| from == Side::Server) {
            self.finish(op, out);
        }
        self.close(out);
    }
}
