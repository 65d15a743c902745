//! What the catalog knows, arranged for decisions: who has which roles, which targets there are, what is tagged.

use crate::catalog::{Catalog, TargetFacts};
use crate::diagnostic::{At, Diagnostic};
use crate::{kind::Kind, uid};
use hashbrown::HashMap;
use std::collections::BTreeSet;

/// The catalog, by name.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Roles by agent.
    pub agents: HashMap<String, Vec<String>>,
    /// Targets by name.
    pub targets: HashMap<String, Target>,
}

/// One target.
#[derive(Debug, Default)]
pub(crate) struct Target {
    /// The protocol it speaks.
    pub protocol: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Tags by escaped `schema/table` or `schema/table/column`: the database is not part of it.
    tags: HashMap<String, BTreeSet<String>>,
    /// The tagged columns (escaped) of a table (escaped `schema/table`).
    columns: HashMap<String, BTreeSet<String>>,
}

impl Known {
    /// Arranges a catalog. Tags that name neither a table nor a column are reported.
    pub(crate) fn new(catalog: &Catalog, problems: &mut Vec<Diagnostic>) -> Self {
        let mut known = Self::default();
        for agent in &catalog.agents {
            known.agents.entry(agent.name.clone()).or_default().extend(agent.roles.iter().cloned());
        }
        for facts in &catalog.targets {
            known.targets.insert(facts.name.clone(), Target::new(facts, problems));
        }
        known
    }

    /// Does the agent have the role?
    pub(crate) fn has_role(&self, agent: &str, role: &str) -> bool {
        self.agents.get(agent).is_some_and(|roles| roles.iter().any(|had| had == role))
    }

    /// Does any agent have it?
    pub(crate) fn role_exists(&self, role: &str) -> bool {
        self.agents.values().flatten().any(|had| had == role)
    }
}

impl Target {
    fn new(facts: &TargetFacts, problems: &mut Vec<Diagnostic>) -> Self {
        let mut target =
            Self { protocol: facts.protocol.clone(), labels: facts.labels.clone(), ..Self::default() };
        for (named, tags) in &facts.tags {
            let parts = dotted(named).filter(|parts| matches!(parts.len(), 2 | 3));
            let Some(parts) = parts else {
                problems.push(At::file("configuration").error(
                    format!("tags of target `{}`: `{named}` names neither a table nor a column", facts.name),
                    "write `schema.table` or `schema.table.column`; put a part with a dot in it in double quotes",
                ));
                continue;
            };
            let id = uid::join(parts.iter().map(String::as_str));
            if let (3, Some((table, column))) = (parts.len(), id.rsplit_once('/')) {
                target.columns.entry(table.to_owned()).or_default().insert(column.to_owned());
            }
            target.tags.entry(id).or_default().extend(tags.iter().cloned());
        }
        target
    }

    /// The groups that the target is in, as a policy's scope can name them.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (Kind, &str)> {
        let labels = self.labels.iter().map(|label| (Kind::Label, label.as_str()));
        labels.chain([(Kind::Protocol, self.protocol.as_str())])
    }

    /// The tags of a table or column by its id; a column has those of its table too.
    pub(crate) fn tags(&self, kind: Kind, id: &str) -> BTreeSet<String> {
        let mut tags = BTreeSet::new();
        if matches!(kind, Kind::Table | Kind::Column)
            && let Some(id) = below_database(id)
        {
            tags.extend(self.tags.get(id).into_iter().flatten().cloned());
            if let (Kind::Column, Some((table, _))) = (kind, id.rsplit_once('/')) {
                tags.extend(self.tags.get(table).into_iter().flatten().cloned());
            }
        }
        tags
    }

    /// The tagged columns (escaped) of the table with this id.
    pub(crate) fn tagged_columns(&self, table: &str) -> impl Iterator<Item = &str> {
        below_database(table)
            .and_then(|table| self.columns.get(table))
            .into_iter()
            .flatten()
            .map(String::as_str)
    }
}

/// An id without its target and database.
fn below_database(id: &str) -> Option<&str> {
    id.splitn(3, '/').nth(2)
}

/// Splits at dots outside of double quotes; `""` within quotes is one.
pub(crate) fn dotted(text: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                parts.last_mut()?.push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            c => parts.last_mut()?.push(c),
        }
    }
    (!quoted && parts.iter().all(|part| !part.is_empty())).then_some(parts)
}

#[cfg(test)]
mod tests;
