//! Lookups: asks the target for the search path, and for what else the reading of statements depends on.
//!
//! Whatever may change them makes them stale. Outside a transaction they are looked up at once, before the client is told
//! that the target is ready. In a transaction a lookup takes the transaction's first snapshot, after which `SET
//! TRANSACTION ISOLATION LEVEL` is an error; so there it waits until a request comes whose meaning needs it.

use super::{Encoding, Machine, Settings, State, Statement, send};
use crate::postgres::frame::{self, Header, client, server};
use crate::postgres::reply::{self, Kind};
use crate::postgres::sql::{Reading, Scope};
use crate::{Certainty, Commands, Side};
use bytes::Bytes;
use std::sync::Arc;

/// A lookup that is under way: what it came before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lookup {
    /// The client's ReadyForQuery: it gets the lookup's own instead.
    BeforeReady,
    /// A request of the client, which waits for it; ReadyForQuery it has had.
    BeforeRequest,
}

/// What to do about the message at the front.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ahead {
    /// Read it.
    Read,
    /// Look up first.
    LookUp,
    /// What tells has not arrived yet.
    More,
}

/// How far is looked ahead, in bytes.
const AHEAD_BYTES_MAX: usize = 8 << 10;

/// Verbs of statements that are read before a lookup, if that reading is exact.
///
/// Exact alone would not do. With a path of its own (`SET search_path = a; SELECT …`, `CREATE SCHEMA a CREATE TABLE …`) a
/// string can be exact and still mean less than it does where temporary tables or `$user` are in the real path; and
/// what PREPARE and DECLARE hold must be recorded with the path in force. Nothing is lost by the list: these are the
/// statements that PostgreSQL runs without a snapshot, and before any other a lookup takes none that the statement would
/// not take anyway. Of them only LOCK TABLE resolves names that are reported: alone in its string it has no path, so a
/// name without a schema is not exact.
const WITHOUT_SNAPSHOT: [&str; 9] = [
    "COMMIT",
    "LOCK TABLE",
    "PREPARE TRANSACTION",
    "RESET",
    "ROLLBACK",
    "ROLLBACK TO",
    "SET",
    "SET CONSTRAINTS",
    "SHOW",
];

/// More of them, but only as simple queries. A Parse or Bind opens a pipeline segment, in which nothing can be looked up:
/// drivers send SAVEPOINT in one segment with the statement that it guards, whose names would stay unresolved, and so
/// those of every statement to the transaction's end. (In a subtransaction the isolation level can't be set anyway.)
const WITHOUT_SNAPSHOT_SIMPLE: [&str; 8] =
    ["BEGIN", "EMPTY", "LISTEN", "NOTIFY", "RELEASE", "SAVEPOINT", "START TRANSACTION", "UNLISTEN"];

impl Machine {
    /// Names are read under the search path that will be in force. While that may have changed, the next request
    /// waits until the target has caught up and was asked; unless that can't come about, because the client has not
    /// ended its pipeline: then names stay unresolved.
    pub(super) fn reading_must_wait(&self) -> bool {
        let Settings { stale, lookup, .. } = &self.settings;
        lookup.is_some() || (self.lookups && *stale && !self.segment_open && !self.replies.is_empty())
    }

    /// Is there something to look up, and is the target free to be asked?
    pub(super) fn lookup_is_due(&self) -> bool {
        let possible = self.lookups && self.state == State::Session && self.transaction != b'E';
        possible && self.settings.stale && !self.segment_open && self.replies.is_empty()
    }

    /// Must something be looked up before the message at the front is read?
    ///
    /// Close, Describe and Execute need no path, but open a segment as Parse and Bind do: it is what comes after them that
    /// tells. No client waits for their replies before it has sent a Sync or Flush, and that tells too.
    pub(super) fn look_ahead(&self) -> Ahead {
        if !self.lookup_is_due() {
            return Ahead::Read;
        }
        let mut rest = self.from_client.front();
        let start = rest.len();
        loop {
            // An impossible length is told of when it comes to it.
            let Ok(header) = frame::header(rest) else { return Ahead::Read };
            let Some(Header { kind, total }) = header else { return Ahead::More };
            if !matches!(kind, b'Q' | b'P' | b'B' | b'C' | b'D' | b'E')
                || total > self.limits.message_bytes_max
            {
                return Ahead::Read;
            }
            let Some((message, after)) = rest.split_at_checked(total) else { return Ahead::More };
            let needs = match kind {
                b'C' | b'D' | b'E' if start - after.len() <= AHEAD_BYTES_MAX => None,
                b'C' | b'D' | b'E' => Some(true),
                _ => Some(self.request_needs_path(kind, frame::body(message))),
            };
            match needs {
                Some(true) => return Ahead::LookUp,
                Some(false) => return Ahead::Read,
                None => rest = after,
            }
        }
    }

    /// Does the Query, Parse or Bind mean something else under another search path? A malformed one is refused.
    fn request_needs_path(&self, kind: u8, body: &[u8]) -> bool {
        match kind {
            b'Q' => client::query(body).is_some_and(|text| !self.needs_no_path(text, true)),
            b'P' => client::parse(body).is_some_and(|(_, text)| !self.needs_no_path(text, false)),
            _ => client::bound(body).is_some_and(|name| !self.statement_needs_no_path(name)),
        }
    }

    fn needs_no_path(&self, text: &[u8], simple: bool) -> bool {
        // The path is stale: this is read without one.
        let Reading { meaning, statements, .. } = &*self.read_text(text);
        let listed = |verb: &str| {
            let any = WITHOUT_SNAPSHOT.contains(&verb) || simple && WITHOUT_SNAPSHOT_SIMPLE.contains(&verb);
            any && (*statements <= 1 || verb != "LOCK TABLE")
        };
        meaning.certainty == Certainty::Exact && meaning.verb.split(';').all(listed)
    }

    /// All that the name of a prepared statement may stand for.
    fn statement_needs_no_path(&self, name: &[u8]) -> bool {
        let mut possible = self.statements.possible(name, self.segment).peekable();
        possible.peek().is_some()
            && possible.all(|statement| match statement {
                Statement::Text(text) => self.needs_no_path(text, false),
                Statement::Sql { .. } => false,
            })
    }

    pub(super) fn look_up(&mut self, lookup: Lookup, out: &mut Commands) {
        let seq = self.next_seq();
        self.await_reply(Kind::Lookup, seq, Bytes::new(), None);
        self.settings.lookup = Some(lookup);
        self.settings.stale = false;
        // The end of the transaction may undo what is learnt within it.
        self.settings.changed_in_transaction |= self.transaction == b'T';
        send(out, Side::Server, reply::LOOKUP.clone());
    }

    /// Is what the target sends now for us?
    pub(super) fn looking(&self) -> bool {
        self.replies.head().is_some_and(|head| head.kind == Kind::Lookup)
    }

    pub(super) fn saw_lookup_row(&mut self, message: &Bytes) {
        let row = server::row(frame::body(message)).unwrap_or_default();
        let path = row.first().and_then(|path| array(path)).unwrap_or_default();
        if let Some(plain) = row.get(1) {
            self.settings.plain_strings = *plain == b"on";
        }
        if let Some(encoding) = row.get(2) {
            self.settings.set_encoding(encoding);
        }
        // Not the login's name: SET ROLE makes `$user` another. Empty is one that is not known.
        let user = row.get(3).and_then(|user| std::str::from_utf8(user).ok()).unwrap_or_default().into();
        let scope = Scope { search_path: path, user };
        if *self.settings.scope != scope {
            self.settings.scope = Arc::new(scope);
        }
    }

    /// Names stay unresolved. The client is not told: it never asked. If that failed its transaction, it learns so from
    /// the ReadyForQuery, or from what the target says to the request that waits.
    pub(super) fn lookup_failed(&mut self) {
        self.settings.scope = Arc::new(Scope { search_path: Vec::new(), user: "".into() });
        self.settings.plain_strings = false;
    }

    /// `message` is the lookup's ReadyForQuery.
    pub(super) fn lookup_done(&mut self, message: Bytes, out: &mut Commands) {
        if self.settings.lookup.take() == Some(Lookup::BeforeReady) {
            // Not the one that was held back: should the lookup have failed a transaction, the client must know.
            send(out, Side::Client, message);
        }
    }
}

impl Settings {
    pub(super) fn set_encoding(&mut self, name: &[u8]) {
        let plain: Vec<u8> =
            name.iter().filter(|c| c.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect();
        self.encoding = match plain.as_slice() {
            // With SQL_ASCII the target takes bytes as they are; they are read as what they almost always are.
            b"UTF8" | b"UNICODE" | b"SQLASCII" => Encoding::Utf8,
            b"LATIN1" | b"ISO88591" => Encoding::Latin1,
            _ => Encoding::Other,
        };
    }

    /// Something passed that may have changed the search path. The end of a transaction changes it only if something
    /// in the transaction did.
    pub(super) fn went_stale(&mut self, verb: &str) {
        // Only alone: in a string of statements the change may be any other's.
        if verb != "ROLLBACK" || self.changed_in_transaction {
            self.stale = true;
            self.changed_in_transaction = true;
        }
    }
}

/// A `text[]` in its text form: `{pg_catalog,public,"With, comma"}`.
fn array(text: &[u8]) -> Option<Vec<Box<str>>> {
    let inner = std::str::from_utf8(text).ok()?.strip_prefix('{')?.strip_suffix('}')?;
    let (mut items, mut item, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for character in inner.chars() {
        match character {
            _ if escaped => {
                item.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => items.push(std::mem::take(&mut item).into_boxed_str()),
            _ => item.push(character),
        }
    }
    if !inner.is_empty() {
        items.push(item.into_boxed_str());
    }
    Some(items)
}
