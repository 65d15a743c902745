//! Test cases for policies, as text.
//!
//! ```text
//! # who and what there is; a configuration can say it instead
//! agent  planner planners              # a name, then its roles
//! target shop-db postgres production   # a name, its protocol, then its labels
//! tag    shop-db public.customers.card_number pci
//! on     shop-db/shop                  # `as`, `on` and `with` up here hold for all cases
//!
//! case planners read orders
//!   as     planner
//!   sql    SELECT id FROM orders       # every sql line is an operation of its own
//!        | WHERE id = 1                # and may go on here
//!   expect forward by planner-reads
//!
//! case nobody deletes without a filter
//!   as     planner
//!   does   delete table public.orders  # all does lines together are one operation
//!   with   filtered no
//!   expect deny by nothing
//! ```
//!
//! `expect forward`, `expect deny` and `expect hold dba, privacy` may go on with `by` and policies, each of which must be
//! among the deciding ones; `by nothing` means that no policy decided. `with` takes certainty, container, exe, filtered,
//! hour, limit, search_path, statements, task, uid, user. A `#` begins a comment, except within sql. Cases run in no
//! particular order and do not see each other.

mod parse;

use crate::{Asked, Catalog, Diagnostic, Effect, PolicySet, Ruling, Source};
use parse::{Case, Expected, What};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use wire::postgres::sql::{Effect as SqlEffect, Reader, Scope};
use wire::{Action, Limits, Meaning};

/// Reads SQL, for `sql` lines: `wire`'s reader, under this search path and user.
pub type ReadSql<'a> = dyn Fn(&str, &[String], &str) -> Arc<Meaning> + 'a;

/// Reads SQL as sessions with PostgreSQL targets do. What a statement like EXECUTE means depends on what its session did
/// before: it counts as not understood.
pub fn postgres(text: &str, search_path: &[String], user: &str) -> Arc<Meaning> {
    let search_path = search_path.iter().map(|schema| schema.as_str().into()).collect();
    let scope = Arc::new(Scope { search_path, user: user.into() });
    let reading = Reader::new(&Limits::default()).read(&scope, text.as_bytes());
    let elsewhere =
        |effect: &SqlEffect| matches!(effect, SqlEffect::Execute { .. } | SqlEffect::UseCursor { .. });
    if reading.effects.iter().any(elsewhere) {
        let doubt = "it uses something that its session prepared before";
        return Arc::new(Meaning::opaque(&reading.meaning.verb, Action::Unknown, doubt));
    }
    Arc::clone(&reading.meaning)
}

/// What came of the cases of one file.
#[derive(Debug, Default)]
pub struct Report {
    /// Operations that were decided as expected.
    pub passed: usize,
    /// The others.
    pub failures: Vec<Failure>,
    /// Policies that decided nothing in any case.
    pub undecisive: Vec<Arc<str>>,
}

/// One operation that was not decided as expected.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The file.
    pub file: String,
    /// The line of the operation.
    pub line: u32,
    /// The case.
    pub case: String,
    /// The operation.
    pub operation: String,
    /// What should have been decided.
    pub expected: String,
    /// What was.
    pub got: String,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}: {}: {}", self.file, self.line, self.case, self.operation)?;
        writeln!(f, "  expected  {}", self.expected)?;
        writeln!(f, "  got       {}", self.got)?;
        write!(f, "  because   {}", self.reason)
    }
}

/// Runs the cases of one file against policies. Agents and targets that the file declares are added to `catalog`, or take
/// the place of those with the same name.
///
/// # Errors
/// The cases can't be read, or the policies are refused.
pub fn run(
    cases: &Source,
    policies: &[Source],
    catalog: &Catalog,
    sql: &ReadSql<'_>,
) -> Result<Report, Vec<Diagnostic>> {
    let file = parse::file(cases)?;
    let set = PolicySet::load(policies, &merged(catalog, &file.catalog))?;
    let mut report = Report::default();
    let mut decisive = BTreeSet::new();
    for case in &file.cases {
        for (line, what) in &case.operations {
            let meaning = meaning(case, what, sql);
            let ruling =
                set.rule(&Asked { who: &case.who, at: &case.at, meaning: &meaning, hour: case.hour });
            decisive.extend(ruling.policies.iter().cloned());
            if case.expected.holds(&ruling) {
                report.passed += 1;
            } else {
                report.failures.push(Failure {
                    file: cases.name.clone(),
                    line: *line,
                    case: case.title.clone(),
                    operation: format!("{} by `{}`", what.shown(), case.who.agent),
                    expected: case.expected.to_string(),
                    got: got(&ruling),
                    reason: ruling.reason.to_string(),
                });
            }
        }
    }
    report.undecisive = set.ids().filter(|id| !decisive.contains(*id)).cloned().collect();
    Ok(report)
}

fn meaning(case: &Case, what: &What, sql: &ReadSql<'_>) -> Arc<Meaning> {
    match what {
        What::Sql(text) => sql(text, &case.search_path, &case.user),
        What::Does(meaning) => Arc::clone(meaning),
    }
}

fn merged(catalog: &Catalog, declared: &Catalog) -> Catalog {
    let mut merged = catalog.clone();
    merged.agents.retain(|agent| declared.agents.iter().all(|other| other.name != agent.name));
    merged.agents.extend(declared.agents.iter().cloned());
    merged.targets.retain(|target| declared.targets.iter().all(|other| other.name != target.name));
    merged.targets.extend(declared.targets.iter().cloned());
    merged
}

fn got(ruling: &Ruling) -> String {
    let effect = match &ruling.effect {
        Effect::Forward => "forward".to_owned(),
        Effect::Deny => "deny".to_owned(),
        Effect::Hold { groups } => format!("hold {}", groups.join(", ")),
    };
    format!(
        "{effect} by {}",
        if ruling.policies.is_empty() { "nothing".to_owned() } else { ruling.policies.join(", ") }
    )
}

impl Expected {
    fn holds(&self, ruling: &Ruling) -> bool {
        let decided = |id: &String| ruling.policies.iter().any(|policy| **policy == **id);
        self.effect == ruling.effect
            && match &self.by {
                None => true,
                Some(ids) if ids.is_empty() => ruling.policies.is_empty(),
                Some(ids) => ids.iter().all(decided),
            }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.effect {
            Effect::Forward => f.write_str("forward")?,
            Effect::Deny => f.write_str("deny")?,
            Effect::Hold { groups } => write!(f, "hold {}", groups.join(", "))?,
        }
        match &self.by {
            None => Ok(()),
            Some(ids) if ids.is_empty() => f.write_str(" by nothing"),
            Some(ids) => write!(f, " by {}", ids.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
