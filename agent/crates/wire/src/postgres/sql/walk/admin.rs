//! Statements that administer the server: privileges, roles, databases, extensions, maintenance.

use super::names::{node_parts, parts};
use super::table::option_text;
use super::{Verb, Walk};
use crate::{Action, ResourceKind};
use pg_query::{NodeEnum, protobuf as ast};

impl Walk {
    pub(super) fn admin_statement(&mut self, node: &NodeEnum) -> Option<Verb> {
        self.privilege_statement(node)
            .or_else(|| self.maintenance_statement(node))
            .or_else(|| self.server_statement(node))
            .or_else(|| self.extension_statement(node))
            .or_else(|| self.replication_statement(node))
    }

    fn privilege_statement(&mut self, node: &NodeEnum) -> Option<Verb> {
        Some(match node {
            NodeEnum::GrantStmt(grant) => {
                self.grant(grant);
                if grant.is_grant { "GRANT" } else { "REVOKE" }.into()
            }
            NodeEnum::GrantRoleStmt(grant) => {
                for role in &grant.granted_roles {
                    if let Some(NodeEnum::AccessPriv(role)) = &role.node {
                        self.name(Action::Admin, "role", &role.priv_name);
                    }
                }
                self.roles(&grant.grantee_roles);
                if grant.is_grant { "GRANT ROLE" } else { "REVOKE ROLE" }.into()
            }
            NodeEnum::AlterDefaultPrivilegesStmt(_) => {
                self.access(Action::Admin, ResourceKind::Database, &[]);
                "ALTER DEFAULT PRIVILEGES".into()
            }
            NodeEnum::CreateRoleStmt(create) => {
                self.name(Action::Admin, "role", &create.role);
                "CREATE ROLE".into()
            }
            NodeEnum::AlterRoleStmt(alter) => {
                self.role(alter.role.as_ref());
                "ALTER ROLE".into()
            }
            NodeEnum::AlterRoleSetStmt(alter) => {
                self.role(alter.role.as_ref());
                "ALTER ROLE".into()
            }
            NodeEnum::DropRoleStmt(drop) => {
                self.roles(&drop.roles);
                "DROP ROLE".into()
            }
            NodeEnum::DropOwnedStmt(drop) => {
                self.roles(&drop.roles);
                self.access(Action::Admin, ResourceKind::Database, &[]);
                self.path_unknown();
                "DROP OWNED".into()
            }
            NodeEnum::ReassignOwnedStmt(reassign) => {
                self.roles(&reassign.roles);
                self.role(reassign.newrole.as_ref());
                self.access(Action::Admin, ResourceKind::Database, &[]);
                "REASSIGN OWNED".into()
            }
            _ => return None,
        })
    }

    fn role(&mut self, role: Option<&ast::RoleSpec>) {
        use ast::RoleSpecType as Type;
        let Some(role) = role else {
            // `ALTER ROLE ALL`
            return self.name(Action::Admin, "role", "*");
        };
        let name = match role.roletype() {
            Type::RolespecPublic => "public",
            Type::RolespecCurrentRole | Type::RolespecCurrentUser => "current_user",
            Type::RolespecSessionUser => "session_user",
            Type::RolespecCstring | Type::Undefined => &role.rolename,
        };
        self.name(Action::Admin, "role", name);
    }

    fn roles(&mut self, roles: &[ast::Node]) {
        for role in roles {
            if let Some(NodeEnum::RoleSpec(role)) = &role.node {
                self.role(Some(role));
            }
        }
    }

    fn grant(&mut self, grant: &ast::GrantStmt) {
        use ast::GrantTargetType as Target;
        self.roles(&grant.grantees);
        for object in &grant.objects {
            match (grant.targtype(), &object.node) {
                (Target::AclTargetAllInSchema, _) => {
                    self.schema(Action::Admin, &node_parts(object).join("."))
                }
                (_, Some(NodeEnum::RangeVar(relation))) => {
                    let tables = self.relation(relation);
                    self.access_tables(Action::Admin, &tables);
                }
                _ => self.object(Action::Admin, grant.objtype(), None, Some(object)),
            }
        }
        if grant.objects.is_empty() {
            self.access(Action::Admin, ResourceKind::Database, &[]);
        }
    }

    fn maintenance_statement(&mut self, node: &NodeEnum) -> Option<Verb> {
        Some(match node {
            NodeEnum::VacuumStmt(vacuum) => {
                self.vacuum(vacuum);
                if vacuum.is_vacuumcmd { "VACUUM" } else { "ANALYZE" }.into()
            }
            NodeEnum::ClusterStmt(cluster) => {
                self.maintained(cluster.relation.as_ref());
                "CLUSTER".into()
            }
            NodeEnum::ReindexStmt(reindex) => {
                match reindex.kind() {
                    ast::ReindexObjectType::ReindexObjectSchema => self.schema(Action::Admin, &reindex.name),
                    _ => self.maintained(reindex.relation.as_ref()),
                }
                "REINDEX".into()
            }
            NodeEnum::CheckPointStmt(_) => {
                self.access(Action::Admin, ResourceKind::Target, &[]);
                "CHECKPOINT".into()
            }
            NodeEnum::LoadStmt(load) => {
                self.name(Action::Admin, "library", &load.filename);
                "LOAD".into()
            }
            _ => return None,
        })
    }

    /// Maintenance of one relation, or of everything in the database.
    fn maintained(&mut self, relation: Option<&ast::RangeVar>) {
        match relation {
            Some(relation) => {
                let tables = self.relation(relation);
                self.access_tables(Action::Admin, &tables);
            }
            None => self.access(Action::Admin, ResourceKind::Database, &[]),
        }
    }

    fn vacuum(&mut self, vacuum: &ast::VacuumStmt) {
        for node in &vacuum.rels {
            match &node.node {
                Some(NodeEnum::VacuumRelation(relation)) => self.maintained(relation.relation.as_ref()),
                _ => self.not_understood("a VACUUM target of that form"),
            }
        }
        if vacuum.rels.is_empty() {
            self.maintained(None);
        }
    }

    fn server_statement(&mut self, node: &NodeEnum) -> Option<Verb> {
        let (kind, name, verb): (&str, &str, &'static str) = match node {
            NodeEnum::CreatedbStmt(create) => ("database", &create.dbname, "CREATE DATABASE"),
            NodeEnum::AlterDatabaseStmt(alter) => ("database", &alter.dbname, "ALTER DATABASE"),
            NodeEnum::AlterDatabaseRefreshCollStmt(alter) => ("database", &alter.dbname, "ALTER DATABASE"),
            NodeEnum::AlterDatabaseSetStmt(alter) => ("database", &alter.dbname, "ALTER DATABASE"),
            NodeEnum::DropdbStmt(drop) => ("database", &drop.dbname, "DROP DATABASE"),
            NodeEnum::CreateTableSpaceStmt(create) => {
                self.name(Action::Admin, "server_file", &create.location);
                ("tablespace", &create.tablespacename, "CREATE TABLESPACE")
            }
            NodeEnum::DropTableSpaceStmt(drop) => ("tablespace", &drop.tablespacename, "DROP TABLESPACE"),
            NodeEnum::AlterTableSpaceOptionsStmt(alter) => {
                ("tablespace", &alter.tablespacename, "ALTER TABLESPACE")
            }
            NodeEnum::AlterTableMoveAllStmt(alter) => {
                self.name(Action::Admin, "tablespace", &alter.new_tablespacename);
                ("tablespace", &alter.orig_tablespacename, "ALTER TABLE")
            }
            NodeEnum::AlterSystemStmt(alter) => {
                let name =
                    alter.setstmt.as_ref().map(|set| set.name.to_ascii_lowercase()).unwrap_or_default();
                let name = if name.is_empty() { "*" } else { &name };
                self.name(Action::Admin, "setting", name);
                self.access(Action::Admin, ResourceKind::Target, &[]);
                return Some("ALTER SYSTEM".into());
            }
            _ => return None,
        };
        self.name(Action::Admin, kind, name);
        Some(verb.into())
    }

    fn extension_statement(&mut self, node: &NodeEnum) -> Option<Verb> {
        let (kind, name, verb): (&str, &str, &'static str) = match node {
            NodeEnum::CreateExtensionStmt(create) => {
                if let Some(schema) = option_text(&create.options, "schema") {
                    self.schema(Action::Define, schema);
                }
                // Its script may do anything.
                self.path_unknown();
                ("extension", &create.extname, "CREATE EXTENSION")
            }
            NodeEnum::AlterExtensionStmt(alter) => {
                self.path_unknown();
                ("extension", &alter.extname, "ALTER EXTENSION")
            }
            NodeEnum::AlterExtensionContentsStmt(alter) => {
                self.object(Action::Define, alter.objtype(), None, alter.object.as_deref());
                ("extension", &alter.extname, "ALTER EXTENSION")
            }
            NodeEnum::CreateFdwStmt(create) => {
                ("foreign_data_wrapper", &create.fdwname, "CREATE FOREIGN DATA WRAPPER")
            }
            NodeEnum::AlterFdwStmt(alter) => {
                ("foreign_data_wrapper", &alter.fdwname, "ALTER FOREIGN DATA WRAPPER")
            }
            NodeEnum::CreateForeignServerStmt(create) => ("server", &create.servername, "CREATE SERVER"),
            NodeEnum::AlterForeignServerStmt(alter) => ("server", &alter.servername, "ALTER SERVER"),
            NodeEnum::CreateUserMappingStmt(create) => {
                self.role(create.user.as_ref());
                ("server", &create.servername, "CREATE USER MAPPING")
            }
            NodeEnum::AlterUserMappingStmt(alter) => {
                self.role(alter.user.as_ref());
                ("server", &alter.servername, "ALTER USER MAPPING")
            }
            NodeEnum::DropUserMappingStmt(drop) => {
                self.role(drop.user.as_ref());
                ("server", &drop.servername, "DROP USER MAPPING")
            }
            NodeEnum::ImportForeignSchemaStmt(import) => {
                self.schema(Action::Define, &import.local_schema);
                ("server", &import.server_name, "IMPORT FOREIGN SCHEMA")
            }
            NodeEnum::CreatePlangStmt(create) => ("language", &create.plname, "CREATE LANGUAGE"),
            NodeEnum::CreateAmStmt(create) => {
                self.routine(&parts(&create.handler_name));
                ("access_method", &create.amname, "CREATE ACCESS METHOD")
            }
            NodeEnum::CreateEventTrigStmt(create) => {
                self.routine(&parts(&create.funcname));
                ("event_trigger", &create.trigname, "CREATE EVENT TRIGGER")
            }
            NodeEnum::AlterEventTrigStmt(alter) => ("event_trigger", &alter.trigname, "ALTER EVENT TRIGGER"),
            NodeEnum::CreateCastStmt(create) => {
                if let Some(function) = &create.func {
                    self.routine(&parts(&function.objname));
                }
                ("cast", "*", "CREATE CAST")
            }
            NodeEnum::CreateTransformStmt(create) => {
                for function in [&create.fromsql, &create.tosql].into_iter().flatten() {
                    self.routine(&parts(&function.objname));
                }
                ("transform", &create.lang, "CREATE TRANSFORM")
            }
            _ => return None,
        };
        self.name(Action::Admin, kind, name);
        Some(verb.into())
    }

    fn replication_statement(&mut self, node: &NodeEnum) -> Option<Verb> {
        let (kind, name, verb): (&str, &str, &'static str) = match node {
            NodeEnum::CreatePublicationStmt(create) => {
                self.published(&create.pubobjects, create.for_all_tables);
                ("publication", &create.pubname, "CREATE PUBLICATION")
            }
            NodeEnum::AlterPublicationStmt(alter) => {
                self.published(&alter.pubobjects, alter.for_all_tables);
                ("publication", &alter.pubname, "ALTER PUBLICATION")
            }
            NodeEnum::CreateSubscriptionStmt(create) => {
                ("subscription", &create.subname, "CREATE SUBSCRIPTION")
            }
            NodeEnum::AlterSubscriptionStmt(alter) => ("subscription", &alter.subname, "ALTER SUBSCRIPTION"),
            NodeEnum::DropSubscriptionStmt(drop) => ("subscription", &drop.subname, "DROP SUBSCRIPTION"),
            _ => return None,
        };
        self.name(Action::Admin, kind, name);
        Some(verb.into())
    }

    /// What is published can be read by whoever subscribes.
    fn published(&mut self, objects: &[ast::Node], all: bool) {
        use ast::PublicationObjSpecType as Type;
        if all {
            self.access(Action::Admin, ResourceKind::Database, &[]);
        }
        for node in objects {
            let Some(NodeEnum::PublicationObjSpec(object)) = &node.node else {
                self.not_understood("a published object of that form");
                continue;
            };
            match (object.pubobjtype(), object.pubtable.as_deref()) {
                (_, Some(table)) => {
                    if let Some(relation) = &table.relation {
                        let tables = self.relation(relation);
                        self.access_tables(Action::Admin, &tables);
                        for table in &tables {
                            self.read_column(table, "*");
                        }
                    }
                    self.opt_publication_filter(table);
                }
                (Type::PublicationobjTablesInSchema, None) => self.schema(Action::Admin, &object.name),
                _ => self.access(Action::Admin, ResourceKind::Database, &[]),
            }
        }
    }

    fn opt_publication_filter(&mut self, table: &ast::PublicationTable) {
        if let (Some(relation), Some(filter)) = (&table.relation, table.where_clause.as_deref()) {
            let tables = self.relation(relation);
            let entry = super::range::Entry::target(relation, &tables);
            self.with_entries(vec![entry], |walk| walk.expr(filter));
        }
    }
}
