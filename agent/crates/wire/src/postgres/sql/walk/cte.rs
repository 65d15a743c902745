//! WITH clauses.

use super::Walk;
use super::names::parts;
use super::range::{Columns, Cte};
use pg_query::{NodeEnum, protobuf as ast};

impl Walk {
    /// Walks the queries of a WITH clause and makes their names visible. Gives the number that was visible before: the
    /// caller truncates `ctes` to it where the clause ends.
    pub(super) fn with_clause(&mut self, clause: Option<&ast::WithClause>) -> usize {
        let visible = self.ctes.len();
        let Some(ast::WithClause { ctes, recursive, location: _ }) = clause else { return visible };
        let queries = || {
            ctes.iter().filter_map(|node| match &node.node {
                Some(NodeEnum::CommonTableExpr(query)) => Some(&**query),
                _ => None,
            })
        };
        if queries().count() != ctes.len() {
            self.not_understood("a query of that kind in WITH");
        }
        if *recursive {
            // Each sees all the others, whatever their order.
            for query in queries() {
                let columns = Columns::unknown().rename(&parts(&query.aliascolnames));
                self.ctes.push(Cte { name: query.ctename.as_str().into(), columns });
            }
        }
        for (at, query) in queries().enumerate() {
            let columns = self.with_query(query);
            if !*recursive {
                self.ctes.push(Cte { name: query.ctename.as_str().into(), columns });
            } else if let Some(cte) = self.ctes.get_mut(visible + at) {
                cte.columns = columns;
            }
        }
        visible
    }

    fn with_query(&mut self, query: &ast::CommonTableExpr) -> Columns {
        let ast::CommonTableExpr {
            ctename: _,
            aliascolnames,
            ctematerialized: _,
            ctequery,
            search_clause,
            cycle_clause,
            location: _,
            cterecursive: _,
            cterefcount: _,
            ctecolnames: _,
            ctecoltypes: _,
            ctecoltypmods: _,
            ctecolcollations: _,
        } = query;
        let mut columns = match ctequery.as_deref().and_then(|query| query.node.as_ref()) {
            Some(NodeEnum::SelectStmt(select)) => self.select(select),
            Some(NodeEnum::InsertStmt(insert)) => self.insert(insert),
            Some(NodeEnum::UpdateStmt(update)) => self.update(update),
            Some(NodeEnum::DeleteStmt(delete)) => self.delete(delete),
            Some(NodeEnum::MergeStmt(merge)) => self.merge(merge),
            _ => {
                self.not_understood("a query of that kind in WITH");
                Columns::unknown()
            }
        };
        if let Some(cycle) = cycle_clause {
            self.opt_expr(cycle.cycle_mark_value.as_deref());
            self.opt_expr(cycle.cycle_mark_default.as_deref());
        }
        // SEARCH and CYCLE add columns of their own.
        columns.exact &= search_clause.is_none() && cycle_clause.is_none();
        columns.rename(&parts(aliascolnames))
    }
}
