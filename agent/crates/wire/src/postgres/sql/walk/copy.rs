//! COPY: to and from the client, files and programs of the server.

use super::range::Entry;
use super::{Verb, Walk};
use crate::Action;
use crate::postgres::sql::Effect;
use crate::postgres::sql::walk::names::parts;
use crate::postgres::sql::walk::range::Columns;
use pg_query::protobuf as ast;

impl Walk {
    pub(super) fn copy(&mut self, copy: &ast::CopyStmt) -> Verb {
        let ast::CopyStmt {
            relation,
            query,
            attlist,
            is_from,
            is_program,
            filename,
            options: _,
            where_clause,
        } = copy;
        if let Some(relation) = relation {
            let tables = self.relation(relation);
            let columns = parts(attlist);
            let columns = if columns.is_empty() { vec!["*"] } else { columns };
            self.access_tables(if *is_from { Action::Write } else { Action::Read }, &tables);
            for column in columns {
                if *is_from {
                    self.write_column(&tables, column);
                } else {
                    for table in &tables {
                        self.read_column(table, column);
                    }
                }
            }
            if let Some(clause) = where_clause.as_deref() {
                // It sees the rows that come in, not those stored.
                let rows = Entry::derived(&relation.relname, Columns::unknown());
                self.with_entries(vec![rows], |walk| walk.expr(clause));
            }
        }
        if let Some(query) = query.as_deref() {
            self.opt_statement(Some(query));
        }
        if !filename.is_empty() {
            let kind = if *is_program { "server_program" } else { "server_file" };
            self.name(Action::Admin, kind, filename);
        } else if *is_from {
            self.effects.push(Effect::CopyIn);
        } else {
            self.effects.push(Effect::CopyOut);
        }
        if *is_from { "COPY FROM" } else { "COPY TO" }.into()
    }
}
