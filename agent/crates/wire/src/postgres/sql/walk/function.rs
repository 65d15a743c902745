//! Functions and procedures being made and changed.

use super::Walk;
use super::names::parts;
use super::range::{Columns, Entry};
use crate::Action;
use pg_query::{NodeEnum, protobuf as ast};

impl Walk {
    pub(super) fn create_function(&mut self, create: &ast::CreateFunctionStmt) {
        let ast::CreateFunctionStmt {
            is_procedure: _,
            replace: _,
            funcname,
            parameters,
            return_type: _,
            options,
            sql_body,
        } = create;
        let name = parts(funcname);
        self.new_in_schema(&name);
        let mut visible = Vec::new();
        for node in parameters {
            if let Some(NodeEnum::FunctionParameter(parameter)) = &node.node {
                self.opt_expr(parameter.defexpr.as_deref());
                visible.push(Entry::derived(&parameter.name, Columns::unknown()));
            }
        }
        self.function_options(options);
        visible.push(Entry::derived(name.last().copied().unwrap_or(""), Columns::unknown()));
        match sql_body.as_deref() {
            // PostgreSQL binds the names in such a body now, so what they mean now is what it will do.
            Some(body) => {
                let limits = std::mem::take(&mut self.found.limits);
                self.with_entries(visible, |walk| walk.body(body));
                self.found.limits = limits;
            }
            None => self.doubt("the body of a function is not read"),
        }
    }

    fn body(&mut self, node: &ast::Node) {
        if !self.enter() {
            return;
        }
        match &node.node {
            Some(NodeEnum::List(list)) => list.items.iter().for_each(|item| self.body(item)),
            Some(NodeEnum::ReturnStmt(statement)) => self.opt_expr(statement.returnval.as_deref()),
            Some(statement) => drop(self.statement(statement)),
            None => {}
        }
        self.leave();
    }

    pub(super) fn alter_function(&mut self, alter: &ast::AlterFunctionStmt) {
        let name = alter.func.as_ref().map(|name| parts(&name.objname)).unwrap_or_default();
        self.in_schema(Action::Define, &name);
        self.function_options(&alter.actions);
    }

    /// With whose rights and which settings it runs is more than its shape.
    fn function_options(&mut self, options: &[ast::Node]) {
        for node in options {
            let Some(NodeEnum::DefElem(option)) = &node.node else { continue };
            match &*option.defname {
                "security" => self.name(Action::Admin, "setting", "security_definer"),
                "set" => self.name(Action::Admin, "setting", "function_settings"),
                "support" => {
                    self.routine(&option.arg.as_deref().map(super::names::node_parts).unwrap_or_default())
                }
                _ => {}
            }
        }
    }
}
