//! Names in a parse tree, the schemas they may be in, and the accesses made of them.

use super::Walk;
use crate::postgres::sql::builtin;
use crate::postgres::sql::path::{CATALOG, TEMP, is_temp};
use crate::{Access, Action, Resource, ResourceKind};
use pg_query::{NodeEnum, protobuf as ast};

/// Stands for a schema that is not known.
const UNKNOWN: &str = "?";

/// A relation that a name may mean.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Table {
    pub(super) schema: Box<str>,
    pub(super) name: Box<str>,
}

/// The parts of a name: a list of strings, where `*` may be the last.
pub(super) fn parts(nodes: &[ast::Node]) -> Vec<&str> {
    nodes
        .iter()
        .filter_map(|node| match node.node.as_ref()? {
            NodeEnum::String(text) => Some(text.sval.as_str()),
            NodeEnum::AStar(_) => Some("*"),
            _ => None,
        })
        .collect()
}

/// The parts of a name that is one node: a list, a string or a type name.
pub(super) fn node_parts(node: &ast::Node) -> Vec<&str> {
    match &node.node {
        Some(NodeEnum::List(list)) => parts(&list.items),
        Some(NodeEnum::String(text)) => vec![text.sval.as_str()],
        Some(NodeEnum::TypeName(name)) => parts(&name.names),
        Some(NodeEnum::ObjectWithArgs(object)) => parts(&object.objname),
        _ => Vec::new(),
    }
}

impl Walk {
    pub(super) fn access(&mut self, action: Action, kind: ResourceKind, path: &[&str]) {
        self.found.strongest = self.found.strongest.max(Some(action));
        self.access_quietly(action, kind, path);
    }

    /// An access that does not raise the statement's own action.
    fn access_quietly(&mut self, action: Action, kind: ResourceKind, path: &[&str]) {
        if self.spend(1) {
            self.found.accesses.insert(Access { action, resource: Resource::new(kind, path) });
        }
    }

    pub(super) fn access_tables(&mut self, action: Action, tables: &[Table]) {
        for table in tables {
            self.access(action, ResourceKind::Table, &[&table.schema, &table.name]);
        }
    }

    /// Reading a column is reading its table too.
    pub(super) fn read_column(&mut self, table: &Table, column: &str) {
        self.access(Action::Read, ResourceKind::Table, &[&table.schema, &table.name]);
        self.access(Action::Read, ResourceKind::Column, &[&table.schema, &table.name, column]);
    }

    pub(super) fn write_column(&mut self, tables: &[Table], column: &str) {
        for table in tables {
            self.access(Action::Write, ResourceKind::Column, &[&table.schema, &table.name, column]);
        }
    }

    pub(super) fn name(&mut self, action: Action, kind: &str, value: &str) {
        self.access(action, ResourceKind::Name, &[kind, value]);
    }

    /// The schemas and the last part of a name; `found` are the schemas for one without a schema.
    fn schemas<'n>(&mut self, parts: &[&'n str], found: Vec<Box<str>>) -> (Vec<Box<str>>, &'n str) {
        match parts {
            [name] => {
                if found.is_empty() {
                    let path = if self.path.is_known() {
                        "no schema of the search path has"
                    } else {
                        "no search path known for"
                    };
                    self.doubt(format!("{path} `{name}`"));
                    return (vec![UNKNOWN.into()], name);
                }
                (found, name)
            }
            [schema, name] => (vec![(*schema).into()], name),
            [database, schema, name] => {
                self.doubt(format!("`{database}.{schema}.{name}` names a database"));
                (vec![(*schema).into()], name)
            }
            _ => {
                self.doubt("a name with no parts or too many");
                (vec![UNKNOWN.into()], UNKNOWN)
            }
        }
    }

    /// What an existing relation's name may mean.
    pub(super) fn relation_named(&mut self, parts: &[&str]) -> Vec<Table> {
        let found = match parts {
            [name] => self.path.of_relation(name),
            _ => Vec::new(),
        };
        let (schemas, name) = self.schemas(parts, found);
        schemas.into_iter().map(|schema| Table { schema, name: name.into() }).collect()
    }

    pub(super) fn relation(&mut self, relation: &ast::RangeVar) -> Vec<Table> {
        self.relation_named(&range_var_parts(relation))
    }

    /// Where a relation is made: in the schema it names, else in the first of the path; or among the temporary ones.
    pub(super) fn new_relation(&mut self, relation: &ast::RangeVar) -> Vec<Table> {
        let parts = range_var_parts(relation);
        let temporary = relation.relpersistence == "t" || is_temp(&relation.schemaname);
        if temporary {
            self.temp_appears();
        }
        let found = match parts.as_slice() {
            [_] if temporary => vec![TEMP.into()],
            [_] => self.path.for_new().into_iter().collect(),
            _ => Vec::new(),
        };
        let (schemas, name) = self.schemas(&parts, found);
        schemas.into_iter().map(|schema| Table { schema, name: name.into() }).collect()
    }

    /// A call of the routine of that name.
    pub(super) fn routine(&mut self, parts: &[&str]) {
        let found = match parts {
            [name] => self.path.of_routine(name),
            _ => Vec::new(),
        };
        let (schemas, name) = self.schemas(parts, found);
        for schema in schemas {
            // What only computes does not make a read anything more than a read.
            let computes =
                &*schema == CATALOG && builtin::routine(name).is_some_and(|routine| !routine.volatile);
            if computes {
                self.found.strongest = self.found.strongest.max(Some(Action::Read));
                self.access_quietly(Action::Execute, ResourceKind::Routine, &[&schema, name]);
            } else {
                self.access(Action::Execute, ResourceKind::Routine, &[&schema, name]);
            }
        }
    }

    /// A routine, type, operator or the like that exists: changing it changes what its schema holds.
    pub(super) fn in_schema(&mut self, action: Action, parts: &[&str]) {
        let found = match parts {
            [name] => self.path.of_other(name),
            _ => Vec::new(),
        };
        let (schemas, _) = self.schemas(parts, found);
        for schema in schemas {
            self.access(action, ResourceKind::Schema, &[&schema]);
        }
    }

    /// A routine, type, operator or the like that is made.
    pub(super) fn new_in_schema(&mut self, parts: &[&str]) {
        let found = match parts {
            [_] => self.path.for_new().into_iter().collect(),
            _ => Vec::new(),
        };
        let (schemas, _) = self.schemas(parts, found);
        for schema in schemas {
            self.access(Action::Define, ResourceKind::Schema, &[&schema]);
        }
    }

    pub(super) fn schema(&mut self, action: Action, name: &str) {
        self.access(action, ResourceKind::Schema, &[name]);
    }
}

pub(super) fn range_var_parts(relation: &ast::RangeVar) -> Vec<&str> {
    [&relation.catalogname, &relation.schemaname, &relation.relname]
        .into_iter()
        .map(String::as_str)
        .skip_while(|part| part.is_empty())
        .collect()
}

/// The parts of a name in a text that PostgreSQL reads as one, as `nextval` does; `None` if it would not.
pub(super) fn text_parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    loop {
        let part;
        (part, rest) =
            if let Some(quoted) = rest.strip_prefix('"') { quoted_part(quoted)? } else { plain_part(rest)? };
        parts.push(part);
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some(parts);
        }
        rest = rest.strip_prefix('.')?.trim_start();
    }
}

fn quoted_part(mut rest: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    loop {
        let (before, after) = rest.split_once('"')?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return (!part.is_empty()).then_some((part, after)),
        }
    }
}

fn plain_part(rest: &str) -> Option<(String, &str)> {
    let end =
        rest.find(|character: char| character == '.' || character.is_whitespace()).unwrap_or(rest.len());
    let (part, after) = rest.split_at_checked(end)?;
    (!part.is_empty() && !part.contains('"')).then(|| (part.to_ascii_lowercase(), after))
}
