//! The client's side: finds the next message and says what it is.

use super::lookup::{Ahead, Lookup};
use super::meaning::Used;
use super::{Ask, Held, Machine, State, send};
use crate::postgres::frame::{self, Header, client as read};
use crate::postgres::reply::Kind;
use crate::postgres::startup::{self, First};
use crate::{Action, Command, Commands, Meaning, Observation, Phase, Side, WireError};
use bytes::Bytes;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Bytes of an unreleasable request that its audit row shows.
const EXCERPT_BYTES: usize = 4_096;

/// Go on with the next message, or stop until something happens.
type Step = Result<ControlFlow<()>, WireError>;

const NEXT: Step = Ok(ControlFlow::Continue(()));
const STOP: Step = Ok(ControlFlow::Break(()));

impl Machine {
    /// Uses up what the client sent, as far as that is possible now.
    pub(super) fn read_client(&mut self, out: &mut Commands) -> Result<(), WireError> {
        self.waiting = false;
        while self.held.is_none() {
            let step = match self.state {
                State::Startup => self.read_startup(out)?,
                State::Authenticating => self.read_authentication(out)?,
                State::Session => self.read_message(out)?,
                State::Ending | State::Closed => {
                    self.from_client.take(usize::MAX);
                    ControlFlow::Break(())
                }
            };
            if step.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn read_startup(&mut self, out: &mut Commands) -> Step {
        let front = self.from_client.front();
        if front.first() == Some(&startup::TLS_HANDSHAKE) {
            // Alert: fatal, handshake_failure. The client speaks TLS and would not understand anything else.
            send(out, Side::Client, Bytes::from_static(&[0x15, 3, 3, 0, 2, 2, 40]));
            self.close(out);
            return Err(WireError::client(
                "tls without a request for it is not understood yet; use `sslnegotiation=postgres`",
            ));
        }
        let length = match startup::length(front, self.limits.startup_bytes_max) {
            Ok(Some(length)) if front.len() >= length => length,
            Ok(_) => return STOP,
            Err(()) => return Err(self.violation("invalid length of startup packet", out)),
        };
        let packet = self.from_client.take(length);
        match startup::first(&packet) {
            First::Encryption => {
                self.encryption_requests += 1;
                if self.encryption_requests > 2 {
                    return Err(self.violation("too many requests for encryption", out));
                }
                // Nothing leaves this host between the client and us; the leg to the target is a matter of its own.
                send(out, Side::Client, Bytes::from_static(b"N"));
            }
            First::Cancel(key) => {
                let target = crate::Resource::new(crate::ResourceKind::Target, &[]);
                let meaning = Meaning {
                    accesses: Box::new([crate::Access { action: Action::Connect, resource: target }]),
                    certainty: crate::Certainty::Exact,
                    ..Meaning::opaque("CANCEL", Action::Connect, "")
                };
                let ask = Ask { cancel: Some(key), ..Ask::run(Arc::new(meaning), Bytes::new()) };
                self.ask(ask, Held::Cancel(packet), out);
            }
            First::Login(login) => {
                out.push(Command::Observe(Observation::Login {
                    user: login.user.clone(),
                    database: login.database.clone(),
                    application: login.application.clone(),
                }));
                let meaning = Arc::new(login.meaning.clone());
                self.ask(Ask::run(meaning, Bytes::new()), Held::Login(login, packet), out);
            }
            First::Version => {
                self.fatal("0A000", "unsupported frontend protocol", "Interlock speaks protocol 3.", out);
                return Err(WireError::client("unsupported frontend protocol"));
            }
            First::Malformed => return Err(self.violation("invalid startup packet", out)),
        }
        NEXT
    }

    /// Until the target lets it in, a client may only answer the target's challenges.
    fn read_authentication(&mut self, out: &mut Commands) -> Step {
        if self.client_passing > 0 {
            return self.pass(out);
        }
        let Some(header) = self.client_header(out)? else { return STOP };
        match header.kind {
            b'p' => self.pass_whole(header, out),
            b'X' => self.terminate(header, out),
            // Sent ahead: it waits, and so does whatever the client sends after it.
            _ => {
                self.waiting = true;
                STOP
            }
        }
    }

    fn read_message(&mut self, out: &mut Commands) -> Step {
        if self.client_passing > 0 {
            return self.pass(out);
        }
        if self.client_discarding > 0 {
            let gone = self.from_client.take(self.client_discarding).len();
            self.client_discarding -= gone;
            return if gone == 0 { STOP } else { NEXT };
        }
        let Some(header) = self.client_header(out)? else { return STOP };
        if self.skipping && !matches!(header.kind, b'S' | b'X') {
            self.client_discarding = header.total;
            return NEXT;
        }
        match self.look_ahead() {
            Ahead::Read => {}
            Ahead::More => return STOP,
            Ahead::LookUp => {
                self.look_up(Lookup::BeforeRequest, out);
                self.waiting = true;
                return STOP;
            }
        }
        match header.kind {
            b'Q' | b'P' | b'B' | b'F' => self.read_request(header, out),
            b'D' | b'C' | b'E' => self.read_named(header, out),
            b'S' => self.read_sync(header, out),
            b'c' | b'f' => {
                if !self.copy_in && !self.replies.is_empty() {
                    self.copy_ended_at = Some(self.seq);
                }
                self.copy_in = false;
                self.pass_whole(header, out)
            }
            b'H' if header.total != frame::HEADER_BYTES => Err(self.violation("invalid flush message", out)),
            b'd' | b'H' => self.pass_whole(header, out),
            b'X' => self.terminate(header, out),
            _ => Err(self.violation("invalid frontend message type", out)),
        }
    }

    fn client_header(&mut self, out: &mut Commands) -> Result<Option<Header>, WireError> {
        frame::header(self.from_client.front()).map_err(|()| self.violation("invalid message length", out))
    }

    fn pass_whole(&mut self, header: Header, out: &mut Commands) -> Step {
        self.client_passing = header.total;
        self.pass(out)
    }

    fn pass(&mut self, out: &mut Commands) -> Step {
        let bytes = self.from_client.take(self.client_passing);
        self.client_passing -= bytes.len();
        if let Some(running) =
            self.replies.head().and_then(|head| head.op).and_then(|op| self.running.get_mut(op))
        {
            running.end.bytes_in += bytes.len() as u64;
        }
        let step = if bytes.is_empty() { STOP } else { NEXT };
        send(out, Side::Server, bytes);
        step
    }

    fn terminate(&mut self, header: Header, out: &mut Commands) -> Step {
        if header.total != frame::HEADER_BYTES {
            return Err(self.violation("invalid terminate message", out));
        }
        send(out, Side::Server, self.from_client.take(header.total));
        out.push(Command::Close { side: Side::Server });
        self.state = State::Ending;
        STOP
    }

    fn read_sync(&mut self, header: Header, out: &mut Commands) -> Step {
        if header.total != frame::HEADER_BYTES {
            return Err(self.violation("invalid sync message", out));
        }
        let message = self.from_client.take(header.total);
        if message.len() < header.total {
            return STOP;
        }
        self.skipping = false;
        self.segment_open = false;
        self.segment += 1;
        // The target swallows a Sync while it reads COPY data.
        if !self.copy_in {
            let seq = self.next_seq();
            self.await_reply(Kind::Sync, seq, Bytes::new(), None);
        }
        send(out, Side::Server, message);
        NEXT
    }

    /// `Describe`, `Close` and `Execute`: small, and released as they are, since everything that they can name was
    /// decided when it was made; except a portal that nobody here has seen made.
    fn read_named(&mut self, header: Header, out: &mut Commands) -> Step {
        if header.total > self.limits.message_bytes_max {
            return Err(self.violation("message too long", out));
        }
        if self.copy_in {
            return Err(self.violation("unexpected message during COPY from the client", out));
        }
        if self.from_client.len() < header.total {
            return STOP;
        }
        let message = self.from_client.take(header.total);
        let body = frame::body(&message);
        if header.kind == b'E' {
            let Some(portal) = read::execute(body) else {
                return Err(self.violation("invalid execute message", out));
            };
            return self.read_execute(&message, &message.slice_ref(portal), out);
        }
        let Some((what @ (b'S' | b'P'), name)) = read::named(body) else {
            return Err(self.violation("invalid describe or close message", out));
        };
        let name = Bytes::copy_from_slice(name);
        let seq = self.next_seq();
        self.segment_open = true;
        let kind = match (header.kind, what) {
            (b'C', b'S') => Kind::CloseStatement,
            (b'C', _) => Kind::ClosePortal,
            _ => Kind::Describe,
        };
        self.await_reply(kind, seq, name, None);
        send(out, Side::Server, message);
        NEXT
    }

    fn read_execute(&mut self, message: &Bytes, portal: &Bytes, out: &mut Commands) -> Step {
        let unsettles = self.portals.possible(portal, self.segment).any(|portal| portal.unsettles);
        let op = self.portals.possible(portal, self.segment).last().map(|portal| portal.op);
        if op.is_none() {
            // A cursor that SQL declared can be executed as a portal; it is judged as FETCH is.
            let meaning = self.meaning_of_cursor("EXECUTE PORTAL", portal);
            self.ask(Ask::run(meaning, Bytes::new()), Held::Execute { message: message.clone() }, out);
            return NEXT;
        }
        if unsettles {
            self.settings.went_stale("EXECUTE");
        }
        self.release_execute(message.clone(), op, out);
        NEXT
    }

    /// Requests that are decided: they must be seen whole, and what they mean must be known.
    fn read_request(&mut self, header: Header, out: &mut Commands) -> Step {
        if self.copy_in {
            return Err(self.violation("unexpected message during COPY from the client", out));
        }
        if self.reading_must_wait() {
            self.waiting = true;
            return STOP;
        }
        let simple = matches!(header.kind, b'Q' | b'F');
        if header.total > self.limits.message_bytes_max {
            let excerpt = Bytes::copy_from_slice(self.excerpt());
            self.ask_unreleasable(
                "the message is longer than the limit",
                excerpt,
                (header.total, simple),
                out,
            );
            return NEXT;
        }
        if self.from_client.len() < header.total {
            return STOP;
        }
        let message = self.from_client.take(header.total);
        let understood = match header.kind {
            b'Q' => self.ask_query(&message, out),
            b'P' => self.ask_parse(&message, out),
            b'B' => self.ask_bind(&message, out),
            _ => self.ask_function(&message, out),
        };
        if understood.is_none() {
            let excerpt = message.slice(..message.len().min(EXCERPT_BYTES));
            self.ask_unreleasable("the message is malformed", excerpt, (0, simple), out);
        }
        NEXT
    }

    fn excerpt(&self) -> &[u8] {
        let front = self.from_client.front();
        front.get(frame::HEADER_BYTES..front.len().min(EXCERPT_BYTES)).unwrap_or_default()
    }

    fn ask_unreleasable(
        &mut self,
        why: &str,
        excerpt: Bytes,
        (rest, simple): (usize, bool),
        out: &mut Commands,
    ) {
        let meaning = Arc::new(Meaning::opaque("UNREADABLE", Action::Unknown, why));
        self.ask(Ask::run(meaning, excerpt), Held::Unreleasable { rest, simple }, out);
    }

    fn ask_query(&mut self, message: &Bytes, out: &mut Commands) -> Option<()> {
        let text = message.slice_ref(read::query(frame::body(message))?);
        let reading = self.read_text(&text);
        let ask = Ask::run(self.meaning_of(&reading), text);
        self.ask(ask, Held::Query { message: message.clone(), reading }, out);
        Some(())
    }

    fn ask_parse(&mut self, message: &Bytes, out: &mut Commands) -> Option<()> {
        let (name, text) = read::parse(frame::body(message))?;
        let (name, text) = (Bytes::copy_from_slice(name), Bytes::copy_from_slice(text));
        let reading = self.read_text(&text);
        let ask = Ask { phase: Phase::Prepare, ..Ask::run(self.meaning_of(&reading), text.clone()) };
        self.ask(ask, Held::Parse { message: message.clone(), name, text }, out);
        Some(())
    }

    fn ask_bind(&mut self, message: &Bytes, out: &mut Commands) -> Option<()> {
        let bind = read::bind(message)?;
        let Used { meaning, text, reading, unsettles } = self.meaning_of_statement(bind.statement);
        let portal = Bytes::copy_from_slice(bind.portal);
        let ask = Ask { binds: bind.values, ..Ask::run(meaning, text) };
        self.ask(ask, Held::Bind { message: message.clone(), portal, reading, unsettles }, out);
        Some(())
    }

    fn ask_function(&mut self, message: &Bytes, out: &mut Commands) -> Option<()> {
        let oid = frame::Fields(frame::body(message)).i32()?;
        let oid = u32::from_be_bytes(oid.to_be_bytes()).to_string();
        let resource = crate::Resource::new(crate::ResourceKind::Name, &["function_oid", &oid]);
        let meaning = Meaning {
            accesses: Box::new([crate::Access { action: Action::Execute, resource }]),
            certainty: crate::Certainty::Partial,
            ..Meaning::opaque("FUNCTION CALL", Action::Execute, "a function called by its number")
        };
        self.ask(Ask::run(Arc::new(meaning), Bytes::new()), Held::Function { message: message.clone() }, out);
        Some(())
    }
}
