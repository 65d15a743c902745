//! Statements that make and change schemas, types, operators and the like.

use super::names::{node_parts, parts, range_var_parts};
use super::{Verb, Walk};
use crate::Action;
use pg_query::{NodeEnum, protobuf as ast};

/// The value of an option.
pub(super) fn option<'n>(options: &'n [ast::Node], name: &str) -> Option<&'n ast::Node> {
    options.iter().find_map(|node| match &node.node {
        Some(NodeEnum::DefElem(option)) if option.defname == name => option.arg.as_deref(),
        _ => None,
    })
}

pub(super) fn text(node: &ast::Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::String(text)) => Some(&text.sval),
        _ => None,
    }
}

impl Walk {
    pub(super) fn define_statement(&mut self, node: &NodeEnum) -> Option<Verb> {
        let verb = match node {
            NodeEnum::CreateSchemaStmt(create) => {
                self.create_schema(create);
                "CREATE SCHEMA"
            }
            NodeEnum::CreateFunctionStmt(create) => {
                self.create_function(create);
                if create.is_procedure { "CREATE PROCEDURE" } else { "CREATE FUNCTION" }
            }
            NodeEnum::AlterFunctionStmt(alter) => {
                self.alter_function(alter);
                "ALTER FUNCTION"
            }
            NodeEnum::CreateDomainStmt(create) => {
                self.new_in_schema(&parts(&create.domainname));
                self.table_parts(&create.constraints);
                "CREATE DOMAIN"
            }
            NodeEnum::AlterDomainStmt(alter) => {
                self.in_schema(Action::Define, &parts(&alter.type_name));
                if let Some(definition) = alter.def.as_deref() {
                    self.table_parts(std::slice::from_ref(definition));
                }
                "ALTER DOMAIN"
            }
            NodeEnum::CompositeTypeStmt(create) => {
                if let Some(name) = &create.typevar {
                    self.new_in_schema(&range_var_parts(name));
                }
                "CREATE TYPE"
            }
            NodeEnum::CreateEnumStmt(create) => {
                self.new_in_schema(&parts(&create.type_name));
                "CREATE TYPE"
            }
            NodeEnum::CreateRangeStmt(create) => {
                self.new_in_schema(&parts(&create.type_name));
                self.option_routines(&create.params);
                "CREATE TYPE"
            }
            NodeEnum::AlterEnumStmt(alter) => {
                self.in_schema(Action::Define, &parts(&alter.type_name));
                "ALTER TYPE"
            }
            NodeEnum::AlterTypeStmt(alter) => {
                self.in_schema(Action::Define, &parts(&alter.type_name));
                self.option_routines(&alter.options);
                "ALTER TYPE"
            }
            NodeEnum::DefineStmt(define) => self.define(define),
            _ => return self.define_more(node),
        };
        Some(verb.into())
    }

    fn define_more(&mut self, node: &NodeEnum) -> Option<Verb> {
        let verb = match node {
            NodeEnum::CreateOpClassStmt(create) => {
                self.new_in_schema(&parts(&create.opclassname));
                "CREATE OPERATOR CLASS"
            }
            NodeEnum::CreateOpFamilyStmt(create) => {
                self.new_in_schema(&parts(&create.opfamilyname));
                "CREATE OPERATOR FAMILY"
            }
            NodeEnum::AlterOpFamilyStmt(alter) => {
                self.in_schema(Action::Define, &parts(&alter.opfamilyname));
                "ALTER OPERATOR FAMILY"
            }
            NodeEnum::AlterOperatorStmt(alter) => {
                let name = alter.opername.as_ref().map(|name| parts(&name.objname)).unwrap_or_default();
                self.in_schema(Action::Define, &name);
                "ALTER OPERATOR"
            }
            NodeEnum::AlterCollationStmt(alter) => {
                self.in_schema(Action::Define, &parts(&alter.collname));
                "ALTER COLLATION"
            }
            NodeEnum::AlterStatsStmt(alter) => {
                self.in_schema(Action::Define, &parts(&alter.defnames));
                "ALTER STATISTICS"
            }
            NodeEnum::AlterTsdictionaryStmt(alter) => {
                self.in_schema(Action::Define, &parts(&alter.dictname));
                "ALTER TEXT SEARCH DICTIONARY"
            }
            NodeEnum::AlterTsconfigurationStmt(alter) => {
                self.in_schema(Action::Define, &parts(&alter.cfgname));
                "ALTER TEXT SEARCH CONFIGURATION"
            }
            NodeEnum::CreateConversionStmt(create) => {
                self.new_in_schema(&parts(&create.conversion_name));
                self.routine(&parts(&create.func_name));
                "CREATE CONVERSION"
            }
            _ => return None,
        };
        Some(verb.into())
    }

    fn create_schema(&mut self, create: &ast::CreateSchemaStmt) {
        let ast::CreateSchemaStmt { schemaname, authrole, schema_elts, if_not_exists: _ } = create;
        let role = authrole.as_ref().map(|role| role.rolename.as_str()).filter(|role| !role.is_empty());
        match (schemaname.as_str(), role) {
            ("", None) => {
                self.doubt("a schema named after the current user");
                self.schema(Action::Define, "?");
            }
            ("", Some(role)) => self.schema(Action::Define, role),
            (name, _) => self.schema(Action::Define, name),
        }
        self.path_unknown();
        if !schema_elts.is_empty() && !schemaname.is_empty() {
            // Names without a schema mean the new one, for what is made, and first the new one for what is used.
            self.path.enter(schemaname);
        }
        for element in schema_elts {
            self.opt_statement(Some(element));
        }
        if !schema_elts.is_empty() {
            self.doubt("names in the elements of a CREATE SCHEMA may be in other schemas too");
            self.path.forget();
        }
    }

    /// CREATE AGGREGATE, OPERATOR, TYPE, COLLATION and TEXT SEARCH …
    fn define(&mut self, define: &ast::DefineStmt) -> &'static str {
        use ast::ObjectType as Type;
        let ast::DefineStmt {
            kind: _,
            oldstyle: _,
            defnames,
            args: _,
            definition,
            if_not_exists: _,
            replace: _,
        } = define;
        self.new_in_schema(&parts(defnames));
        self.option_routines(definition);
        match define.kind() {
            Type::ObjectAggregate => "CREATE AGGREGATE",
            Type::ObjectOperator => "CREATE OPERATOR",
            Type::ObjectType => "CREATE TYPE",
            Type::ObjectCollation => "CREATE COLLATION",
            Type::ObjectTsparser => "CREATE TEXT SEARCH PARSER",
            Type::ObjectTsdictionary => "CREATE TEXT SEARCH DICTIONARY",
            Type::ObjectTstemplate => "CREATE TEXT SEARCH TEMPLATE",
            Type::ObjectTsconfiguration => "CREATE TEXT SEARCH CONFIGURATION",
            _ => {
                self.not_understood("a definition of that kind");
                "CREATE"
            }
        }
    }

    /// The functions that a definition is made of: using it calls them.
    fn option_routines(&mut self, options: &[ast::Node]) {
        const ROUTINES: [&str; 36] = [
            "sfunc",
            "sfunc1",
            "finalfunc",
            "combinefunc",
            "serialfunc",
            "deserialfunc",
            "msfunc",
            "minvfunc",
            "mfinalfunc",
            "function",
            "procedure",
            "restrict",
            "join",
            "input",
            "output",
            "receive",
            "send",
            "typmod_in",
            "typmod_out",
            "analyze",
            "subscript",
            "subtype_diff",
            "canonical",
            "start",
            "gettoken",
            "end",
            "headline",
            "lextypes",
            "init",
            "lexize",
            "handler",
            "inline",
            "validator",
            "support",
            "leftproc",
            "rightproc",
        ];
        for node in options {
            if let Some(NodeEnum::DefElem(option)) = &node.node
                && ROUTINES.contains(&&*option.defname)
                && let Some(argument) = option.arg.as_deref()
            {
                let name = node_parts(argument);
                if name.is_empty() || name == ["none"] {
                    continue;
                }
                self.routine(&name);
            }
        }
    }
}
