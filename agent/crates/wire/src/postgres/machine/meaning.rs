//! What a request means, from its text and from what was prepared before.

use super::{Encoding, Machine, Statement};
use crate::postgres::sql::{Effect, Reading, Scope};
use crate::{Access, Action, Certainty, Facts, Meaning};
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;

/// What the use of a prepared statement means.
pub(super) struct Used {
    pub(super) meaning: Arc<Meaning>,
    /// Of the latest that the name may stand for; empty if that is not known.
    pub(super) text: Bytes,
    /// The reading of that text.
    pub(super) reading: Option<Arc<Reading>>,
    /// It may change what later readings depend on.
    pub(super) unsettles: bool,
}

impl Machine {
    /// Reads a statement as the target would now.
    pub(super) fn read_text(&self, text: &[u8]) -> Arc<Reading> {
        let text = match self.readable(text) {
            Ok(text) => text,
            Err(doubt) => return Arc::new(unread(doubt)),
        };
        if self.settings.stale && self.lookups {
            let scope = Arc::new(Scope { search_path: Vec::new(), user: "".into() });
            return self.shared.sql.read(&scope, &text);
        }
        self.shared.sql.read_again(&mut self.recent.borrow_mut(), &self.settings.scope, &text)
    }

    /// The text as the SQL reader takes it, UTF-8, or why it can't be had.
    fn readable<'a>(&self, text: &'a [u8]) -> Result<Cow<'a, [u8]>, &'static str> {
        let unsure = !self.settings.plain_strings || (self.lookups && self.settings.stale);
        if unsure && memchr::memchr(b'\\', text).is_some() {
            return Err("backslashes while `standard_conforming_strings` is off, or may be");
        }
        if text.is_ascii() {
            return Ok(Cow::Borrowed(text));
        }
        match self.settings.encoding {
            Encoding::Utf8 => Ok(Cow::Borrowed(text)),
            Encoding::Latin1 => {
                Ok(Cow::Owned(text.iter().map(|byte| char::from(*byte)).collect::<String>().into()))
            }
            Encoding::Other => Err("characters beyond ASCII in a `client_encoding` that is not understood"),
        }
    }

    /// The meaning of a read statement, with what the prepared statements and cursors that it uses stand for.
    pub(super) fn meaning_of(&self, reading: &Reading) -> Arc<Meaning> {
        let mut meaning = Cow::Borrowed(&reading.meaning);
        for effect in &reading.effects {
            let used = match effect {
                Effect::Execute { name } => self.meaning_of_statement(name.as_bytes()).meaning,
                Effect::UseCursor { name } => self.meaning_of_cursor("FETCH", name.as_bytes()),
                _ => continue,
            };
            meaning = Cow::Owned(Arc::new(join(&meaning, &used)));
        }
        Arc::clone(&meaning)
    }

    /// Everything that running the prepared statement of that name may mean, the text of the latest, and its reading;
    /// and whether that may change what later readings depend on.
    pub(super) fn meaning_of_statement(&self, name: &[u8]) -> Used {
        let mut result: Option<Used> = None;
        for statement in self.statements.possible(name, self.segment) {
            let (meaning, text, reading, unsettles) = match statement {
                Statement::Text(text) => {
                    let reading = self.read_text(text);
                    // Those that run further prepared statements are not followed: they may.
                    let effects = &reading.effects;
                    let may = effects.iter().any(|it| unsettles(it) || matches!(it, Effect::Execute { .. }));
                    // No recursion without end: what a prepared EXECUTE uses was itself prepared by Parse or PREPARE,
                    // and those that use further ones are not followed.
                    let meaning = if reading.effects.iter().any(uses_another) {
                        Arc::new(self.meaning_of_indirect(&reading))
                    } else {
                        Arc::clone(&reading.meaning)
                    };
                    (meaning, text.clone(), Some(reading), may)
                }
                Statement::Sql { inner, scope }
                    if scope.as_ref() == Some(&self.settings.scope) && !self.settings.stale =>
                {
                    (Arc::clone(inner), Bytes::new(), None, inner.certainty != Certainty::Exact)
                }
                Statement::Sql { inner, .. } => {
                    let meaning = doubtful(inner, "prepared under another search path");
                    (Arc::new(meaning), Bytes::new(), None, inner.certainty != Certainty::Exact)
                }
            };
            result = Some(match result {
                None => Used { meaning, text, reading, unsettles },
                // Effects of several possible statements can't be told apart: the latest's are followed.
                Some(earlier) => Used {
                    meaning: Arc::new(join(&earlier.meaning, &meaning)),
                    text,
                    reading,
                    unsettles: earlier.unsettles || unsettles,
                },
            });
        }
        result.unwrap_or_else(|| {
            let doubt = "a prepared statement that was not seen being prepared";
            let meaning = Arc::new(Meaning::opaque("EXECUTE", Action::Unknown, doubt));
            Used { meaning, text: Bytes::new(), reading: None, unsettles: false }
        })
    }

    fn meaning_of_indirect(&self, reading: &Reading) -> Meaning {
        let mut meaning = (*reading.meaning).clone();
        for effect in &reading.effects {
            let used = match effect {
                Effect::Execute { name } => self.sql_prepared(name.as_bytes()),
                Effect::UseCursor { name } => self.meaning_of_cursor("FETCH", name.as_bytes()),
                _ => continue,
            };
            meaning = join(&meaning, &used);
        }
        meaning
    }

    /// What EXECUTE of that name means inside a statement that was itself prepared.
    fn sql_prepared(&self, name: &[u8]) -> Arc<Meaning> {
        let mut joined: Option<Arc<Meaning>> = None;
        for statement in self.statements.possible(name, self.segment) {
            let meaning = match statement {
                Statement::Sql { inner, .. } => Arc::clone(inner),
                Statement::Text(text) => {
                    let reading = self.read_text(text);
                    if reading.effects.iter().any(uses_another) {
                        Arc::new(Meaning::opaque(
                            "EXECUTE",
                            Action::Unknown,
                            "prepared statements nested too deeply",
                        ))
                    } else {
                        Arc::clone(&reading.meaning)
                    }
                }
            };
            joined = Some(
                joined.map_or_else(|| Arc::clone(&meaning), |earlier| Arc::new(join(&earlier, &meaning))),
            );
        }
        joined.unwrap_or_else(|| {
            let doubt = "a prepared statement that was not seen being prepared";
            Arc::new(Meaning::opaque("EXECUTE", Action::Unknown, doubt))
        })
    }

    /// Everything that fetching from the cursor of that name may mean.
    pub(super) fn meaning_of_cursor(&self, verb: &str, name: &[u8]) -> Arc<Meaning> {
        let mut joined: Option<Meaning> = None;
        for inner in self.cursors.possible(name, u64::MAX) {
            joined = Some(joined.map_or_else(|| (**inner).clone(), |earlier| join(&earlier, inner)));
        }
        Arc::new(match joined {
            Some(meaning) => Meaning { verb: verb.into(), ..meaning },
            None => Meaning::opaque(verb, Action::Unknown, "a cursor or portal that was not seen being made"),
        })
    }
}

/// Does it change, or may it change, the search path or a setting?
pub(super) const fn unsettles(effect: &Effect) -> bool {
    matches!(effect, Effect::SearchPathMayChange | Effect::SettingChange { .. })
}

const fn uses_another(effect: &Effect) -> bool {
    matches!(effect, Effect::Execute { .. } | Effect::UseCursor { .. })
}

/// Both at once: everything that either touches, as uncertain as the less certain.
fn join(first: &Meaning, second: &Meaning) -> Meaning {
    let mut accesses: Vec<Access> = first.accesses.iter().chain(&second.accesses).cloned().collect();
    accesses.sort_unstable();
    accesses.dedup();
    let doubt = if first.doubt.is_empty() { &second.doubt } else { &first.doubt };
    let filtered = match (first.facts.filtered, second.facts.filtered) {
        (Some(one), Some(other)) => Some(one && other),
        (one, other) => one.or(other),
    };
    Meaning {
        verb: first.verb.clone(),
        action: first.action.max(second.action),
        accesses: accesses.into_boxed_slice(),
        certainty: first.certainty.max(second.certainty),
        doubt: doubt.clone(),
        facts: Facts {
            filtered,
            limit: None,
            statements: first.facts.statements.max(second.facts.statements),
        },
        fingerprint: first.fingerprint,
    }
}

fn doubtful(meaning: &Meaning, doubt: &str) -> Meaning {
    Meaning { certainty: meaning.certainty.max(Certainty::Partial), doubt: doubt.into(), ..meaning.clone() }
}

fn unread(doubt: &str) -> Reading {
    Reading {
        meaning: Arc::new(Meaning::opaque("UNREADABLE", Action::Unknown, doubt)),
        effects: Box::new([Effect::SearchPathMayChange]),
        statements: 1,
    }
}
