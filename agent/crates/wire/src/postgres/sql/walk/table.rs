//! Statements that make and change relations.

use super::define::{option, text};
use super::names::{Table, node_parts, parts};
use super::range::{Columns, Entry};
use super::{Verb, Walk};
use crate::Action;
use pg_query::{NodeEnum, protobuf as ast};

impl Walk {
    pub(super) fn table_statement(&mut self, node: &NodeEnum) -> Option<Verb> {
        Some(match node {
            NodeEnum::CreateStmt(create) => {
                self.create_table(create);
                "CREATE TABLE".into()
            }
            NodeEnum::CreateForeignTableStmt(create) => {
                if let Some(base) = &create.base_stmt {
                    self.create_table(base);
                }
                self.name(Action::Admin, "server", &create.servername);
                "CREATE FOREIGN TABLE".into()
            }
            NodeEnum::CreateTableAsStmt(create) => self.create_table_as(create),
            NodeEnum::ViewStmt(view) => {
                self.view(view);
                "CREATE VIEW".into()
            }
            NodeEnum::AlterTableStmt(alter) => self.alter_table(alter),
            NodeEnum::IndexStmt(index) => {
                self.index(index);
                "CREATE INDEX".into()
            }
            NodeEnum::CreateSeqStmt(create) => {
                if let Some(sequence) = &create.sequence {
                    let tables = self.new_relation(sequence);
                    self.access_tables(Action::Define, &tables);
                }
                self.sequence_options(&create.options);
                "CREATE SEQUENCE".into()
            }
            NodeEnum::AlterSeqStmt(alter) => {
                self.define_relation(alter.sequence.as_ref());
                self.sequence_options(&alter.options);
                "ALTER SEQUENCE".into()
            }
            NodeEnum::RefreshMatViewStmt(refresh) => {
                if let Some(relation) = &refresh.relation {
                    let tables = self.relation(relation);
                    self.access_tables(Action::Write, &tables);
                }
                "REFRESH MATERIALIZED VIEW".into()
            }
            NodeEnum::CreateStatsStmt(create) => {
                self.create_statistics(create);
                "CREATE STATISTICS".into()
            }
            NodeEnum::RuleStmt(rule) => {
                self.rule(rule);
                "CREATE RULE".into()
            }
            NodeEnum::CreateTrigStmt(trigger) => {
                self.trigger(trigger);
                "CREATE TRIGGER".into()
            }
            NodeEnum::CreatePolicyStmt(policy) => {
                self.policy(policy.table.as_ref(), policy.qual.as_deref(), policy.with_check.as_deref());
                "CREATE POLICY".into()
            }
            NodeEnum::AlterPolicyStmt(policy) => {
                self.policy(policy.table.as_ref(), policy.qual.as_deref(), policy.with_check.as_deref());
                "ALTER POLICY".into()
            }
            _ => return None,
        })
    }

    pub(super) fn define_relation(&mut self, relation: Option<&ast::RangeVar>) -> Vec<Table> {
        let tables = relation.map(|relation| self.relation(relation)).unwrap_or_default();
        self.access_tables(Action::Define, &tables);
        tables
    }

    fn create_table(&mut self, create: &ast::CreateStmt) {
        let ast::CreateStmt {
            relation,
            table_elts,
            inh_relations,
            partbound,
            partspec,
            of_typename: _,
            constraints,
            nnconstraints,
            options: _,
            oncommit: _,
            tablespacename: _,
            access_method: _,
            if_not_exists: _,
        } = create;
        let tables = relation.as_ref().map(|relation| self.new_relation(relation)).unwrap_or_default();
        self.access_tables(Action::Define, &tables);
        self.each_relation(Action::Define, inh_relations);
        self.with_entries(vec![new_rows(relation.as_ref())], |walk| {
            walk.table_parts(table_elts);
            walk.table_parts(constraints);
            walk.table_parts(nnconstraints);
            walk.partition_bound(partbound.as_ref());
            for param in partspec.iter().flat_map(|spec| &spec.part_params) {
                match &param.node {
                    Some(NodeEnum::PartitionElem(elem)) => walk.opt_expr(elem.expr.as_deref()),
                    _ => walk.not_understood("a partition key of that form"),
                }
            }
        });
    }

    fn partition_bound(&mut self, bound: Option<&ast::PartitionBoundSpec>) {
        if let Some(bound) = bound {
            for datum in bound.listdatums.iter().chain(&bound.lowerdatums).chain(&bound.upperdatums) {
                match &datum.node {
                    Some(NodeEnum::PartitionRangeDatum(datum)) => self.opt_expr(datum.value.as_deref()),
                    _ => self.expr(datum),
                }
            }
        }
    }

    /// Columns, constraints and the like; also what an ALTER TABLE command holds.
    pub(super) fn table_parts(&mut self, nodes: &[ast::Node]) {
        for node in nodes {
            self.table_part(node);
        }
    }

    fn table_part(&mut self, node: &ast::Node) {
        match &node.node {
            Some(NodeEnum::ColumnDef(column)) => {
                self.opt_expr(column.raw_default.as_deref());
                self.table_parts(&column.constraints);
                if let Some(sequence) = &column.identity_sequence {
                    self.define_relation(Some(sequence));
                }
            }
            Some(NodeEnum::Constraint(constraint)) => self.constraint(constraint),
            Some(NodeEnum::TableLikeClause(like)) => {
                if let Some(relation) = &like.relation {
                    let tables = self.relation(relation);
                    self.access_tables(Action::Read, &tables);
                }
            }
            Some(NodeEnum::PartitionCmd(command)) => {
                self.define_relation(command.name.as_ref());
                self.partition_bound(command.bound.as_ref());
            }
            Some(NodeEnum::RangeVar(relation)) => drop(self.define_relation(Some(relation))),
            Some(NodeEnum::List(list)) => self.table_parts(&list.items),
            Some(
                NodeEnum::RoleSpec(_)
                | NodeEnum::ReplicaIdentityStmt(_)
                | NodeEnum::AtalterConstraint(_)
                | NodeEnum::DefElem(_)
                | NodeEnum::TypeName(_),
            )
            | None => {}
            Some(_) => self.expr(node),
        }
    }

    fn constraint(&mut self, constraint: &ast::Constraint) {
        self.opt_expr(constraint.raw_expr.as_deref());
        self.opt_expr(constraint.where_clause.as_deref());
        self.define_relation(constraint.pktable.as_ref());
        for exclusion in &constraint.exclusions {
            // Each is a pair of an index element and its operator.
            if let Some(NodeEnum::List(pair)) = &exclusion.node
                && let Some(elem) = pair.items.first()
            {
                self.index_elems(std::slice::from_ref(elem));
            }
        }
    }

    fn create_table_as(&mut self, create: &ast::CreateTableAsStmt) -> Verb {
        self.opt_statement(create.query.as_deref());
        // What it returns goes into the table, not to the client.
        self.found.limits.clear();
        if let Some(into) = create.into.as_deref() {
            self.make_into(into);
        }
        match create.objtype() {
            ast::ObjectType::ObjectMatview => "CREATE MATERIALIZED VIEW",
            _ => "CREATE TABLE AS",
        }
        .into()
    }

    pub(super) fn make_into(&mut self, into: &ast::IntoClause) {
        if let Some(relation) = &into.rel {
            let tables = self.new_relation(relation);
            self.access_tables(Action::Define, &tables);
        }
    }

    fn view(&mut self, view: &ast::ViewStmt) {
        let ast::ViewStmt { view, aliases: _, query, replace: _, options: _, with_check_option: _ } = view;
        if let Some(view) = view {
            let tables = self.new_relation(view);
            self.access_tables(Action::Define, &tables);
        }
        self.opt_statement(query.as_deref());
        self.found.limits.clear();
    }

    fn alter_table(&mut self, alter: &ast::AlterTableStmt) -> Verb {
        let ast::AlterTableStmt { relation, cmds, objtype: _, missing_ok: _ } = alter;
        if alter.objtype() == ast::ObjectType::ObjectType {
            // A composite type: its attributes hold no expressions.
            if let Some(relation) = relation {
                self.in_schema(Action::Define, &super::names::range_var_parts(relation));
            }
            return "ALTER TYPE".into();
        }
        let tables = self.define_relation(relation.as_ref());
        let entry = relation.as_ref().map(|relation| Entry::target(relation, &tables)).unwrap_or_default();
        self.with_entries(vec![entry], |walk| {
            for command in cmds {
                match &command.node {
                    Some(NodeEnum::AlterTableCmd(command)) => walk.alter_command(&tables, command),
                    _ => walk.not_understood("an ALTER TABLE command of that form"),
                }
            }
        });
        match alter.objtype() {
            ast::ObjectType::ObjectView => "ALTER VIEW",
            ast::ObjectType::ObjectMatview => "ALTER MATERIALIZED VIEW",
            ast::ObjectType::ObjectIndex => "ALTER INDEX",
            ast::ObjectType::ObjectSequence => "ALTER SEQUENCE",
            ast::ObjectType::ObjectForeignTable => "ALTER FOREIGN TABLE",
            _ => "ALTER TABLE",
        }
        .into()
    }

    fn alter_command(&mut self, tables: &[Table], command: &ast::AlterTableCmd) {
        use ast::AlterTableType as Type;
        // Who owns it and which protections apply is more than its shape.
        if matches!(
            command.subtype(),
            Type::AtChangeOwner
                | Type::AtEnableTrig
                | Type::AtEnableAlwaysTrig
                | Type::AtEnableReplicaTrig
                | Type::AtDisableTrig
                | Type::AtEnableTrigAll
                | Type::AtDisableTrigAll
                | Type::AtEnableTrigUser
                | Type::AtDisableTrigUser
                | Type::AtEnableRule
                | Type::AtEnableAlwaysRule
                | Type::AtEnableReplicaRule
                | Type::AtDisableRule
                | Type::AtEnableRowSecurity
                | Type::AtDisableRowSecurity
                | Type::AtForceRowSecurity
                | Type::AtNoForceRowSecurity
                | Type::Undefined
        ) {
            self.access_tables(Action::Admin, tables);
        }
        if let Some(definition) = command.def.as_deref() {
            self.table_part(definition);
        }
    }

    fn index(&mut self, index: &ast::IndexStmt) {
        let tables = self.define_relation(index.relation.as_ref());
        let entry =
            index.relation.as_ref().map(|relation| Entry::target(relation, &tables)).unwrap_or_default();
        self.with_entries(vec![entry], |walk| {
            walk.index_elems(&index.index_params);
            walk.index_elems(&index.index_including_params);
            walk.opt_expr(index.where_clause.as_deref());
        });
    }

    fn create_statistics(&mut self, create: &ast::CreateStatsStmt) {
        self.each_relation(Action::Define, &create.relations);
        let entries = self.relation_entries(&create.relations);
        self.with_entries(entries, |walk| {
            for expr in &create.exprs {
                if let Some(NodeEnum::StatsElem(elem)) = &expr.node {
                    walk.opt_expr(elem.expr.as_deref());
                }
            }
        });
    }

    /// `OWNED BY table.column` ties the sequence to a table.
    fn sequence_options(&mut self, options: &[ast::Node]) {
        if let Some(owner) = option(options, "owned_by")
            && let [relation @ .., _] = node_parts(owner).as_slice()
            && !relation.is_empty()
        {
            let tables = self.relation_named(relation);
            self.access_tables(Action::Define, &tables);
        }
    }

    fn relation_entries(&mut self, nodes: &[ast::Node]) -> Vec<Entry> {
        let mut entries = Vec::new();
        for node in nodes {
            if let Some(NodeEnum::RangeVar(relation)) = &node.node {
                let tables = self.relation(relation);
                entries.push(Entry::target(relation, &tables));
            }
        }
        entries
    }

    /// The rows that a rule or trigger handles, under the names it has for them.
    fn row_entries(relation: Option<&ast::RangeVar>, tables: &[Table]) -> Vec<Entry> {
        let row = |name: &str| Entry { name: name.into(), tables: tables.to_vec(), ..Entry::default() };
        let own = relation.map(|relation| Entry::target(relation, tables)).unwrap_or_default();
        vec![row("old"), row("new"), own]
    }

    fn rule(&mut self, rule: &ast::RuleStmt) {
        let ast::RuleStmt { relation, rulename: _, where_clause, event: _, instead: _, actions, replace: _ } =
            rule;
        let tables = self.define_relation(relation.as_ref());
        self.with_entries(Self::row_entries(relation.as_ref(), &tables), |walk| {
            walk.opt_expr(where_clause.as_deref());
            for action in actions {
                walk.opt_statement(Some(action));
            }
        });
        self.found.limits.clear();
    }

    fn trigger(&mut self, trigger: &ast::CreateTrigStmt) {
        let tables = self.define_relation(trigger.relation.as_ref());
        self.define_relation(trigger.constrrel.as_ref());
        self.routine(&parts(&trigger.funcname));
        self.with_entries(Self::row_entries(trigger.relation.as_ref(), &tables), |walk| {
            walk.opt_expr(trigger.when_clause.as_deref());
        });
    }

    fn policy(
        &mut self,
        relation: Option<&ast::RangeVar>,
        using: Option<&ast::Node>,
        check: Option<&ast::Node>,
    ) {
        let tables = self.define_relation(relation);
        self.access_tables(Action::Admin, &tables);
        let entry = relation.map(|relation| Entry::target(relation, &tables)).unwrap_or_default();
        self.with_entries(vec![entry], |walk| {
            walk.opt_expr(using);
            walk.opt_expr(check);
        });
    }
}

/// The rows of a table that is only being made: nothing is stored in them yet.
fn new_rows(relation: Option<&ast::RangeVar>) -> Entry {
    Entry::derived(relation.map_or("", |relation| &relation.relname), Columns::unknown())
}

/// The text of an option, for statements that name something in one.
pub(super) fn option_text<'n>(options: &'n [ast::Node], name: &str) -> Option<&'n str> {
    option(options, name).and_then(text)
}
