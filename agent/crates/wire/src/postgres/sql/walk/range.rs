//! What a column reference may mean: the relations of the FROM clauses around it.

use super::Walk;
use super::names::{Table, parts};
use crate::postgres::sql::builtin;
use pg_query::{NodeEnum, protobuf as ast};

/// The columns of something derived, as far as they are known. What they were computed from was counted there.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    pub(super) names: Vec<Box<str>>,
    /// There are no others.
    pub(super) exact: bool,
}

impl Columns {
    pub(super) const fn unknown() -> Self {
        Self { names: Vec::new(), exact: false }
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| **known == *name)
    }

    /// A column list behind an alias renames from the first on.
    pub(super) fn rename(mut self, names: &[&str]) -> Self {
        for (at, name) in names.iter().enumerate() {
            match self.names.get_mut(at) {
                Some(old) if self.exact => *old = (*name).into(),
                // Which of the known names it replaces is not known, so all are dropped.
                _ => {
                    self = Self { names: names.iter().map(|name| (*name).into()).collect(), exact: false };
                    break;
                }
            }
        }
        self
    }
}

/// A WITH query.
#[derive(Clone, Debug)]
pub(super) struct Cte {
    pub(super) name: Box<str>,
    pub(super) columns: Columns,
}

/// One relation of a FROM clause.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    /// How it is referred to; empty if it can't be.
    pub(super) name: Box<str>,
    /// The stored relations whose columns it has; several where a name may mean several, or for a join with an alias.
    pub(super) tables: Vec<Table>,
    /// It goes by its own name, so that the schema may be put before it.
    pub(super) bare: bool,
    /// New names for columns of `tables`, which ones is not known.
    pub(super) renamed: Vec<Box<str>>,
    /// For what is derived.
    pub(super) columns: Columns,
    /// Its columns can't be named without it.
    pub(super) qualified_only: bool,
}

impl Entry {
    /// A relation that something other than a FROM clause brings in, such as the target of an UPDATE.
    pub(super) fn target(relation: &ast::RangeVar, tables: &[Table]) -> Self {
        let alias = relation.alias.as_ref();
        Self {
            name: alias.map_or(&*relation.relname, |alias| &*alias.aliasname).into(),
            tables: tables.to_vec(),
            bare: alias.is_none(),
            ..Self::default()
        }
    }

    /// Something of that name without stored columns of its own.
    pub(super) fn derived(name: &str, columns: Columns) -> Self {
        Self { name: name.into(), columns, ..Self::default() }
    }

    fn has(&self, column: &str) -> bool {
        self.renames(column) || self.tables.is_empty() && self.columns.has(column)
    }

    fn renames(&self, column: &str) -> bool {
        self.renamed.iter().any(|name| **name == *column)
    }
}

/// The FROM clause of one query.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub(super) entries: Vec<Entry>,
    /// It is still being built: what it has may not be visible yet, so the outer ones count as well.
    pub(super) open: bool,
}

impl Walk {
    pub(super) fn push_entry(&mut self, entry: Entry) {
        if let Some(level) = self.levels.last_mut() {
            level.entries.push(entry);
        }
    }

    /// Walks something that sees those relations, and what is around.
    pub(super) fn with_entries<T>(&mut self, entries: Vec<Entry>, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.levels.push(Level { entries, open: false });
        let result = walk(self);
        self.levels.pop();
        result
    }

    pub(super) fn column_ref(&mut self, reference: &ast::ColumnRef) {
        let ast::ColumnRef { fields, location: _ } = reference;
        self.column_refs = self.column_refs.saturating_add(1);
        let names = parts(fields);
        if names.len() != fields.len() {
            self.not_understood("a column reference of that form");
            return;
        }
        let starred = matches!(fields.last().and_then(|last| last.node.as_ref()), Some(NodeEnum::AStar(_)));
        match names.as_slice() {
            [_] if starred => self.every_column(),
            [column] => self.column(column),
            [relation, column] => self.column_of(None, relation, column, starred),
            [schema, relation, column] => self.column_of(Some(schema), relation, column, starred),
            [database, schema, relation, column] => {
                self.doubt(format!("`{database}.{schema}.{relation}.{column}` names a database"));
                self.column_of(Some(schema), relation, column, starred);
            }
            _ => self.not_understood("a column reference of that form"),
        }
    }

    /// Looks at the relations in scope. They are out of place meanwhile: `look` must not ask for them.
    fn in_scope(&mut self, look: impl FnOnce(&mut Self, &[Level])) {
        let entries: usize = self.levels.iter().map(|level| level.entries.len() + 1).sum();
        if self.spend(entries) {
            let levels = std::mem::take(&mut self.levels);
            look(self, &levels);
            self.levels = levels;
        }
    }

    /// `*`
    fn every_column(&mut self) {
        self.in_scope(|walk, levels| {
            for entry in levels.last().into_iter().flat_map(|level| &level.entries) {
                if !entry.qualified_only {
                    walk.read_all_of(entry);
                }
            }
        });
    }

    pub(super) fn read_all_of(&mut self, entry: &Entry) {
        for table in &entry.tables {
            self.read_column(table, "*");
        }
    }

    /// A name alone: a column of any relation in scope, or a whole row.
    pub(super) fn column(&mut self, name: &str) {
        self.in_scope(|walk, levels| {
            for level in levels.iter().rev() {
                let has = |entry: &Entry| !entry.qualified_only && entry.has(name);
                let certain = !level.open && level.entries.iter().any(has);
                for entry in &level.entries {
                    if !certain && *entry.name == *name {
                        walk.read_all_of(entry);
                    }
                    if !entry.qualified_only && (!certain || entry.has(name)) {
                        walk.read_from(entry, name);
                    }
                }
                if certain {
                    return;
                }
            }
        });
    }

    fn column_of(&mut self, schema: Option<&str>, relation: &str, column: &str, starred: bool) {
        self.in_scope(|walk, levels| {
            let mut known = false;
            for level in levels.iter().rev() {
                let mut here = false;
                for entry in &level.entries {
                    let in_schema = |schema: &str| {
                        entry.bare && entry.tables.iter().any(|table| *table.schema == *schema)
                    };
                    if *entry.name != *relation || !schema.is_none_or(in_schema) {
                        continue;
                    }
                    here = true;
                    if starred {
                        walk.read_all_of(entry);
                    } else {
                        walk.read_from(entry, column);
                        walk.maybe_call_with_row(entry, column);
                    }
                }
                known |= here;
                if here && !level.open {
                    return;
                }
            }
            if !known {
                walk.doubt(format!("`{relation}.{column}` names no relation of the statement"));
            }
        });
    }

    /// One column of a relation; of one whose columns have new names, it may be any.
    pub(super) fn read_from(&mut self, entry: &Entry, column: &str) {
        let column = if entry.renames(column) { "*" } else { column };
        for table in &entry.tables {
            self.read_column(table, column);
        }
    }

    /// `t.f` is `f(t)` where `t` has no such column.
    fn maybe_call_with_row(&mut self, entry: &Entry, name: &str) {
        if builtin::routine(name).is_some_and(|routine| routine.takes_row) && !entry.has(name) {
            self.read_all_of(entry);
            self.routine(&[name]);
        }
    }
}
