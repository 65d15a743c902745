//! Walks a parse tree and gathers what it does.

mod admin;
mod call;
mod copy;
mod cte;
mod define;
mod dml;
mod expr;
mod from;
mod function;
mod json;
mod names;
mod object;
mod range;
mod select;
mod session;
mod statement;
mod table;

use super::path::Path;
use super::{Effect, Reading, Scope};
use crate::{Access, Action, Certainty, Facts, Meaning};
use pg_query::protobuf as ast;
use range::{Cte, Level};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Accesses of one statement string; more make it opaque.
const ACCESSES_MAX: usize = 4_096;
/// Names looked up and compared; more make it opaque. It bounds the time that a hostile statement takes.
const STEPS_MAX: usize = 4_000_000;
/// Verbs that a reading names; further ones are `…`.
const VERBS_MAX: usize = 16;
/// Levels of the tree that one level of nesting in the text may take.
const LEVELS_PER_NESTING: usize = 4;

/// The word for a statement, as its command tag or nearly so.
type Verb = Cow<'static, str>;

/// What was found, of a whole string or of the statement that a PREPARE or DECLARE holds.
#[derive(Debug)]
struct Findings {
    accesses: BTreeSet<Access>,
    /// The strongest action, leaving out calls of functions that only compute.
    strongest: Option<Action>,
    certainty: Certainty,
    doubt: String,
    filtered: Option<bool>,
    /// Of each statement that returns rows, how many at most.
    limits: Vec<Option<i64>>,
}

impl Findings {
    const fn new() -> Self {
        Self {
            accesses: BTreeSet::new(),
            strongest: None,
            certainty: Certainty::Exact,
            doubt: String::new(),
            filtered: None,
            limits: Vec::new(),
        }
    }

    fn merge(&mut self, inner: Self) {
        self.accesses.extend(inner.accesses);
        self.strongest = self.strongest.max(inner.strongest);
        self.certainty = self.certainty.max(inner.certainty);
        if self.doubt.is_empty() {
            self.doubt = inner.doubt;
        }
        self.filtered = match (self.filtered, inner.filtered) {
            (Some(outer), Some(inner)) => Some(outer && inner),
            (outer, inner) => outer.or(inner),
        };
    }

    fn meaning(&self, verb: &str, statements: u32, fingerprint: u64) -> Meaning {
        let limit = self
            .limits
            .iter()
            .copied()
            .collect::<Option<Vec<i64>>>()
            .and_then(|limits| limits.into_iter().max());
        Meaning {
            verb: verb.into(),
            action: self.strongest.unwrap_or(Action::Read),
            accesses: self.accesses.iter().cloned().collect(),
            certainty: self.certainty,
            doubt: self.doubt.as_str().into(),
            facts: Facts { filtered: self.filtered, limit, statements },
            fingerprint,
        }
    }
}

/// One pass over the statements of a string.
struct Walk {
    path: Path,
    found: Findings,
    effects: Vec<Effect>,
    /// Where the constants stand that something above depends on.
    looked_at: Vec<i32>,
    /// The FROM clauses around the current place, outermost first.
    levels: Vec<Level>,
    /// The WITH queries visible at the current place, innermost last.
    ctes: Vec<Cte>,
    /// Column references seen so far.
    column_refs: usize,
    depth: usize,
    depth_max: usize,
    steps: usize,
    fingerprint: u64,
}

/// Reads all statements of a string; also gives where the constants stand that the reading depends on.
pub(super) fn read(
    scope: &Scope,
    tree: &ast::ParseResult,
    fingerprint: u64,
    nesting_max: usize,
) -> (Reading, Vec<i32>) {
    let mut walk = Walk {
        path: Path::new(scope),
        found: Findings::new(),
        effects: Vec::new(),
        looked_at: Vec::new(),
        levels: Vec::new(),
        ctes: Vec::new(),
        column_refs: 0,
        depth: 0,
        depth_max: nesting_max.saturating_mul(LEVELS_PER_NESTING),
        steps: 0,
        fingerprint,
    };
    let mut verbs = Verbs::default();
    for raw in &tree.stmts {
        let ast::RawStmt { stmt, stmt_location: _, stmt_len: _ } = raw;
        if let Some(statement) = stmt.as_ref().and_then(|node| node.node.as_ref()) {
            let verb = walk.statement(statement);
            verbs.add(&verb);
        }
    }
    let verb = if verbs.count == 0 { "EMPTY" } else { &verbs.text };
    if walk.steps > STEPS_MAX || walk.found.accesses.len() > ACCESSES_MAX {
        let doubt = "the statement names too many things";
        walk.found = Findings { accesses: BTreeSet::new(), ..walk.found };
        walk.doubt_wholly(doubt);
    }
    let meaning = Arc::new(walk.found.meaning(verb, verbs.count, fingerprint));
    (Reading { meaning, effects: walk.effects.into(), statements: verbs.count }, walk.looked_at)
}

#[derive(Debug, Default)]
struct Verbs {
    text: String,
    count: u32,
}

impl Verbs {
    fn add(&mut self, verb: &str) {
        self.count = self.count.saturating_add(1);
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        if count <= VERBS_MAX {
            if count > 1 {
                self.text.push(';');
            }
            self.text.push_str(verb);
        } else if count == VERBS_MAX + 1 {
            self.text.push_str(";…");
        }
    }
}

impl Walk {
    /// Something could not be resolved: the accesses may be incomplete.
    fn doubt(&mut self, why: impl Into<String>) {
        self.found.certainty = self.found.certainty.max(Certainty::Partial);
        if self.found.doubt.is_empty() {
            self.found.doubt = why.into();
        }
    }

    /// Nothing is known of what it does, so no policy may permit it.
    fn doubt_wholly(&mut self, why: &str) {
        self.found.certainty = Certainty::Opaque;
        self.found.strongest = Some(Action::Unknown);
        why.clone_into(&mut self.found.doubt);
    }

    /// A statement or node that is not understood.
    fn not_understood(&mut self, what: &str) {
        self.found.strongest = Some(Action::Unknown);
        self.doubt(format!("{what} is not understood"));
    }

    /// May the walk go one level deeper? Every `true` is paired with a [`Self::leave`].
    fn enter(&mut self) -> bool {
        if self.depth >= self.depth_max {
            self.doubt_wholly("the statement is nested too deeply");
            return false;
        }
        self.depth += 1;
        true
    }

    const fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Counts work; is any left?
    const fn spend(&mut self, steps: usize) -> bool {
        self.steps = self.steps.saturating_add(steps);
        self.steps <= STEPS_MAX
    }

    /// Walks something whose findings are wanted on their own too.
    fn apart(&mut self, walk: impl FnOnce(&mut Self) -> Verb) -> Arc<Meaning> {
        let outer = std::mem::replace(&mut self.found, Findings::new());
        let effects = self.effects.len();
        let verb = walk(self);
        if self.effects.len() != effects {
            // They come when it is used, which is too late for a machine to learn of them.
            self.doubt("what it does to the session when it is used");
        }
        let inner = std::mem::replace(&mut self.found, outer);
        let meaning = Arc::new(inner.meaning(&verb, 1, self.fingerprint));
        self.found.merge(inner);
        meaning
    }
}
