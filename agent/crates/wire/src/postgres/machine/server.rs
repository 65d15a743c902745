//! The target's side: replies are counted, attributed and passed on.

use super::lookup::Lookup;
use super::{Machine, State, send};
use crate::postgres::frame::{self, Header, server as read};
use crate::postgres::reply::{Expected, Kind};
use crate::{CancelKey, Command, Commands, Observation, OpId, Side, WireError};
use bytes::Bytes;
use std::ops::ControlFlow;

/// Bytes of a reply that is read whole; errors and notices are far shorter.
const READ_BYTES_MAX: usize = 4 << 20;

impl Machine {
    /// Uses up what the target sent. What passes as it came is passed on in one piece, as far as it arrived.
    pub(super) fn read_server(&mut self, out: &mut Commands) -> Result<(), WireError> {
        let result = self.look_through(out);
        self.pass_seen(out);
        result
    }

    fn look_through(&mut self, out: &mut Commands) -> Result<(), WireError> {
        loop {
            if self.server_passing > 0 {
                let passed = self.server_passing.min(self.unseen().len());
                if passed == 0 {
                    return Ok(());
                }
                self.server_passing -= passed;
                self.saw(passed);
                continue;
            }
            let header =
                frame::header(self.unseen()).map_err(|()| WireError::server("invalid message length"))?;
            let Some(header) = header else { return Ok(()) };
            if self.read_reply(header, out)?.is_break() {
                return Ok(());
            }
        }
    }

    fn read_reply(&mut self, header: Header, out: &mut Commands) -> Result<ControlFlow<()>, WireError> {
        let looking = self.looking();
        match header.kind {
            // The bulk: never gathered.
            b'D' | b'd' if !looking => {
                if header.kind == b'D' {
                    self.saw_row();
                }
                self.server_passing = header.total;
                return Ok(ControlFlow::Continue(()));
            }
            b't' | b'V' | b'A' | b'v' | b'H' | b'W' | b'c' | b'R' if !looking => {
                self.server_passing = header.total;
                return Ok(ControlFlow::Continue(()));
            }
            _ => {}
        }
        if header.total > READ_BYTES_MAX {
            return Err(WireError::server("a reply is too long"));
        }
        if self.unseen().len() < header.total {
            return Ok(ControlFlow::Break(()));
        }
        match header.kind {
            // These can come at any time, and are the client's also while we look something up.
            b'N' => self.saw(header.total),
            b'S' => {
                let message = self.take_reply(header, out);
                self.saw_parameter(&message);
                self.forward(message, out);
            }
            b'K' => {
                let message = self.take_reply(header, out);
                self.saw_cancel_key(&message, out);
                self.forward(message, out);
            }
            b'E' => self.saw_error(header, out),
            b'Z' => self.saw_ready(header, out)?,
            b'D' if looking => {
                let message = self.take_reply(header, out);
                self.saw_lookup_row(&message);
            }
            _ if looking => drop(self.take_reply(header, out)),
            b'1' | b'2' | b'3' | b'n' | b'T' | b'C' | b'I' | b's' => self.saw_completion(header, out)?,
            b'G' => {
                if !self.replies.drop_swallowed_syncs(self.copy_ended_at) {
                    return Err(WireError::client("requests were sent ahead of a COPY from the client"));
                }
                self.copy_in = self.copy_ended_at.take().is_none();
                self.saw(header.total);
            }
            _ => return Err(WireError::server("unknown reply")),
        }
        Ok(ControlFlow::Continue(()))
    }

    /// What the target sent and nobody has looked at.
    fn unseen(&self) -> &[u8] {
        self.from_server.front().get(self.server_seen..).unwrap_or_default()
    }

    /// The body of the reply that is looked at.
    fn reply_body(&self, header: Header) -> &[u8] {
        frame::body(self.unseen().get(..header.total).unwrap_or_default())
    }

    /// The next bytes are the client's, as they are.
    fn saw(&mut self, bytes: usize) {
        self.server_seen += bytes;
        self.count_out(bytes);
    }

    fn pass_seen(&mut self, out: &mut Commands) {
        let seen = std::mem::take(&mut self.server_seen);
        if seen > 0 {
            send(out, Side::Client, self.from_server.take(seen));
        }
    }

    /// Takes the reply that is looked at out of the stream, behind everything before it.
    fn take_reply(&mut self, header: Header, out: &mut Commands) -> Bytes {
        self.pass_seen(out);
        self.from_server.take(header.total)
    }

    /// Sends the client something in the place where the target's stream is.
    fn forward(&mut self, message: Bytes, out: &mut Commands) {
        self.pass_seen(out);
        self.count_out(message.len());
        send(out, Side::Client, message);
    }

    fn head_running(&mut self) -> Option<&mut super::Running> {
        let op = match self.state {
            State::Authenticating => self.login_op,
            _ => self.replies.head().and_then(|head| head.op),
        };
        op.and_then(|op| self.running.get_mut(op))
    }

    fn count_out(&mut self, bytes: usize) {
        if let Some(running) = self.head_running() {
            running.end.bytes_out += bytes as u64;
        }
    }

    fn saw_row(&mut self) {
        if let Some(running) = self.head_running() {
            running.rows_seen += 1;
            running.end.rows += 1;
        }
    }

    fn saw_parameter(&mut self, message: &Bytes) {
        match read::parameter(frame::body(message)) {
            // While something that was sent may change it again, only the lookup tells.
            _ if self.lookups && self.settings.stale && self.state == State::Session => {}
            Some((b"standard_conforming_strings", value)) => self.settings.plain_strings = value == b"on",
            Some((b"client_encoding", value)) => self.settings.set_encoding(value),
            _ => {}
        }
    }

    fn saw_cancel_key(&self, message: &Bytes, out: &mut Commands) {
        let mut fields = frame::Fields(frame::body(message));
        if let Some(process) = fields.i32() {
            let process = u32::from_be_bytes(process.to_be_bytes());
            let key = CancelKey { process, secret: message.slice_ref(fields.0) };
            out.push(Command::Observe(Observation::CancelKey(key)));
        }
    }

    /// Replies that end, or are, the reply to one request.
    fn saw_completion(&mut self, header: Header, out: &mut Commands) -> Result<(), WireError> {
        let Some(head) = self.replies.head() else { return Err(WireError::server("a reply to nothing")) };
        let (kind, seq, name, op) = (head.kind, head.seq, head.name.clone(), head.op);
        let ends = match (header.kind, kind) {
            // A simple query has any number of these.
            (b'T' | b'I', Kind::Query) => false,
            (b'C', Kind::Query) => {
                self.saw_tag(header);
                false
            }
            (b'C', Kind::Execute) => {
                self.saw_tag(header);
                true
            }
            (b'I' | b's', Kind::Execute) | (b'T' | b'n', Kind::Describe) => true,
            (b'1', Kind::Parse) => {
                self.statements.confirm(&name, seq);
                true
            }
            (b'2', Kind::Bind) => {
                // The portal that had the name before is gone, and with it its operation.
                let gone: Vec<OpId> = self.portals.older(&name, seq).map(|portal| portal.op).collect();
                self.portals.confirm(&name, seq);
                gone.into_iter().for_each(|op| self.finish(op, out));
                true
            }
            (b'3', Kind::CloseStatement) => {
                self.statements.release(&name, seq);
                true
            }
            (b'3', Kind::ClosePortal) => {
                let gone: Vec<OpId> = self.portals.older(&name, seq).map(|portal| portal.op).collect();
                self.portals.release(&name, seq);
                gone.into_iter().for_each(|op| self.finish(op, out));
                true
            }
            _ => return Err(WireError::server("a reply out of order")),
        };
        self.saw(header.total);
        if ends {
            self.replies.pop();
        }
        // PortalSuspended leaves the operation open: more of it can be fetched.
        if kind == Kind::Execute && header.kind != b's' {
            self.copy_in = false;
            if let Some(op) = op {
                self.finish(op, out);
            }
        }
        Ok(())
    }

    fn saw_tag(&mut self, header: Header) {
        let rows = read::rows(self.reply_body(header));
        self.copy_in = false;
        self.copy_ended_at = None;
        if let Some(running) = self.head_running() {
            running.completed = true;
            // The tag of a statement that returned rows counts the rows that were seen coming.
            if running.rows_seen == 0 {
                running.end.rows += rows;
            }
            running.rows_seen = 0;
        }
    }

    fn saw_error(&mut self, header: Header, out: &mut Commands) {
        let message = self.take_reply(header, out);
        let error = read::error(frame::body(&message));
        if self.looking() {
            self.lookup_failed();
            return;
        }
        if let Some(running) = self.head_running() {
            running.end.error = Some(error);
        }
        if self.state == State::Authenticating {
            self.forward(message, out);
            if let Some(login) = self.login_op.take() {
                self.finish(login, out);
            }
            return;
        }
        self.copy_in = false;
        self.copy_ended_at = None;
        let refused = self.replies.head().and_then(|head| head.refused.clone());
        self.forward(refused.unwrap_or(message), out);
        if self.replies.head().is_some_and(|head| !head.kind.ends_with_ready()) {
            self.skip_to_sync(out);
        }
    }

    /// An error in the extended protocol: the target skips all requests up to the next Sync.
    fn skip_to_sync(&mut self, out: &mut Commands) {
        let mut failed = true;
        while let Some(entry) = self.replies.pop_unless_sync() {
            self.undo(&entry);
            if let Some(op) = entry.op {
                if !failed {
                    self.was_skipped(op);
                }
                self.finish(op, out);
            }
            failed = false;
        }
        // The Sync was not sent yet: what the client sends up to it will be skipped, and is not even sent.
        self.skipping |= self.segment_open && self.replies.is_empty();
    }

    /// An operation that was released, but never ran.
    pub(super) fn was_skipped(&mut self, op: OpId) {
        if let Some(running) = self.running.get_mut(op) {
            let why = "skipped: an earlier request of the pipeline failed";
            running.end.error.get_or_insert_with(|| ("".into(), why.into()));
        }
    }

    fn undo(&mut self, entry: &Expected) {
        match entry.kind {
            Kind::Parse => self.statements.fail(&entry.name, entry.seq),
            Kind::Bind => self.portals.fail(&entry.name, entry.seq),
            _ => {}
        }
    }

    fn saw_ready(&mut self, header: Header, out: &mut Commands) -> Result<(), WireError> {
        let status = self.reply_body(header).first().copied().unwrap_or(b'I');
        if self.state == State::Authenticating {
            self.state = State::Session;
            self.transaction = status;
            if let Some(login) = self.login_op.take() {
                self.finish(login, out);
            }
            self.ready(header, out);
            return Ok(());
        }
        let Some(head) = self.replies.head() else { return Err(WireError::server("ready for nothing")) };
        if !head.kind.ends_with_ready() {
            return Err(WireError::server("ready out of order"));
        }
        let (kind, seq, op) = (head.kind, head.seq, head.op);
        if kind == Kind::Lookup {
            self.replies.pop();
            self.transaction_is(status, seq, out);
            let message = self.take_reply(header, out);
            self.lookup_done(message, out);
            return Ok(());
        }
        self.count_out(header.total);
        self.replies.pop();
        self.copy_in = false;
        if let Some(op) = op {
            self.finish(op, out);
        }
        self.transaction_is(status, seq, out);
        self.ready(header, out);
        Ok(())
    }

    /// The target is ready; so is the client, unless something must be looked up first.
    fn ready(&mut self, header: Header, out: &mut Commands) {
        if self.transaction == b'I' && self.lookup_is_due() {
            drop(self.take_reply(header, out));
            self.look_up(Lookup::BeforeReady, out);
        } else {
            self.server_seen += header.total;
        }
    }

    fn transaction_is(&mut self, status: u8, seq: u64, out: &mut Commands) {
        let ended = status == b'I' && self.transaction != b'I';
        self.transaction = status;
        if status != b'T' {
            // Portals end with their transaction; in a failed one nothing can be fetched.
            self.portals.release_all(seq);
            let over: Vec<OpId> =
                self.running.iter().filter(|(_, running)| running.seq <= seq).map(|(op, _)| op).collect();
            for op in over {
                if let Some(running) = self.running.get_mut(op).filter(|running| !running.executed) {
                    running.end.error.get_or_insert_with(|| ("".into(), "bound, but never executed".into()));
                }
                self.finish(op, out);
            }
        }
        if ended && std::mem::take(&mut self.settings.changed_in_transaction) {
            self.settings.stale = true;
        }
        if status == b'I' && self.cursors.is_full() {
            self.cursors.release_all(seq);
        }
    }
}
