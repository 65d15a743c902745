//! Queries: SELECT, VALUES, TABLE and what UNION and its like make of them.

use super::range::{Columns, Level};
use super::{Verb, Walk};
use pg_query::{NodeEnum, protobuf as ast};

impl Walk {
    /// Walks a query; gives the columns that it returns.
    pub(super) fn select(&mut self, select: &ast::SelectStmt) -> Columns {
        if !self.enter() {
            return Columns::unknown();
        }
        let visible = self.with_clause(select.with_clause.as_ref());
        let columns = match (select.larg.as_deref(), select.rarg.as_deref()) {
            (Some(left), Some(right)) => {
                let columns = self.select(left);
                self.select(right);
                // Only names and numbers of result columns can stand here, and subqueries in LIMIT.
                self.levels.push(Level::default());
                self.order(select);
                self.levels.pop();
                columns
            }
            _ => self.plain_select(select),
        };
        self.ctes.truncate(visible);
        self.leave();
        columns
    }

    fn order(&mut self, select: &ast::SelectStmt) {
        for sort in &select.sort_clause {
            self.unless_output(select, sort);
        }
        self.opt_expr(select.limit_offset.as_deref());
        self.opt_expr(select.limit_count.as_deref());
    }

    fn plain_select(&mut self, select: &ast::SelectStmt) -> Columns {
        let ast::SelectStmt {
            distinct_clause,
            into_clause: _,
            target_list,
            from_clause,
            where_clause,
            group_clause,
            group_distinct: _,
            having_clause,
            window_clause,
            values_lists,
            sort_clause: _,
            limit_offset: _,
            limit_count: _,
            limit_option: _,
            locking_clause: _,
            with_clause: _,
            op: _,
            all: _,
            larg: _,
            rarg: _,
        } = select;
        self.levels.push(Level::default());
        self.walk_from(from_clause);
        self.exprs(target_list);
        self.opt_expr(where_clause.as_deref());
        self.exprs(group_clause);
        self.opt_expr(having_clause.as_deref());
        self.exprs(window_clause);
        self.exprs(values_lists);
        for distinct in distinct_clause {
            self.unless_output(select, distinct);
        }
        self.order(select);
        let columns =
            if values_lists.is_empty() { self.outputs(target_list) } else { value_columns(values_lists) };
        self.levels.pop();
        columns
    }

    /// A name alone in ORDER BY or DISTINCT ON means the result column of that alias, which was counted.
    fn unless_output(&mut self, select: &ast::SelectStmt, node: &ast::Node) {
        let inner = match &node.node {
            Some(NodeEnum::SortBy(sort)) => sort.node.as_deref(),
            _ => Some(node),
        };
        let is_output = inner.and_then(bare_column).is_some_and(|name| {
            select.target_list.iter().any(|target| match &target.node {
                Some(NodeEnum::ResTarget(target)) => target.name == name,
                _ => false,
            })
        });
        if self.spend(select.target_list.len()) && !is_output {
            self.expr(node);
        }
    }

    /// The columns that a list of results has; to be asked while its FROM clause is in scope.
    pub(super) fn outputs(&mut self, targets: &[ast::Node]) -> Columns {
        let mut columns = Columns { names: Vec::new(), exact: true };
        for target in targets {
            let Some(NodeEnum::ResTarget(target)) = &target.node else {
                columns.exact = false;
                continue;
            };
            match output_name(target) {
                Some(name) => columns.names.push(name.into()),
                None => columns.exact &= self.star_into(target, &mut columns.names),
            }
        }
        columns
    }

    /// Adds the columns of `*` where all are known; else says that they are not.
    fn star_into(&mut self, target: &ast::ResTarget, names: &mut Vec<Box<str>>) -> bool {
        let is_star = match target.val.as_deref().and_then(|val| val.node.as_ref()) {
            Some(NodeEnum::ColumnRef(reference)) => {
                matches!(reference.fields.as_slice(), [ast::Node { node: Some(NodeEnum::AStar(_)) }])
            }
            _ => false,
        };
        let Some(level) = self.levels.last() else { return false };
        if !is_star || level.entries.iter().any(|entry| !entry.tables.is_empty() || !entry.columns.exact) {
            return false;
        }
        let added: Vec<Box<str>> =
            level.entries.iter().flat_map(|entry| entry.columns.names.iter().cloned()).collect();
        let fits = self.spend(added.len());
        if fits {
            names.extend(added);
        }
        fits
    }

    /// A SELECT as a statement of its own.
    pub(super) fn select_statement(&mut self, select: &ast::SelectStmt) -> Verb {
        // INTO stands in the leftmost arm of a UNION.
        let mut first = select;
        while let Some(left) = first.larg.as_deref() {
            first = left;
        }
        self.select(select);
        if let Some(into) = first.into_clause.as_deref() {
            self.make_into(into);
            return "SELECT INTO".into();
        }
        let limit = self.limit(select);
        self.found.limits.push(limit);
        let strongest = select.locking_clause.iter().filter_map(|node| match &node.node {
            Some(NodeEnum::LockingClause(lock)) => Some(lock.strength),
            _ => None,
        });
        use ast::LockClauseStrength as Strength;
        match strongest.max().and_then(|strength| Strength::try_from(strength).ok()) {
            Some(Strength::LcsForupdate) => "SELECT FOR UPDATE",
            Some(Strength::LcsFornokeyupdate) => "SELECT FOR NO KEY UPDATE",
            Some(Strength::LcsForshare) => "SELECT FOR SHARE",
            Some(Strength::LcsForkeyshare) => "SELECT FOR KEY SHARE",
            _ if !first.values_lists.is_empty() => "VALUES",
            _ => "SELECT",
        }
        .into()
    }

    /// The constant of its LIMIT or FETCH FIRST, if that is what bounds the rows.
    fn limit(&mut self, select: &ast::SelectStmt) -> Option<i64> {
        if select.limit_option() == ast::LimitOption::WithTies {
            return None;
        }
        let Some(NodeEnum::AConst(constant)) = select.limit_count.as_deref()?.node.as_ref() else {
            return None;
        };
        self.looked_at.push(constant.location);
        match constant.val.as_ref()? {
            ast::a_const::Val::Ival(number) => Some(i64::from(number.ival)),
            ast::a_const::Val::Fval(number) => number.fval.parse().ok(),
            _ => None,
        }
    }
}

fn bare_column(node: &ast::Node) -> Option<&str> {
    let Some(NodeEnum::ColumnRef(reference)) = &node.node else { return None };
    match reference.fields.as_slice() {
        [ast::Node { node: Some(NodeEnum::String(name)) }] => Some(&name.sval),
        _ => None,
    }
}

/// The name of a result column where it is beyond doubt.
fn output_name(target: &ast::ResTarget) -> Option<&str> {
    if !target.name.is_empty() {
        return Some(&target.name);
    }
    let Some(NodeEnum::ColumnRef(reference)) = &target.val.as_deref()?.node else { return None };
    match &reference.fields.last()?.node {
        Some(NodeEnum::String(name)) => Some(&name.sval),
        _ => None,
    }
}

fn value_columns(rows: &[ast::Node]) -> Columns {
    let width = match rows.first().and_then(|row| row.node.as_ref()) {
        Some(NodeEnum::List(row)) => row.items.len(),
        _ => 0,
    };
    Columns { names: (1..=width).map(|number| format!("column{number}").into()).collect(), exact: true }
}
