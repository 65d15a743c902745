//! Statements that take any kind of object: DROP, RENAME, COMMENT, OWNER TO, SET SCHEMA, SECURITY LABEL.

use super::names::{node_parts, parts};
use super::{Verb, Walk};
use crate::Action;
use crate::postgres::sql::path::is_temp;
use pg_query::{NodeEnum, protobuf as ast};

/// What an object is named by.
enum Named {
    /// A relation.
    Relation,
    /// A relation, then the object in it: a column, trigger, rule, policy, constraint.
    InRelation,
    /// Something in a schema, whose own name does not matter here.
    InSchema,
    /// Access method first, then as `InSchema`: operator classes and families.
    InSchemaAfterMethod,
    /// A schema.
    Schema,
    /// Something of the database or the server: the kind of name that it is.
    Global(&'static str),
    /// Not understood.
    Unknown,
}

const fn named(kind: ast::ObjectType) -> Named {
    use ast::ObjectType as Type;
    match kind {
        Type::ObjectTable
        | Type::ObjectView
        | Type::ObjectMatview
        | Type::ObjectIndex
        | Type::ObjectSequence
        | Type::ObjectForeignTable => Named::Relation,
        Type::ObjectColumn
        | Type::ObjectTrigger
        | Type::ObjectRule
        | Type::ObjectPolicy
        | Type::ObjectTabconstraint
        | Type::ObjectDefault => Named::InRelation,
        Type::ObjectAggregate
        | Type::ObjectFunction
        | Type::ObjectProcedure
        | Type::ObjectRoutine
        | Type::ObjectOperator
        | Type::ObjectType
        | Type::ObjectDomain
        | Type::ObjectDomconstraint
        | Type::ObjectAttribute
        | Type::ObjectCollation
        | Type::ObjectConversion
        | Type::ObjectStatisticExt
        | Type::ObjectTsconfiguration
        | Type::ObjectTsdictionary
        | Type::ObjectTsparser
        | Type::ObjectTstemplate => Named::InSchema,
        Type::ObjectOpclass | Type::ObjectOpfamily => Named::InSchemaAfterMethod,
        Type::ObjectSchema => Named::Schema,
        Type::ObjectAccessMethod => Named::Global("access_method"),
        Type::ObjectCast => Named::Global("cast"),
        Type::ObjectDatabase => Named::Global("database"),
        Type::ObjectEventTrigger => Named::Global("event_trigger"),
        Type::ObjectExtension => Named::Global("extension"),
        Type::ObjectFdw => Named::Global("foreign_data_wrapper"),
        Type::ObjectForeignServer | Type::ObjectUserMapping => Named::Global("server"),
        Type::ObjectLanguage => Named::Global("language"),
        Type::ObjectLargeobject => Named::Global("large_object"),
        Type::ObjectParameterAcl => Named::Global("setting"),
        Type::ObjectPublication | Type::ObjectPublicationNamespace | Type::ObjectPublicationRel => {
            Named::Global("publication")
        }
        Type::ObjectRole => Named::Global("role"),
        Type::ObjectSubscription => Named::Global("subscription"),
        Type::ObjectTablespace => Named::Global("tablespace"),
        Type::ObjectTransform => Named::Global("transform"),
        Type::ObjectAmop | Type::ObjectAmproc | Type::ObjectDefacl | Type::Undefined => Named::Unknown,
    }
}

/// The word for an object in a verb: `DROP MATERIALIZED VIEW`.
fn word(kind: ast::ObjectType) -> String {
    use ast::ObjectType as Type;
    match kind {
        Type::ObjectMatview => "MATERIALIZED VIEW".to_owned(),
        Type::ObjectForeignServer => "SERVER".to_owned(),
        Type::ObjectFdw => "FOREIGN DATA WRAPPER".to_owned(),
        Type::ObjectTabconstraint | Type::ObjectDomconstraint => "CONSTRAINT".to_owned(),
        Type::ObjectStatisticExt => "STATISTICS".to_owned(),
        Type::ObjectTsconfiguration => "TEXT SEARCH CONFIGURATION".to_owned(),
        Type::ObjectTsdictionary => "TEXT SEARCH DICTIONARY".to_owned(),
        Type::ObjectTsparser => "TEXT SEARCH PARSER".to_owned(),
        Type::ObjectTstemplate => "TEXT SEARCH TEMPLATE".to_owned(),
        Type::ObjectLargeobject => "LARGE OBJECT".to_owned(),
        Type::ObjectOpclass => "OPERATOR CLASS".to_owned(),
        Type::ObjectOpfamily => "OPERATOR FAMILY".to_owned(),
        _ => kind.as_str_name().trim_start_matches("OBJECT_").replace('_', " "),
    }
}

impl Walk {
    pub(super) fn object_statement(&mut self, node: &NodeEnum) -> Option<Verb> {
        Some(match node {
            NodeEnum::DropStmt(drop) => self.drop_objects(drop),
            NodeEnum::RenameStmt(rename) => self.rename(rename),
            NodeEnum::CommentStmt(comment) => {
                self.object(Action::Define, comment.objtype(), None, comment.object.as_deref());
                "COMMENT".into()
            }
            NodeEnum::SecLabelStmt(label) => {
                self.object(Action::Admin, label.objtype(), None, label.object.as_deref());
                "SECURITY LABEL".into()
            }
            NodeEnum::AlterOwnerStmt(alter) => {
                let kind = alter.object_type();
                self.object(Action::Admin, kind, alter.relation.as_ref(), alter.object.as_deref());
                if kind == ast::ObjectType::ObjectSchema {
                    self.path_unknown();
                }
                format!("ALTER {}", word(kind)).into()
            }
            NodeEnum::AlterObjectSchemaStmt(alter) => {
                let kind = alter.object_type();
                self.object(Action::Define, kind, alter.relation.as_ref(), alter.object.as_deref());
                self.schema(Action::Define, &alter.newschema);
                format!("ALTER {}", word(kind)).into()
            }
            NodeEnum::AlterObjectDependsStmt(alter) => {
                let kind = alter.object_type();
                self.object(Action::Define, kind, alter.relation.as_ref(), alter.object.as_deref());
                format!("ALTER {}", word(kind)).into()
            }
            _ => return None,
        })
    }

    fn drop_objects(&mut self, drop: &ast::DropStmt) -> Verb {
        let ast::DropStmt { objects, remove_type: _, behavior: _, missing_ok: _, concurrent: _ } = drop;
        let kind = drop.remove_type();
        for object in objects {
            self.object(Action::Define, kind, None, Some(object));
            if matches!(
                kind,
                ast::ObjectType::ObjectPolicy | ast::ObjectType::ObjectTrigger | ast::ObjectType::ObjectRule
            ) {
                // Which protections apply is more than its shape.
                self.object(Action::Admin, kind, None, Some(object));
            }
        }
        if drop.behavior() == ast::DropBehavior::DropCascade {
            self.doubt("CASCADE drops objects that are not named");
        }
        if kind == ast::ObjectType::ObjectSchema {
            self.path_unknown();
        }
        format!("DROP {}", word(kind)).into()
    }

    fn rename(&mut self, rename: &ast::RenameStmt) -> Verb {
        let ast::RenameStmt {
            rename_type: _,
            relation_type: _,
            relation,
            object,
            subname,
            newname,
            behavior: _,
            missing_ok: _,
        } = rename;
        let kind = rename.rename_type();
        match (named(kind), relation) {
            (Named::Global(what), _) if object.is_none() => {
                self.name(Action::Admin, what, subname);
                self.name(Action::Admin, what, newname);
            }
            (Named::Schema, None) => {
                self.schema(Action::Define, subname);
                self.schema(Action::Define, newname);
                self.path_unknown();
            }
            (Named::Relation, Some(relation)) => {
                // The new name may be one that policies know.
                for table in self.define_relation(Some(relation)) {
                    self.access(Action::Define, crate::ResourceKind::Table, &[&table.schema, newname]);
                }
            }
            (_, Some(relation)) => drop(self.define_relation(Some(relation))),
            (_, None) => self.object(Action::Define, kind, None, object.as_deref()),
        }
        // A column or a constraint is renamed by altering what holds it.
        let holder = rename.relation_type();
        let inner = matches!(named(kind), Named::InRelation) || kind == ast::ObjectType::ObjectAttribute;
        format!("ALTER {}", word(if inner && holder != ast::ObjectType::Undefined { holder } else { kind }))
            .into()
    }

    /// An access to an object of any kind. What belongs to no schema is for administrators, whatever is done to it.
    pub(super) fn object(
        &mut self,
        action: Action,
        kind: ast::ObjectType,
        relation: Option<&ast::RangeVar>,
        object: Option<&ast::Node>,
    ) {
        if let Some(relation) = relation {
            let tables = self.relation(relation);
            self.access_tables(action, &tables);
            return;
        }
        let name = object.map(object_parts).unwrap_or_default();
        match (named(kind), name.as_slice()) {
            (Named::Relation, [_, ..]) => {
                let tables = self.relation_named(&name);
                self.access_tables(action, &tables);
            }
            (Named::InRelation, [relation @ .., _]) if !relation.is_empty() => {
                let tables = self.relation_named(relation);
                self.access_tables(action, &tables);
            }
            (Named::InSchema, [_, ..]) => self.in_schema(action, &name),
            (Named::InSchemaAfterMethod, [_, rest @ ..]) if !rest.is_empty() => self.in_schema(action, rest),
            (Named::Schema, [name]) => {
                if is_temp(name) {
                    self.path_unknown();
                }
                self.schema(action, name);
            }
            // A large object has a number for a name.
            (Named::Global(kind), []) => self.name(Action::Admin, kind, "*"),
            (Named::Global(kind), _) => self.name(Action::Admin, kind, &name.join(".")),
            _ => self.not_understood("an object of that kind"),
        }
    }
}

/// The parts of an object's name; of a list of two names, such as a cast's types or a domain and its constraint, those
/// of the first.
fn object_parts(node: &ast::Node) -> Vec<&str> {
    match &node.node {
        Some(NodeEnum::List(list)) => match list.items.first() {
            Some(first) if !matches!(first.node, Some(NodeEnum::String(_))) => node_parts(first),
            _ => parts(&list.items),
        },
        _ => node_parts(node),
    }
}
