//! The items of a FROM clause.

use super::Walk;
use super::names::parts;
use super::range::{Columns, Entry};
use crate::Action;
use pg_query::{NodeEnum, protobuf as ast};

impl Walk {
    /// Walks the items of the innermost clause and adds to it what they bring into scope.
    pub(super) fn walk_from(&mut self, items: &[ast::Node]) {
        if let Some(level) = self.levels.last_mut() {
            level.open = true;
        }
        for item in items {
            self.add_item(item);
        }
        if let Some(level) = self.levels.last_mut() {
            level.open = false;
        }
    }

    pub(super) fn add_item(&mut self, item: &ast::Node) {
        if let Some(node) = &item.node
            && self.enter()
        {
            match node {
                NodeEnum::RangeVar(relation) => self.add_relation(relation),
                NodeEnum::RangeSubselect(subselect) => self.add_subselect(subselect),
                NodeEnum::JoinExpr(join) => self.join(join),
                NodeEnum::RangeFunction(function) => self.add_function(function),
                NodeEnum::RangeTableFunc(table) => self.xml_table(table),
                NodeEnum::JsonTable(table) => self.json_table(table),
                NodeEnum::RangeTableSample(sample) => {
                    let ast::RangeTableSample { relation, method: _, args, repeatable, location: _ } =
                        &**sample;
                    if let Some(relation) = relation.as_deref() {
                        self.add_item(relation);
                    }
                    self.exprs(args);
                    self.opt_expr(repeatable.as_deref());
                }
                _ => self.not_understood("an item of that kind in FROM"),
            }
            self.leave();
        }
    }

    fn add_relation(&mut self, relation: &ast::RangeVar) {
        let alias = relation.alias.as_ref();
        let renamed = alias.map(|alias| parts(&alias.colnames)).unwrap_or_default();
        if relation.schemaname.is_empty() && relation.catalogname.is_empty() {
            let ctes = self.ctes.len();
            if !self.spend(ctes) {
                return;
            }
            if let Some(cte) = self.ctes.iter().rev().find(|cte| *cte.name == *relation.relname) {
                let name = alias.map_or(&*relation.relname, |alias| &*alias.aliasname);
                let entry = Entry::derived(name, cte.columns.clone().rename(&renamed));
                self.push_entry(entry);
                return;
            }
        }
        let tables = self.relation(relation);
        self.access_tables(Action::Read, &tables);
        let mut entry = Entry::target(relation, &tables);
        entry.renamed = renamed.into_iter().map(Box::from).collect();
        self.push_entry(entry);
    }

    fn add_subselect(&mut self, subselect: &ast::RangeSubselect) {
        let ast::RangeSubselect { lateral: _, subquery, alias } = subselect;
        let columns = match subquery.as_deref().and_then(|query| query.node.as_ref()) {
            Some(NodeEnum::SelectStmt(select)) => self.select(select),
            _ => {
                self.not_understood("a query of that kind in FROM");
                Columns::unknown()
            }
        };
        let (name, renamed) = alias
            .as_ref()
            .map_or_else(Default::default, |alias| (alias.aliasname.as_str(), parts(&alias.colnames)));
        self.push_entry(Entry::derived(name, columns.rename(&renamed)));
    }

    fn join(&mut self, join: &ast::JoinExpr) {
        let ast::JoinExpr {
            jointype: _,
            is_natural,
            larg,
            rarg,
            using_clause,
            join_using_alias,
            quals,
            alias,
            rtindex: _,
        } = join;
        let start = self.levels.last().map_or(0, |level| level.entries.len());
        for side in [larg, rarg].into_iter().flatten() {
            self.add_item(side);
        }
        let joined = self.joined(start);
        let using = parts(using_clause);
        for entry in &joined {
            if *is_natural {
                self.read_all_of(entry);
            }
            for column in &using {
                self.read_from(entry, column);
            }
        }
        if !using.is_empty() || *is_natural {
            // A condition as good as any that WHERE could have.
            self.column_refs = self.column_refs.saturating_add(1);
        }
        self.opt_expr(quals.as_deref());
        if let Some(alias) = join_using_alias {
            let mut entry = one_of(&joined, alias);
            entry.qualified_only = true;
            self.push_entry(entry);
        }
        if let Some(alias) = alias {
            // The alias hides the names inside.
            let entry = one_of(&joined, alias);
            if let Some(level) = self.levels.last_mut() {
                level.entries.truncate(start);
            }
            self.push_entry(entry);
        }
    }

    /// The relations that the innermost clause got since it had `start` of them.
    fn joined(&mut self, start: usize) -> Vec<Entry> {
        let joined =
            self.levels.last().and_then(|level| level.entries.get(start..)).unwrap_or_default().to_vec();
        if self.spend(joined.len()) { joined } else { Vec::new() }
    }

    fn add_function(&mut self, function: &ast::RangeFunction) {
        let ast::RangeFunction { lateral: _, ordinality: _, is_rowsfrom: _, functions, alias, coldeflist: _ } =
            function;
        let mut name = "";
        for item in functions {
            // Each is a pair of the call and its column definitions.
            let Some(NodeEnum::List(pair)) = &item.node else {
                self.not_understood("a function of that form in FROM");
                continue;
            };
            if let Some(call) = pair.items.first() {
                self.expr(call);
                if let Some(NodeEnum::FuncCall(call)) = &call.node {
                    name = parts(&call.funcname).last().copied().unwrap_or(name);
                }
            }
        }
        let entry = match alias {
            Some(alias) => {
                Entry::derived(&alias.aliasname, Columns::unknown().rename(&parts(&alias.colnames)))
            }
            None => Entry::derived(name, Columns::unknown()),
        };
        self.push_entry(entry);
    }

    /// `XMLTABLE`
    fn xml_table(&mut self, table: &ast::RangeTableFunc) {
        let ast::RangeTableFunc { lateral: _, docexpr, rowexpr, namespaces, columns, alias, location: _ } =
            table;
        self.opt_expr(docexpr.as_deref());
        self.opt_expr(rowexpr.as_deref());
        self.exprs(namespaces);
        let mut names = Vec::new();
        for node in columns {
            if let Some(NodeEnum::RangeTableFuncCol(column)) = &node.node {
                names.push(Box::from(column.colname.as_str()));
                self.opt_expr(column.colexpr.as_deref());
                self.opt_expr(column.coldefexpr.as_deref());
            }
        }
        let columns = Columns { names, exact: true };
        let entry = match alias {
            Some(alias) => Entry::derived(&alias.aliasname, columns.rename(&parts(&alias.colnames))),
            None => Entry::derived("xmltable", columns),
        };
        self.push_entry(entry);
    }
}

/// All columns of several relations under one name.
fn one_of(joined: &[Entry], alias: &ast::Alias) -> Entry {
    let mut entry = Entry::derived(&alias.aliasname, Columns::unknown());
    entry.renamed = parts(&alias.colnames).into_iter().map(Box::from).collect();
    for inner in joined {
        entry.tables.extend(inner.tables.iter().cloned());
        entry.renamed.extend(inner.renamed.iter().cloned());
    }
    entry
}
