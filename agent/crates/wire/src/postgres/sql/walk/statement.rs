//! Which statement it is.

use super::{Verb, Walk};
use crate::Action;
use pg_query::{NodeEnum, protobuf as ast};

impl Walk {
    /// Walks one statement; gives its verb.
    pub(super) fn statement(&mut self, node: &NodeEnum) -> Verb {
        if !self.enter() {
            return "UNREADABLE".into();
        }
        let verb = self
            .data_statement(node)
            .or_else(|| self.session_statement(node))
            .or_else(|| self.table_statement(node))
            .or_else(|| self.define_statement(node))
            .or_else(|| self.object_statement(node))
            .or_else(|| self.admin_statement(node))
            .unwrap_or_else(|| {
                self.not_understood("a statement of that kind");
                "UNKNOWN".into()
            });
        self.leave();
        verb
    }

    pub(super) fn opt_statement(&mut self, node: Option<&ast::Node>) -> Verb {
        match node.and_then(|node| node.node.as_ref()) {
            Some(node) => self.statement(node),
            None => {
                self.not_understood("an empty statement there");
                "UNKNOWN".into()
            }
        }
    }

    /// Statements that read and change data.
    fn data_statement(&mut self, node: &NodeEnum) -> Option<Verb> {
        Some(match node {
            NodeEnum::SelectStmt(select) => self.select_statement(select),
            NodeEnum::InsertStmt(insert) => {
                self.insert(insert);
                "INSERT".into()
            }
            NodeEnum::UpdateStmt(update) => {
                self.update(update);
                "UPDATE".into()
            }
            NodeEnum::DeleteStmt(delete) => {
                self.delete(delete);
                "DELETE".into()
            }
            NodeEnum::MergeStmt(merge) => {
                self.merge(merge);
                "MERGE".into()
            }
            NodeEnum::TruncateStmt(truncate) => {
                self.truncate(truncate);
                "TRUNCATE".into()
            }
            NodeEnum::CopyStmt(copy) => self.copy(copy),
            NodeEnum::ExplainStmt(explain) => {
                self.opt_statement(explain.query.as_deref());
                "EXPLAIN".into()
            }
            NodeEnum::CallStmt(call) => {
                if let Some(call) = call.funccall.as_deref() {
                    self.call(call);
                }
                self.code_ran();
                "CALL".into()
            }
            NodeEnum::DoStmt(block) => {
                self.anonymous_block(block);
                "DO".into()
            }
            NodeEnum::LockStmt(lock) => {
                self.each_relation(Action::Write, &lock.relations);
                "LOCK TABLE".into()
            }
            _ => return None,
        })
    }

    fn anonymous_block(&mut self, block: &ast::DoStmt) {
        let language = super::define::option(&block.args, "language").and_then(super::define::text);
        self.name(Action::Execute, "language", language.unwrap_or("plpgsql"));
        self.doubt("the body of a DO is not read");
        self.code_ran();
    }

    /// A procedure or block ran, which may have done anything to the session.
    fn code_ran(&mut self) {
        self.path_unknown();
    }
}
