//! INSERT, UPDATE, DELETE and MERGE.

use super::Walk;
use super::names::{Table, parts};
use super::range::{Columns, Entry, Level};
use crate::Action;
use pg_query::{NodeEnum, protobuf as ast};

impl Walk {
    /// The relation that a statement changes. WITH queries are not looked at: they can't be changed.
    fn target(&mut self, action: Action, relation: Option<&ast::RangeVar>) -> (Vec<Table>, Option<Entry>) {
        let Some(relation) = relation else { return (Vec::new(), None) };
        let tables = self.relation(relation);
        self.access_tables(action, &tables);
        if tables.iter().any(|table| *table.name == *"pg_settings") {
            self.doubt("a change of `pg_settings` changes a setting");
            self.any_setting();
        }
        let entry = Entry::target(relation, &tables);
        (tables, Some(entry))
    }

    pub(super) fn insert(&mut self, insert: &ast::InsertStmt) -> Columns {
        let ast::InsertStmt {
            relation,
            cols,
            select_stmt,
            on_conflict_clause,
            returning_clause,
            with_clause,
            r#override: _,
        } = insert;
        let visible = self.with_clause(with_clause.as_ref());
        let (tables, entry) = self.target(Action::Write, relation.as_ref());
        self.insert_columns(&tables, cols);
        if let Some(query) = select_stmt.as_deref() {
            self.expr(query);
        }
        let mut entries: Vec<Entry> = entry.into_iter().collect();
        if on_conflict_clause.is_some() {
            // The row that was not inserted: nothing stored is read through it.
            let excluded = Entry::derived("excluded", Columns::unknown());
            entries.push(Entry { qualified_only: true, ..excluded });
        }
        self.levels.push(Level { entries, open: false });
        if let Some(conflict) = on_conflict_clause.as_deref() {
            self.on_conflict(&tables, conflict);
        }
        let columns = self.returning(returning_clause.as_ref(), &tables);
        self.levels.pop();
        self.ctes.truncate(visible);
        columns
    }

    fn insert_columns(&mut self, tables: &[Table], columns: &[ast::Node]) {
        if columns.is_empty() {
            self.write_column(tables, "*");
        }
        for column in columns {
            if let Some(NodeEnum::ResTarget(target)) = &column.node {
                self.write_column(tables, &target.name);
                self.exprs(&target.indirection);
            } else {
                self.not_understood("an INSERT column of that form");
            }
        }
    }

    fn on_conflict(&mut self, tables: &[Table], conflict: &ast::OnConflictClause) {
        let ast::OnConflictClause { action: _, infer, target_list, where_clause, location: _ } = conflict;
        if let Some(ast::InferClause { index_elems, where_clause, conname, location: _ }) = infer.as_deref() {
            self.index_elems(index_elems);
            self.opt_expr(where_clause.as_deref());
            if !conname.is_empty() {
                for table in tables {
                    self.read_column(table, "*");
                }
            }
        }
        self.assignments(tables, target_list);
        self.opt_expr(where_clause.as_deref());
    }

    /// The columns and expressions of an index, or of what stands for one.
    pub(super) fn index_elems(&mut self, elems: &[ast::Node]) {
        for elem in elems {
            let Some(NodeEnum::IndexElem(elem)) = &elem.node else {
                self.not_understood("an index element of that form");
                continue;
            };
            if elem.name.is_empty() {
                self.opt_expr(elem.expr.as_deref());
            } else {
                let entries = self.levels.last().map(|level| level.entries.clone()).unwrap_or_default();
                for entry in entries.iter().filter(|entry| !entry.qualified_only) {
                    self.read_from(entry, &elem.name);
                }
            }
        }
    }

    /// `SET column = …`
    fn assignments(&mut self, tables: &[Table], targets: &[ast::Node]) {
        for target in targets {
            let Some(NodeEnum::ResTarget(target)) = &target.node else {
                self.not_understood("an assignment of that form");
                continue;
            };
            self.write_column(tables, &target.name);
            self.exprs(&target.indirection);
            self.opt_expr(target.val.as_deref());
        }
    }

    /// RETURNING, with the rows before and after under their names.
    fn returning(&mut self, clause: Option<&ast::ReturningClause>, tables: &[Table]) -> Columns {
        let Some(ast::ReturningClause { options, exprs }) = clause else {
            return Columns { names: Vec::new(), exact: true };
        };
        self.found.limits.push(None);
        let named = options.iter().filter_map(|option| match &option.node {
            Some(NodeEnum::ReturningOption(option)) => Some(option.value.as_str()),
            _ => None,
        });
        let rows: Vec<Entry> = named
            .chain(["old", "new"])
            .map(|name| Entry {
                name: name.into(),
                tables: tables.to_vec(),
                qualified_only: true,
                ..Entry::default()
            })
            .collect();
        if let Some(level) = self.levels.last_mut() {
            level.entries.extend(rows);
        }
        self.exprs(exprs);
        self.outputs(exprs)
    }

    fn filtered(&mut self, clause: Option<&ast::Node>) {
        let filtered = clause.is_some_and(|clause| self.filter(clause));
        self.found.filtered = Some(self.found.filtered.unwrap_or(true) && filtered);
    }

    pub(super) fn update(&mut self, update: &ast::UpdateStmt) -> Columns {
        let ast::UpdateStmt {
            relation,
            target_list,
            where_clause,
            from_clause,
            returning_clause,
            with_clause,
        } = update;
        let visible = self.with_clause(with_clause.as_ref());
        let (tables, entry) = self.target(Action::Write, relation.as_ref());
        self.levels.push(Level { entries: entry.into_iter().collect(), open: false });
        self.walk_from(from_clause);
        self.assignments(&tables, target_list);
        self.filtered(where_clause.as_deref());
        let columns = self.returning(returning_clause.as_ref(), &tables);
        self.levels.pop();
        self.ctes.truncate(visible);
        columns
    }

    pub(super) fn delete(&mut self, delete: &ast::DeleteStmt) -> Columns {
        let ast::DeleteStmt { relation, using_clause, where_clause, returning_clause, with_clause } = delete;
        let visible = self.with_clause(with_clause.as_ref());
        let (tables, entry) = self.target(Action::Delete, relation.as_ref());
        self.levels.push(Level { entries: entry.into_iter().collect(), open: false });
        self.walk_from(using_clause);
        self.filtered(where_clause.as_deref());
        let columns = self.returning(returning_clause.as_ref(), &tables);
        self.levels.pop();
        self.ctes.truncate(visible);
        columns
    }

    pub(super) fn merge(&mut self, merge: &ast::MergeStmt) -> Columns {
        let ast::MergeStmt {
            relation,
            source_relation,
            join_condition,
            merge_when_clauses,
            returning_clause,
            with_clause,
        } = merge;
        let visible = self.with_clause(with_clause.as_ref());
        let (tables, entry) = self.target(Action::Write, relation.as_ref());
        self.levels.push(Level { entries: entry.into_iter().collect(), open: false });
        if let Some(source) = source_relation.as_deref() {
            self.walk_from(std::slice::from_ref(source));
        }
        self.opt_expr(join_condition.as_deref());
        for clause in merge_when_clauses {
            match &clause.node {
                Some(NodeEnum::MergeWhenClause(clause)) => self.merge_when(&tables, clause),
                _ => self.not_understood("a MERGE clause of that form"),
            }
        }
        let columns = self.returning(returning_clause.as_ref(), &tables);
        self.levels.pop();
        self.ctes.truncate(visible);
        columns
    }

    fn merge_when(&mut self, tables: &[Table], clause: &ast::MergeWhenClause) {
        let ast::MergeWhenClause {
            match_kind: _,
            command_type: _,
            r#override: _,
            condition,
            target_list,
            values,
        } = clause;
        self.opt_expr(condition.as_deref());
        match clause.command_type() {
            ast::CmdType::CmdInsert => self.insert_columns(tables, target_list),
            ast::CmdType::CmdUpdate => self.assignments(tables, target_list),
            ast::CmdType::CmdDelete => self.access_tables(Action::Delete, tables),
            ast::CmdType::CmdNothing => {}
            _ => self.not_understood("a MERGE action of that kind"),
        }
        self.exprs(values);
    }

    /// TRUNCATE
    pub(super) fn truncate(&mut self, truncate: &ast::TruncateStmt) {
        let ast::TruncateStmt { relations, restart_seqs: _, behavior: _ } = truncate;
        self.each_relation(Action::Delete, relations);
        if truncate.behavior() == ast::DropBehavior::DropCascade {
            self.doubt("CASCADE empties tables that are not named");
        }
        self.found.filtered = Some(false);
    }

    /// An access to each relation of a list.
    pub(super) fn each_relation(&mut self, action: Action, nodes: &[ast::Node]) {
        for node in nodes {
            let tables = match &node.node {
                Some(NodeEnum::RangeVar(relation)) => self.relation(relation),
                Some(NodeEnum::List(list)) => self.relation_named(&parts(&list.items)),
                _ => {
                    self.not_understood("a relation of that form");
                    continue;
                }
            };
            self.access_tables(action, &tables);
        }
    }
}
