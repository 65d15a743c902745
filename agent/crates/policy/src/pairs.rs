//! The (action, resource) pairs that must all be permitted for one operation.

use crate::kind::Kind;
use crate::known::Target;
use crate::uid;
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeSet;
use wire::{Access, Action, Certainty, Meaning, ResourceKind};

/// Most pairs of one operation, columns of `*` included; more are refused.
pub(crate) const PAIRS_MAX: usize = 4096;
/// Most parts of a name's path; longer ones are refused.
const PARTS_MAX: usize = 32;

/// One pair.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Pair {
    /// The action.
    pub action: Action,
    /// The resource's kind.
    pub kind: Kind,
    /// The resource's id.
    pub id: String,
}

/// Columns (escaped) that policies name, by their table's id.
#[derive(Debug, Default)]
pub(crate) struct NamedColumns(HashMap<String, BTreeSet<String>>);

impl NamedColumns {
    /// Notes a column by its id.
    pub(crate) fn insert(&mut self, column: &str) {
        if let Some((table, column)) = column.rsplit_once('/') {
            self.0.entry(table.to_owned()).or_default().insert(column.to_owned());
        }
    }

    fn of(&self, table: &str) -> impl Iterator<Item = &str> {
        self.0.get(table).into_iter().flatten().map(String::as_str)
    }
}

/// Lists the pairs of `meaning`, each once, in its order.
///
/// # Errors
/// Why the operation can't be asked about at all; it must be denied.
pub(crate) fn list(
    meaning: &Meaning,
    (target, database): (&str, &str),
    known: &Target,
    named: &NamedColumns,
) -> Result<Vec<Pair>, String> {
    if meaning.accesses.is_empty() {
        return Ok(vec![bare(meaning, target)]);
    }
    let mut seen = HashSet::new();
    let mut pairs = Vec::new();
    let mut push = |pair: Pair| {
        if seen.insert(pair.clone()) {
            pairs.push(pair);
        }
        if pairs.len() > PAIRS_MAX { Err(format!("it touches more than {PAIRS_MAX} things")) } else { Ok(()) }
    };
    for Access { action, resource } in &meaning.accesses {
        let kind = Kind::from(resource.kind);
        if resource.path.len() > PARTS_MAX {
            return Err(format!("a name in it has more than {PARTS_MAX} parts"));
        }
        let id = uid::of(target, database, resource);
        if !uid::well_formed(kind, &id) {
            return Err(format!("a {} in it has no proper name: `{id}`", kind.word()));
        }
        if let (ResourceKind::Column, Some((table, "*"))) = (resource.kind, id.rsplit_once('/')) {
            let columns: BTreeSet<&str> = known.tagged_columns(table).chain(named.of(table)).collect();
            for column in columns {
                push(Pair { action: *action, kind, id: format!("{table}/{column}") })?;
            }
        }
        push(Pair { action: *action, kind, id })?;
    }
    Ok(pairs)
}

/// What an operation that touches nothing asks for. If it was understood, and changes nothing, being connected is enough
/// (`BEGIN`, `SELECT 1`). Otherwise its own action on the target: policies can permit that for `connect`,
/// `define` and `admin`; the other actions do not apply to targets, so nothing can permit them.
fn bare(meaning: &Meaning, target: &str) -> Pair {
    let harmless = matches!(meaning.action, Action::Connect | Action::Read);
    let action =
        if harmless && meaning.certainty == Certainty::Exact { Action::Connect } else { meaning.action };
    Pair { action, kind: Kind::Target, id: uid::join([target]) }
}
