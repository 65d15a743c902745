//! What the target still owes the client, in order, and the messages that are written here.
//!
//! Replies carry no number: they belong to requests by order alone. Every request that will be replied to has an
//! entry in the [`ReplyQueue`], including those that were made here (lookups) or put in place of a refused one.

use crate::{Denial, OpId};
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::VecDeque;
use std::sync::LazyLock;

/// What a reply answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A simple query: anything, up to ReadyForQuery.
    Query,
    /// ParseComplete.
    Parse,
    /// BindComplete.
    Bind,
    /// RowDescription, NoData, ParameterDescription.
    Describe,
    /// Rows, up to CommandComplete, EmptyQueryResponse or PortalSuspended.
    Execute,
    /// CloseComplete.
    CloseStatement,
    /// CloseComplete.
    ClosePortal,
    /// FunctionCallResponse, up to ReadyForQuery.
    Function,
    /// ReadyForQuery.
    Sync,
    /// Our own question to the target, several messages up to a Sync; nothing of its reply is shown to the client.
    Lookup,
}

impl Kind {
    /// Is its end a ReadyForQuery of its own?
    pub(super) const fn ends_with_ready(self) -> bool {
        matches!(self, Self::Query | Self::Function | Self::Sync | Self::Lookup)
    }
}

/// One request whose reply is awaited.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) kind: Kind,
    /// Order among all requests; names what it defined (see `names`).
    pub(super) seq: u64,
    /// The name that it defines, describes or closes.
    pub(super) name: Bytes,
    /// The operation that the reply belongs to.
    pub(super) op: Option<OpId>,
    /// Set where a request was refused and one that must fail was sent in its place: what the client is told instead
    /// of that failure.
    pub(super) refused: Option<Bytes>,
}

/// Replies awaited, oldest first.
#[derive(Debug, Default)]
pub(super) struct ReplyQueue {
    entries: VecDeque<Expected>,
}

impl ReplyQueue {
    pub(super) fn push(&mut self, expected: Expected) {
        self.entries.push_back(expected);
    }

    pub(super) fn head(&self) -> Option<&Expected> {
        self.entries.front()
    }

    pub(super) fn pop(&mut self) -> Option<Expected> {
        self.entries.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes the head unless it is a Sync.
    pub(super) fn pop_unless_sync(&mut self) -> Option<Expected> {
        self.entries.pop_front_if(|head| head.kind != Kind::Sync)
    }

    /// In COPY from the client, the target swallows Syncs that were sent before the copy's end: their replies never
    /// come. `ended_at` is the last request before that end, if the end was sent ahead. Returns false if anything else
    /// was sent before it: then client and target are out of step.
    pub(super) fn drop_swallowed_syncs(&mut self, ended_at: Option<u64>) -> bool {
        let before = |entry: &Expected| ended_at.is_none_or(|end| entry.seq <= end);
        let only_syncs =
            self.entries.iter().skip(1).filter(|entry| before(entry)).all(|it| it.kind == Kind::Sync);
        let mut first = true;
        self.entries.retain(|entry| std::mem::take(&mut first) || !before(entry));
        only_syncs
    }
}

/// Appends one message: type, length, body.
fn message(kind: u8, body: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::with_capacity(128);
    out.put_u8(kind);
    out.put_i32(0);
    body(&mut out);
    let length = i32::try_from(out.len().saturating_sub(1)).unwrap_or(i32::MAX);
    if let Some(place) = out.get_mut(1..5) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    out.freeze()
}

/// A string field: NULs inside would end it early.
fn put_string(out: &mut BytesMut, text: &str) {
    out.extend(text.bytes().filter(|byte| *byte != 0));
    out.put_u8(0);
}

/// How bad an ErrorResponse is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Severity {
    Error,
    Fatal,
}

/// `ErrorResponse`. `code` is an SQLSTATE:
/// <https://www.postgresql.org/docs/15/errcodes-appendix.html>.
pub(super) fn error(severity: Severity, code: &str, text: &str, hint: &str) -> Bytes {
    let word = match severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
    };
    message(b'E', |out| {
        for (field, value) in [(b'S', word), (b'V', word), (b'C', code), (b'M', text), (b'H', hint)] {
            if !value.is_empty() {
                out.put_u8(field);
                put_string(out, value);
            }
        }
        out.put_u8(0);
    })
}

/// What a refused operation's client is told.
pub(super) fn denial(denial: &Denial, severity: Severity) -> Bytes {
    error(severity, "42501", &denial.message, &denial.hint)
}

/// `Query`.
pub(super) fn query(text: &str) -> Bytes {
    message(b'Q', |out| put_string(out, text))
}

/// `Parse` without parameter types.
pub(super) fn parse(name: &str, text: &str) -> Bytes {
    message(b'P', |out| {
        put_string(out, name);
        put_string(out, text);
        out.put_i16(0);
    })
}

/// A statement that no PostgreSQL accepts. It stands in for a refused one, so that the target itself fails the
/// transaction, skips the rest of a pipeline and counts replies just as after a statement that it refused; its error is
/// replaced by the refusal. It shows in the target's log, the refused statement does not.
pub(super) const MUST_FAIL: &str = "interlock refused an operation here";

/// The name under which [`MUST_FAIL`] is parsed: a name of its own leaves the client's unnamed statement alone.
pub(super) const MUST_FAIL_NAME: &str = "interlock_refused";

/// Asks for what the reading of later statements depends on.
const LOOKUP_TEXT: &str = "SELECT pg_catalog.current_schemas(true)::pg_catalog.text, \
                           pg_catalog.current_setting('standard_conforming_strings'), \
                           pg_catalog.current_setting('client_encoding'), CURRENT_USER";

/// The name of its statement and of its portal.
const LOOKUP_NAME: &str = "interlock_lookup";

/// The lookup. A simple query would be shorter, but it destroys the client's unnamed statement and portal; this touches
/// only names of its own. It closes the statement first too, in case a lookup that failed has left it behind.
pub(super) static LOOKUP: LazyLock<Bytes> = LazyLock::new(|| {
    let close = |what: u8| {
        message(b'C', |out| {
            out.put_u8(what);
            put_string(out, LOOKUP_NAME);
        })
    };
    let bind = message(b'B', |out| {
        put_string(out, LOOKUP_NAME);
        put_string(out, LOOKUP_NAME);
        // No formats (so all are text), no values, no formats of results.
        out.put_bytes(0, 6);
    });
    let execute = message(b'E', |out| {
        put_string(out, LOOKUP_NAME);
        out.put_i32(0);
    });
    let sync = message(b'S', |_| {});
    let steps = [close(b'S'), parse(LOOKUP_NAME, LOOKUP_TEXT), bind, execute, close(b'P'), close(b'S'), sync];
    steps.concat().into()
});
