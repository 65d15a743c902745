//! Function calls, and the functions that do more than compute.

use super::Walk;
use super::names::{parts, text_parts};
use crate::Action;
use crate::postgres::sql::Effect;
use crate::postgres::sql::builtin::{self, Power};
use pg_query::{NodeEnum, protobuf as ast};

impl Walk {
    pub(super) fn call(&mut self, call: &ast::FuncCall) {
        let ast::FuncCall {
            funcname,
            args,
            agg_order,
            agg_filter,
            over,
            agg_within_group: _,
            agg_star: _,
            agg_distinct: _,
            func_variadic: _,
            funcformat: _,
            location: _,
        } = call;
        // An argument that is a whole row reads all of its columns: that covers `column(t)`, which is `t.column`.
        self.exprs(args);
        self.exprs(agg_order);
        self.opt_expr(agg_filter.as_deref());
        if let Some(window) = over.as_deref() {
            self.window(window);
        }
        let names = parts(funcname);
        self.routine(&names);
        if names == ["pg_catalog", "system_user"] {
            // Before PostgreSQL 16 it was a name like any other, perhaps of a column.
            self.column("system_user");
        }
        if let Some(name) = names.last() {
            self.powers(name, args);
        }
    }

    /// `(value).name` is `name(value)` where the value has no such field: `('/etc/passwd').pg_read_file` reads a file.
    pub(super) fn fields(&mut self, indirection: &ast::AIndirection) {
        let value = indirection.arg.as_deref().map(std::slice::from_ref).unwrap_or_default();
        for node in &indirection.indirection {
            if let Some(NodeEnum::String(field)) = &node.node {
                self.routine(&[&field.sval]);
                self.powers(&field.sval, value);
            }
        }
    }

    fn powers(&mut self, name: &str, args: &[ast::Node]) {
        match builtin::power(name) {
            None => {}
            Some(Power::RunsSql) => self.doubt(format!("`{name}` reads what its arguments name")),
            Some(Power::ServerFile) => self.server_file(args),
            Some(Power::SetConfig) => self.set_config(args),
            Some(Power::Notify) => self.pg_notify(args),
            Some(Power::Sequence) => self.sequence(name, args),
        }
    }

    /// A constant string, perhaps cast; notes that it was looked at.
    pub(super) fn literal<'n>(&mut self, node: &'n ast::Node) -> Option<&'n str> {
        match node.node.as_ref()? {
            NodeEnum::AConst(constant) => {
                self.looked_at.push(constant.location);
                match constant.val.as_ref()? {
                    ast::a_const::Val::Sval(text) => Some(&text.sval),
                    _ => None,
                }
            }
            NodeEnum::TypeCast(cast) if keeps_text(cast.type_name.as_ref()?) => {
                let inner = cast.arg.as_deref()?;
                matches!(inner.node, Some(NodeEnum::AConst(_))).then(|| self.literal(inner))?
            }
            _ => None,
        }
    }

    fn server_file(&mut self, args: &[ast::Node]) {
        // `lo_export` has it second; any string there is counts.
        let files: Vec<&str> = args.iter().filter_map(|arg| self.literal(arg)).collect();
        if files.is_empty() {
            self.name(Action::Admin, "server_file", "*");
        }
        for file in files {
            self.name(Action::Admin, "server_file", file);
        }
    }

    fn set_config(&mut self, args: &[ast::Node]) {
        let name = args.first().and_then(|arg| self.literal(arg)).map(str::to_ascii_lowercase);
        match name {
            Some(name) => self.setting(&name),
            None => {
                self.doubt("`set_config` of a setting that is not a constant");
                self.any_setting();
            }
        }
    }

    /// A named setting gets another value.
    pub(super) fn setting(&mut self, name: &str) {
        let changes_user = matches!(name, "role" | "session_authorization");
        let action = if changes_user { Action::Admin } else { Action::Write };
        self.name(action, "setting", name);
        self.effects.push(Effect::SettingChange { name: name.into() });
        if changes_user || name == "search_path" {
            self.path_unknown();
        }
    }

    /// Some setting gets another value.
    pub(super) fn any_setting(&mut self) {
        self.name(Action::Write, "setting", "*");
        self.effects.push(Effect::SettingChange { name: "*".into() });
        self.path_unknown();
    }

    fn pg_notify(&mut self, args: &[ast::Node]) {
        match args.first().and_then(|arg| self.literal(arg)) {
            Some(channel) => self.name(Action::Write, "channel", channel),
            None => {
                self.name(Action::Write, "channel", "*");
                self.doubt("`pg_notify` of a channel that is not a constant");
            }
        }
    }

    fn sequence(&mut self, function: &str, args: &[ast::Node]) {
        let action = if function == "currval" { Action::Read } else { Action::Write };
        let name = args.first().and_then(|arg| self.literal(arg)).and_then(text_parts);
        match name {
            Some(name) => {
                let parts: Vec<&str> = name.iter().map(String::as_str).collect();
                let tables = self.relation_named(&parts);
                self.access_tables(action, &tables);
            }
            None => self.doubt(format!("`{function}` of a sequence that is not a constant")),
        }
    }
}

/// Does a cast to that type leave a constant string as it is?
fn keeps_text(name: &ast::TypeName) -> bool {
    let plain = name.typmods.is_empty() && name.array_bounds.is_empty();
    plain && parts(&name.names).last().is_some_and(|name| matches!(*name, "text" | "varchar" | "regclass"))
}
