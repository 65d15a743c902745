//! Carries out answers: releases what was held, or refuses it.

use super::{Held, LetsGo, Machine, Portal, Running, State, Statement, send};
use crate::postgres::reply::{self, Expected, Kind, Severity};
use crate::postgres::sql::{Effect, Reading};
use crate::postgres::startup::Login;
use crate::{Answer, Commands, Denial, OpId, Side, Verdict};
use bytes::Bytes;
use std::sync::Arc;

/// A prepared statement longer than this counts as long, in bytes.
const LONG_TEXT_BYTES: usize = 16 << 10;
/// Bytes of prepared statements at which no further long one is taken.
const LONG_TEXTS_BYTES_MAX: usize = 32 << 20;

impl Machine {
    pub(super) fn carry_out(&mut self, answer: Answer, out: &mut Commands) {
        let Some(held) = self.held.take() else { return };
        let Answer { id, verdict } = answer;
        if self.skipping {
            // While it was held, something before it failed: the target would skip it, permitted or not.
            if let Held::Unreleasable { rest, .. } = held {
                self.client_discarding = rest;
            } else if verdict == Verdict::Forward && !matches!(held, Held::Parse { .. }) {
                self.begin(id, 0, self.seq);
                self.was_skipped(id);
                self.finish(id, out);
            }
            return;
        }
        match verdict {
            Verdict::Forward => self.release(id, held, out),
            Verdict::Deny(denial) => self.refuse(held, denial, out),
        }
    }

    fn release(&mut self, id: OpId, held: Held, out: &mut Commands) {
        match held {
            Held::Login(login, packet) => self.release_login(id, &login, packet, out),
            Held::Cancel(packet) => {
                self.begin(id, packet.len(), 0);
                self.cancel_op = Some(id);
                self.state = State::Ending;
                send(out, Side::Server, packet);
            }
            Held::Query { message, reading } => {
                let seq = self.next_seq();
                self.begin(id, message.len(), seq);
                self.executes(id);
                self.follow(&reading, id, seq);
                self.await_reply(Kind::Query, seq, Bytes::new(), Some(id));
                send(out, Side::Server, message);
            }
            Held::Parse { message, name, text } => self.release_parse((message, name, text), out),
            Held::Bind { message, portal, reading, unsettles } => {
                self.release_bind(Portal { op: id, unsettles }, (message, portal), reading, out);
            }
            Held::Execute { message } => {
                self.begin(id, message.len(), self.seq);
                self.release_execute(message, Some(id), out);
            }
            Held::Function { message } => {
                let seq = self.next_seq();
                self.begin(id, message.len(), seq);
                self.executes(id);
                self.await_reply(Kind::Function, seq, Bytes::new(), Some(id));
                send(out, Side::Server, message);
            }
            Held::Unreleasable { rest, simple } => {
                let denial = Denial { message: "the message can't be read".into(), hint: "".into() };
                self.refuse(Held::Unreleasable { rest, simple }, denial, out);
            }
        }
    }

    fn release_login(&mut self, id: OpId, login: &Login, packet: Bytes, out: &mut Commands) {
        self.begin(id, packet.len(), 0);
        self.login_op = Some(id);
        // A replication connection takes no plain queries.
        self.lookups &= !login.replication;
        if let Some(encoding) = &login.client_encoding {
            self.settings.set_encoding(encoding.as_bytes());
        }
        self.user = login.user.clone();
        self.state = State::Authenticating;
        send(out, Side::Server, packet);
    }

    fn release_parse(&mut self, (message, name, text): (Bytes, Bytes, Bytes), out: &mut Commands) {
        let seq = self.next_seq();
        let texts = |statement: &Statement| match statement {
            Statement::Text(text) => text.len(),
            Statement::Sql { .. } => 0,
        };
        if text.len() > LONG_TEXT_BYTES && self.statements.sum(texts) > LONG_TEXTS_BYTES_MAX {
            let denial = too_many("bytes of prepared statements");
            return self.refuse(Held::Parse { message, name, text: Bytes::new() }, denial, out);
        }
        if self.statements.define(&name, seq, self.segment, Statement::Text(text)).is_err() {
            let denial = too_many("prepared statements");
            return self.refuse(Held::Parse { message, name, text: Bytes::new() }, denial, out);
        }
        self.segment_open = true;
        self.await_reply(Kind::Parse, seq, name, None);
        send(out, Side::Server, message);
    }

    fn release_bind(
        &mut self,
        made: Portal,
        (message, portal): (Bytes, Bytes),
        reading: Option<Arc<Reading>>,
        out: &mut Commands,
    ) {
        let (id, seq) = (made.op, self.next_seq());
        self.begin(id, message.len(), seq);
        let unsettles = made.unsettles;
        if self.portals.define(&portal, seq, self.segment, made).is_err() {
            if let Some(running) = self.running.get_mut(id) {
                running.end.error = Some(("54000".into(), "too many portals".into()));
            }
            self.finish(id, out);
            return self.refuse(Held::Execute { message: Bytes::new() }, too_many("portals"), out);
        }
        if let Some(reading) = reading {
            self.follow(&reading, id, seq);
        }
        if unsettles {
            self.settings.went_stale("BIND");
        }
        self.segment_open = true;
        self.await_reply(Kind::Bind, seq, portal, Some(id));
        send(out, Side::Server, message);
    }

    pub(super) fn release_execute(&mut self, message: Bytes, op: Option<OpId>, out: &mut Commands) {
        if let Some(running) = op.and_then(|op| self.running.get_mut(op)) {
            running.end.bytes_in += message.len() as u64;
            running.executed = true;
        }
        let seq = self.next_seq();
        self.segment_open = true;
        self.await_reply(Kind::Execute, seq, Bytes::new(), op);
        send(out, Side::Server, message);
    }

    fn executes(&mut self, id: OpId) {
        if let Some(running) = self.running.get_mut(id) {
            running.executed = true;
        }
    }

    /// Follows what a released statement does to the session.
    fn follow(&mut self, reading: &Reading, id: OpId, seq: u64) {
        // The end of a transaction undoes what was set for it alone, whether or not the next one begins at once.
        let verb = &*reading.meaning.verb;
        if self.settings.changed_in_transaction
            && ["COMMIT", "END", "ROLLBACK"].iter().any(|end| verb.contains(end))
        {
            self.settings.stale = true;
        }
        let mut scope = Some(Arc::clone(&self.settings.scope));
        for effect in &reading.effects {
            match effect {
                Effect::Prepare { name, inner } => {
                    let scope = scope.clone();
                    let statement = Statement::Sql { inner: Arc::clone(inner), scope };
                    // A name that finds no room is unknown, and its use is refused.
                    drop(self.statements.define(&copy(name), seq, self.segment, statement));
                }
                Effect::DeclareCursor { name, inner } => {
                    drop(self.cursors.define(&copy(name), seq, self.segment, Arc::clone(inner)));
                }
                // With several statements, which of them was done when one failed is not followed.
                Effect::Deallocate { name } if reading.statements == 1 => {
                    self.lets_go(id, LetsGo::Statement, name.clone());
                }
                Effect::CloseCursor { name } if reading.statements == 1 => {
                    self.lets_go(id, LetsGo::Cursor, name.clone());
                }
                Effect::SearchPathMayChange => {
                    scope = None;
                    self.settings.went_stale(&reading.meaning.verb);
                }
                Effect::SettingChange { name } => match &**name {
                    "standard_conforming_strings" => self.settings.went_stale(&reading.meaning.verb),
                    // `*` is all of them at once: RESET ALL and the like. The lookup tells what it is then.
                    "client_encoding" | "*" => {
                        self.settings.encoding = super::Encoding::Other;
                        self.settings.went_stale(&reading.meaning.verb);
                    }
                    _ => {}
                },
                Effect::Execute { name } => {
                    if self.meaning_of_statement(name.as_bytes()).unsettles {
                        self.settings.went_stale("EXECUTE");
                    }
                }
                Effect::UseCursor { .. }
                | Effect::Deallocate { .. }
                | Effect::CloseCursor { .. }
                | Effect::CopyIn
                | Effect::CopyOut
                | Effect::CopyBoth => {}
            }
        }
    }

    fn lets_go(&mut self, id: OpId, kind: LetsGo, name: Option<Box<str>>) {
        if let Some(Running { lets_go, .. }) = self.running.get_mut(id) {
            lets_go.push((kind, name));
        }
    }

    fn refuse(&mut self, held: Held, denial: Denial, out: &mut Commands) {
        match held {
            Held::Login(..) => {
                send(out, Side::Client, reply::denial(&denial, Severity::Fatal));
                self.close(out);
            }
            // PostgreSQL does not reply to a cancel request either.
            Held::Cancel(_) => self.close(out),
            Held::Query { .. } | Held::Function { .. } => self.fail_instead(&denial, true, out),
            Held::Parse { .. } | Held::Bind { .. } | Held::Execute { .. } => {
                self.fail_instead(&denial, false, out)
            }
            Held::Unreleasable { rest, simple } => {
                self.client_discarding = rest;
                self.fail_instead(&denial, simple, out);
            }
        }
    }

    /// Sends a statement that must fail in place of a refused one. The target then does to the transaction and to the
    /// rest of the pipeline what it does after any error, and its reply has its place among the other replies.
    fn fail_instead(&mut self, denial: &Denial, simple: bool, out: &mut Commands) {
        let seq = self.next_seq();
        let refused = Some(reply::denial(denial, Severity::Error));
        let (kind, stand_in) = if simple {
            (Kind::Query, reply::query(reply::MUST_FAIL))
        } else {
            self.skipping = true;
            self.segment_open = true;
            (Kind::Parse, reply::parse(reply::MUST_FAIL_NAME, reply::MUST_FAIL))
        };
        let name = Bytes::from_static(reply::MUST_FAIL_NAME.as_bytes());
        self.replies.push(Expected { kind, seq, name, op: None, refused });
        send(out, Side::Server, stand_in);
    }
}

fn copy(name: &str) -> Bytes {
    Bytes::copy_from_slice(name.as_bytes())
}

fn too_many(what: &str) -> Denial {
    Denial {
        message: format!("too many {what} in this session").into(),
        hint: "Close those that are not needed any more, or raise the limit in Interlock's configuration."
            .into(),
    }
}
