//! What SQL does: statements are read by PostgreSQL's own grammar (`pg_query`), names resolved as PostgreSQL would.
//!
//! The reader has no catalog of the target. Where PostgreSQL would look one up, it takes every possibility: a name
//! that may be in two schemas is an access to both, a column that may belong to two tables is read from both. What it
//! can't bound that way is [`Certainty::Partial`]; what it can't read at all is [`Certainty::Opaque`].
//! `README.md` beside this file's folder lists the rules.

mod builtin;
mod cache;
mod lexer;
mod parse;
mod path;
mod recent;
mod shape;
mod walk;

#[cfg(test)]
mod tests;

use crate::{Action, Limits, Meaning};
use cache::{Cache, Found};
use shape::Shape;
use std::sync::Arc;

pub use recent::Recent;

/// Where a session's unqualified names are looked up.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Scope {
    /// The effective schemas in order, as `current_schemas(true)` reports them; empty when they are not known.
    pub search_path: Vec<Box<str>>,
    /// The session's user, for `"$user"` in a `SET search_path`.
    pub user: Box<str>,
}

/// What one query string does, with the effects on its session that a machine must follow.
#[derive(Debug, Eq, PartialEq)]
pub struct Reading {
    /// Everything its statements do, together.
    pub meaning: Arc<Meaning>,
    /// What they do to the session, in statement order.
    pub effects: Box<[Effect]>,
    /// How many statements the string holds.
    pub statements: u32,
}

/// Something that a statement does to its session, or needs from it, beyond reading and writing data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Effect {
    /// PREPARE; the accesses of `inner` are also counted in the reading's own meaning.
    Prepare {
        /// Its name, folded as PostgreSQL folds it.
        name: Box<str>,
        /// What EXECUTE will do, resolved in the scope of the PREPARE.
        inner: Arc<Meaning>,
    },
    /// EXECUTE (also within EXPLAIN and CREATE TABLE AS): what it does is in the meaning of that name, not here.
    Execute {
        /// The prepared statement.
        name: Box<str>,
    },
    /// DEALLOCATE; also DISCARD ALL.
    Deallocate {
        /// The prepared statement; `None` is all of them.
        name: Option<Box<str>>,
    },
    /// DECLARE CURSOR; the accesses of `inner` are also counted in the reading's own meaning.
    DeclareCursor {
        /// Its name.
        name: Box<str>,
        /// What FETCH will read, resolved in the scope of the DECLARE.
        inner: Arc<Meaning>,
    },
    /// FETCH, MOVE, or WHERE CURRENT OF.
    UseCursor {
        /// The cursor or portal.
        name: Box<str>,
    },
    /// CLOSE; also DISCARD ALL.
    CloseCursor {
        /// The cursor; `None` is all of them.
        name: Option<Box<str>>,
    },
    /// The effective search path may differ afterwards. ROLLBACK is reported too, as it undoes what was set within
    /// its transaction; COMMIT is not, although it undoes SET LOCAL: a machine sees every transaction end.
    SearchPathMayChange,
    /// COPY … FROM STDIN.
    CopyIn,
    /// COPY … TO STDOUT.
    CopyOut,
    /// COPY in both directions; no SQL statement makes it, only the replication protocol.
    CopyBoth,
    /// A setting gets another value; `*` is any of them.
    SettingChange {
        /// Its name in lower case.
        name: Box<str>,
    },
}

/// Reads statements. Cheap to clone: all clones share one cache, bounded in entries and bytes.
#[derive(Clone, Debug)]
pub struct Reader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    cache: Cache,
    bytes_max: usize,
    nesting_max: usize,
}

impl Reader {
    /// A reader with an empty cache. Of `limits` it takes `statement_bytes_max` and `nesting_max`.
    pub fn new(limits: &Limits) -> Self {
        let shared = Shared {
            cache: Cache::new(),
            bytes_max: limits.statement_bytes_max,
            nesting_max: limits.nesting_max,
        };
        Self { shared: Arc::new(shared) }
    }

    /// What `text` does in a session of that scope. Never fails: what can't be read is opaque, and says why.
    ///
    /// The text is read with `standard_conforming_strings` on and as UTF-8: where a session has it otherwise, its
    /// machine must not trust the reading.
    pub fn read(&self, scope: &Arc<Scope>, text: &[u8]) -> Arc<Reading> {
        match self.find(scope, text) {
            Ok(Found::Reading(reading, _)) => reading,
            Ok(Found::Missing(shape)) => self.read_new(scope, text, shape),
            Err(doubt) => Arc::new(unreadable(doubt)),
        }
    }

    /// Looks for a reading made earlier; an error says why the text can't be read at all.
    fn find(&self, scope: &Arc<Scope>, text: &[u8]) -> Result<Found, &'static str> {
        if text.len() > self.shared.bytes_max {
            return Err("the statement is longer than `statement_bytes_max`");
        }
        // Before the cache: a constant that is not UTF-8 would be found by the shape of its statement.
        if std::str::from_utf8(text).is_err() {
            return Err("the statement is not UTF-8");
        }
        Ok(self.shared.cache.find(scope, text))
    }

    fn read_new(&self, scope: &Arc<Scope>, text: &[u8], shape: Option<Shape>) -> Arc<Reading> {
        let (reading, looked_at) = self.read_uncached(scope, text);
        let reading = Arc::new(reading);
        let shape = shape.filter(|shape| shape.kept_all(&looked_at) && shareable(&reading));
        self.shared.cache.store(scope, text, shape, &reading);
        reading
    }

    /// As [`Self::read`], for a session that often runs the same statements: it looks in its own recent ones first, and
    /// remembers there what all sessions know.
    pub fn read_again(&self, recent: &mut Recent, scope: &Arc<Scope>, text: &[u8]) -> Arc<Reading> {
        if let Some(reading) = recent.find(scope, text).filter(|_| text.len() <= self.shared.bytes_max) {
            return reading;
        }
        match self.find(scope, text) {
            Ok(Found::Reading(reading, key)) => {
                recent.remember(scope, (key, text), &reading);
                reading
            }
            // Not yet known: remembered when it comes a second time.
            Ok(Found::Missing(shape)) => self.read_new(scope, text, shape),
            Err(doubt) => Arc::new(unreadable(doubt)),
        }
    }

    /// The reading, and where in the text the constants stand that it depends on.
    fn read_uncached(&self, scope: &Scope, text: &[u8]) -> (Reading, Vec<i32>) {
        let text = match std::str::from_utf8(text) {
            Ok(text) if !text.as_bytes().contains(&0) => text,
            Ok(_) => return (unreadable("the statement holds a zero byte"), Vec::new()),
            Err(_) => return (unreadable("the statement is not UTF-8"), Vec::new()),
        };
        if !lexer::is_readable(text.as_bytes(), self.shared.nesting_max) {
            return (
                unreadable(
                    "the statement is nested deeper than `nesting_max`, or has a very long run of operator characters",
                ),
                Vec::new(),
            );
        }
        parse::with_tree(text, |parsed| match parsed {
            Ok(tree) => walk::read(scope, &tree, parse::fingerprint(text), self.shared.nesting_max),
            Err(doubt) => (unreadable(&doubt), Vec::new()),
        })
    }
}

/// Only plain reads and writes of data are shared between statements that differ in constants.
fn shareable(reading: &Reading) -> bool {
    let plain = |verb: &str| {
        matches!(verb, "INSERT" | "UPDATE" | "DELETE" | "VALUES")
            || verb.starts_with("SELECT") && verb != "SELECT INTO"
    };
    reading.statements == 1 && reading.effects.is_empty() && plain(&reading.meaning.verb)
}

/// What stands for a statement that can't be read. It may do anything, also to the search path.
fn unreadable(doubt: &str) -> Reading {
    Reading {
        meaning: Arc::new(Meaning::opaque("UNREADABLE", Action::Unknown, doubt)),
        effects: Box::new([Effect::SearchPathMayChange]),
        statements: 1,
    }
}
