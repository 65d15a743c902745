//! Rulings: what is permitted, refused and held, and in which words.

mod oracle;

use super::*;
use crate::{AgentFacts, Effect, Place, Principal, TargetFacts};
use std::sync::Arc;
use wire::{Access, Certainty, Facts, Meaning, Resource, ResourceKind};

pub(super) fn catalog() -> Catalog {
    let agent = |name: &str, roles: &[&str]| AgentFacts {
        name: name.into(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    };
    Catalog {
        agents: vec![agent("planner", &["planners"]), agent("executor", &["executors", "planners"])],
        targets: vec![TargetFacts {
            name: "shop-db".into(),
            protocol: "postgres".into(),
            labels: vec!["production".into()],
            tags: vec![
                ("public.customers".into(), vec!["customer".into()]),
                ("public.customers.card_number".into(), vec!["pci".into()]),
            ],
        }],
    }
}

pub(super) fn load(text: &str) -> PolicySet {
    let source = Source { name: "test.cedar".into(), text: text.into() };
    PolicySet::load(&[source], &catalog()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

pub(super) fn who(agent: &str) -> Principal {
    Principal::new(agent.into(), "/agents/x".into(), "/usr/bin/psql".into(), "ab12".into(), 1000)
}

pub(super) fn access(action: Action, kind: ResourceKind, path: &[&str]) -> Access {
    Access { action, resource: Resource::new(kind, path) }
}

pub(super) fn meaning(accesses: Vec<Access>) -> Meaning {
    Meaning {
        verb: "TEST".into(),
        action: accesses.iter().map(|access| access.action).max().unwrap_or(Action::Read),
        accesses: accesses.into(),
        certainty: Certainty::Exact,
        doubt: "".into(),
        facts: Facts { filtered: None, limit: None, statements: 1 },
        fingerprint: 0,
    }
}

fn rule(set: &PolicySet, agent: &str, meaning: Meaning) -> Arc<Ruling> {
    rule_at(set, agent, meaning, 12)
}

fn rule_at(set: &PolicySet, agent: &str, meaning: Meaning, hour: u8) -> Arc<Ruling> {
    let at = Place::new("shop-db".into(), "shop".into());
    set.rule(&Asked { who: &who(agent), at: &at, meaning: &Arc::new(meaning), hour })
}

fn read(table: &str) -> Access {
    access(Action::Read, ResourceKind::Table, &["public", table])
}

fn column(table: &str, column: &str) -> Access {
    access(Action::Read, ResourceKind::Column, &["public", table, column])
}

fn ids(ruling: &Ruling) -> Vec<&str> {
    ruling.policies.iter().map(|id| &**id).collect()
}

const SHOP: &str = r#"
@id("planners-read")
permit (principal in Role::"planners", action in [Action::"connect", Action::"read"], resource in Target::"shop-db")
when { context.certainty == "exact" };

@id("executors-write-orders")
permit (principal in Role::"executors", action == Action::"write", resource in Table::"shop-db/shop/public/orders")
when { context has filtered && context.filtered };

@id("no-cards")
@hint("ask for the last four digits instead")
forbid (principal, action, resource == Column::"shop-db/shop/public/customers/card_number");
"#;

#[test]
fn nothing_is_permitted_by_nothing() {
    let ruling = rule(&load(""), "planner", meaning(vec![read("orders")]));
    assert_eq!(ruling.effect, Effect::Deny);
    assert_eq!(&*ruling.reason, "no policy permits `planner` to read table shop-db/shop/public/orders");
    assert!(ruling.policies.is_empty());
}

#[test]
fn a_permit_names_itself() {
    let set = load(SHOP);
    let ruling = rule(&set, "planner", meaning(vec![read("orders"), column("orders", "id")]));
    assert_eq!(ruling.effect, Effect::Forward, "{}", ruling.reason);
    assert_eq!(ids(&ruling), ["planners-read"]);
    assert_eq!(&*ruling.reason, "permitted by `planners-read`");
    let resources: Vec<&str> = ruling.resources.iter().map(|resource| &**resource).collect();
    assert_eq!(
        resources,
        ["read table shop-db/shop/public/orders", "read column shop-db/shop/public/orders/id"]
    );
}

#[test]
fn every_pair_must_be_permitted() {
    let set = load(SHOP);
    let write = access(Action::Write, ResourceKind::Table, &["public", "orders"]);
    let both = meaning(vec![read("orders"), write]);
    let ruling = rule(&set, "executor", both.clone());
    assert_eq!(&*ruling.reason, "no policy permits `executor` to write table shop-db/shop/public/orders");
    let filtered = Meaning { facts: Facts { filtered: Some(true), ..both.facts.clone() }, ..both };
    let ruling = rule(&set, "executor", filtered.clone());
    assert_eq!(ruling.effect, Effect::Forward, "{}", ruling.reason);
    assert_eq!(ids(&ruling), ["executors-write-orders", "planners-read"]);
    assert_eq!(rule(&set, "planner", filtered).effect, Effect::Deny);
}

#[test]
fn a_forbid_wins_and_hints() {
    let set = load(SHOP);
    let ruling = rule(&set, "planner", meaning(vec![read("customers"), column("customers", "card_number")]));
    assert_eq!(ruling.effect, Effect::Deny);
    assert_eq!(ids(&ruling), ["no-cards"]);
    assert_eq!(
        &*ruling.reason,
        "forbidden by `no-cards`: `planner` may not read column shop-db/shop/public/customers/card_number"
    );
    assert_eq!(&*ruling.hint, "ask for the last four digits instead");
}

#[test]
fn all_columns_are_also_the_named_and_the_tagged_ones() {
    let by_name = load(SHOP);
    let star = || meaning(vec![read("customers"), column("customers", "*")]);
    assert_eq!(ids(&rule(&by_name, "planner", star())), ["no-cards"]);
    let orders = meaning(vec![read("orders"), column("orders", "*")]);
    assert_eq!(rule(&by_name, "planner", orders).effect, Effect::Forward);
    let by_tag = load(
        r#"@id("p") permit (principal, action, resource);
           @id("pci") forbid (principal, action == Action::"read", resource is Column) when { resource.tags.contains("pci") };"#,
    );
    assert_eq!(ids(&rule(&by_tag, "planner", star())), ["pci"]);
    let in_condition = load(
        r#"@id("p") permit (principal, action, resource);
           @id("listed") forbid (principal, action == Action::"read", resource is Column)
           when { [Column::"shop-db/shop/public/orders/note"].contains(resource) };"#,
    );
    assert_eq!(ids(&rule(&in_condition, "planner", meaning(vec![column("orders", "*")]))), ["listed"]);
}

#[test]
fn attributes_can_be_read() {
    let set = load(
        r#"@id("a") permit (principal, action == Action::"read", resource is Table)
               when { resource.schema == "public" && resource.name like "o*" && principal.exe == "/usr/bin/psql" && principal.uid == 1000 };
           @id("b") permit (principal, action == Action::"read", resource is Column)
               when { resource.table == "orders" || resource.tags.contains("customer") };
           @id("c") permit (principal, action == Action::"write", resource is Name)
               when { resource.kind == "setting" && resource.name == "timezone" };
           @id("d") permit (principal, action == Action::"connect", resource)
               when { resource is Target && resource.protocol == "postgres" && resource.labels.contains("production") };
           @id("e") permit (principal, action == Action::"connect", resource is Database) when { resource.name == "shop" };
           @id("f") permit (principal, action == Action::"execute", resource is Routine in Protocol::"postgres")
               when { resource.schema == "pg_catalog" && resource.name == "lower" };
           @id("g") permit (principal, action == Action::"define", resource is Schema in Label::"production")
               when { resource.name == "public" };"#,
    );
    let target = access(Action::Connect, ResourceKind::Target, &[]);
    let database = access(Action::Connect, ResourceKind::Database, &[]);
    for (accesses, expected) in [
        (vec![read("orders"), column("orders", "id"), column("customers", "x")], vec!["a", "b"]),
        (vec![access(Action::Write, ResourceKind::Name, &["setting", "timezone"])], vec!["c"]),
        (vec![target, database], vec!["d", "e"]),
        (vec![access(Action::Execute, ResourceKind::Routine, &["pg_catalog", "lower"])], vec!["f"]),
        (vec![access(Action::Define, ResourceKind::Schema, &["public"])], vec!["g"]),
    ] {
        let ruling = rule(&set, "planner", meaning(accesses));
        assert_eq!(ids(&ruling), expected, "{}", ruling.reason);
    }
    assert_eq!(rule(&set, "planner", meaning(vec![read("customers")])).effect, Effect::Deny);
}

#[test]
fn what_touches_nothing_needs_only_the_connection() {
    let set = load(SHOP);
    assert_eq!(rule(&set, "planner", meaning(Vec::new())).effect, Effect::Forward);
    let partial = Meaning { certainty: Certainty::Partial, ..meaning(Vec::new()) };
    let everything = load(r#"@id("p") permit (principal, action, resource);"#);
    let ruling = rule(&everything, "planner", partial);
    assert_eq!(ruling.effect, Effect::Deny, "read does not apply to a target");
    assert!(ruling.reason.contains("understood only in part"), "{}", ruling.reason);
    let write = Meaning { action: Action::Write, ..meaning(Vec::new()) };
    assert_eq!(rule(&everything, "planner", write).effect, Effect::Deny);
}

#[test]
fn what_is_not_understood_is_never_permitted() {
    let set = load(r#"@id("p") permit (principal, action, resource);"#);
    for meaning in [
        Meaning::opaque("SELECT", Action::Unknown, "syntax error at `x`"),
        meaning(vec![read("orders"), access(Action::Unknown, ResourceKind::Table, &["public", "x"])]),
    ] {
        let ruling = rule(&set, "planner", meaning);
        assert_eq!(ruling.effect, Effect::Deny);
        assert!(ruling.reason.contains("was not understood"), "{}", ruling.reason);
    }
}

#[test]
fn pairs_without_a_place_in_the_schema_are_never_permitted() {
    let set = load(r#"@id("p") permit (principal, action, resource);"#);
    let ruling =
        rule(&set, "planner", meaning(vec![access(Action::Execute, ResourceKind::Table, &["a", "b"])]));
    assert_eq!(ruling.effect, Effect::Deny);
    assert!(ruling.reason.starts_with("no policy can permit"), "{}", ruling.reason);
    for bad in [&["public"][..], &["a", "b", "c", "d"]] {
        let ruling = rule(&set, "planner", meaning(vec![access(Action::Read, ResourceKind::Table, bad)]));
        assert!(ruling.reason.contains("no proper name"), "{}", ruling.reason);
    }
}

#[test]
fn unknown_targets_and_agents() {
    let set = load(SHOP);
    let at = Place::new("other".into(), "shop".into());
    let meaning = Arc::new(meaning(vec![read("orders")]));
    let ruling = set.rule(&Asked { who: &who("planner"), at: &at, meaning: &meaning, hour: 0 });
    assert!(ruling.reason.contains("target `other` is not in the configuration"), "{}", ruling.reason);
    assert_eq!(rule(&set, "stranger", (*meaning).clone()).effect, Effect::Deny);
}

#[test]
fn a_policy_that_fails_denies() {
    let set = load(
        r#"@id("p") permit (principal, action, resource);
           @id("sum") forbid (principal, action == Action::"read", resource)
           when { 9223372036854775807 + context.statements > 0 };"#,
    );
    let ruling = rule(&set, "planner", meaning(vec![read("orders")]));
    assert_eq!(ruling.effect, Effect::Deny);
    assert_eq!(ids(&ruling), ["sum"]);
    assert!(ruling.reason.starts_with("policy `sum` failed"), "{}", ruling.reason);
    let missing = load(
        r#"@id("p") permit (principal, action, resource)
           when { Target::"gone".labels.contains("x") };"#,
    );
    let ruling = rule(&missing, "planner", meaning(vec![read("orders")]));
    assert!(ruling.reason.starts_with("policy `p` failed"), "{}", ruling.reason);
}

#[test]
fn holds_for_the_smallest_set_of_groups() {
    let set = load(
        r#"@id("read") permit (principal, action == Action::"read", resource);
           @id("dba") permit (principal, action == Action::"delete", resource) when { context.approvals.contains("dba") };
           @id("both") permit (principal, action == Action::"write", resource)
               when { context.approvals.containsAll(["owner", "dba"]) || context.approvals.containsAll(["a", "b", "c"]) };
           @id("private") forbid (principal, action == Action::"read", resource is Table)
               when { resource.tags.contains("customer") } unless { context.approvals.contains("privacy") };
           @id("never") forbid (principal, action, resource) when { resource in Table::"shop-db/shop/public/payments" };"#,
    );
    let on = |action, table| meaning(vec![access(action, ResourceKind::Table, &["public", table])]);
    let held = |meaning| match &rule(&set, "planner", meaning).effect {
        Effect::Hold { groups } => groups.join(" "),
        other => panic!("{other:?}"),
    };
    assert_eq!(held(on(Action::Delete, "orders")), "dba");
    assert_eq!(held(on(Action::Write, "orders")), "dba owner");
    assert_eq!(held(on(Action::Read, "customers")), "privacy");
    let mixed = meaning(vec![
        read("customers"),
        access(Action::Delete, ResourceKind::Table, &["public", "customers"]),
    ]);
    assert_eq!(held(mixed), "dba privacy", "all of the operation must be permitted");
    assert_eq!(rule(&set, "planner", on(Action::Delete, "payments")).effect, Effect::Deny);
    assert_eq!(rule(&set, "planner", on(Action::Define, "orders")).effect, Effect::Deny);
    let ruling = rule(&set, "planner", on(Action::Delete, "orders"));
    assert_eq!(ids(&ruling), ["dba"]);
    assert_eq!(
        &*ruling.reason,
        "`planner` may delete table shop-db/shop/public/orders only with the approval of `dba`, by `dba`"
    );
}

#[test]
fn the_hour_counts_where_a_policy_reads_it() {
    let set = load(
        r#"@id("day") permit (principal, action == Action::"read", resource) when { context.hour >= 8 && context.hour < 18 };"#,
    );
    for (hour, effect) in [
        (7, Effect::Deny),
        (8, Effect::Forward),
        (17, Effect::Forward),
        (18, Effect::Deny),
        (8, Effect::Forward),
    ] {
        assert_eq!(rule_at(&set, "planner", meaning(vec![read("orders")]), hour).effect, effect, "at {hour}");
    }
}

#[test]
fn tasks_and_containers_are_seen() {
    let set = load(
        r#"@id("t") permit (principal, action == Action::"read", resource)
           when { context has task && context.task == Task::"T-42" && principal has container && principal.container == "c1" };"#,
    );
    let at = Place::new("shop-db".into(), "shop".into());
    let meaning = Arc::new(meaning(vec![read("orders")]));
    let effect =
        |who: &Principal| set.rule(&Asked { who, at: &at, meaning: &meaning, hour: 0 }).effect.clone();
    assert_eq!(effect(&who("planner")), Effect::Deny);
    let inside = who("planner").in_container(Some("c1".into()));
    assert_eq!(effect(&inside), Effect::Deny);
    assert_eq!(effect(&inside.clone().on_task(Some("T-42".into()))), Effect::Forward);
    assert_eq!(effect(&inside.on_task(Some("T-43".into()))), Effect::Deny);
}

#[test]
fn binds_are_recorded_when_a_deciding_permit_says_so() {
    let set = load(
        r#"@id("r") @record("binds") permit (principal, action == Action::"read", resource);
           @id("w") permit (principal, action == Action::"write", resource);"#,
    );
    assert!(rule(&set, "planner", meaning(vec![read("orders")])).record_binds);
    let write = access(Action::Write, ResourceKind::Table, &["public", "orders"]);
    assert!(!rule(&set, "planner", meaning(vec![write.clone()])).record_binds);
    assert!(rule(&set, "planner", meaning(vec![write, read("orders")])).record_binds);
}

#[test]
fn names_can_not_be_forged() {
    let set = load(
        r#"@id("p") permit (principal, action == Action::"read", resource in Schema::"shop-db/shop/public");"#,
    );
    for path in [&["public/x", "y"][..], &["public%2Fx", "y"], &["publi", "c/y"], &["", "public"]] {
        let ruling = rule(&set, "planner", meaning(vec![access(Action::Read, ResourceKind::Table, path)]));
        assert_eq!(ruling.effect, Effect::Deny, "{path:?}");
    }
    let odd = meaning(vec![access(Action::Read, ResourceKind::Table, &["public", "a/b\"c%"])]);
    assert_eq!(rule(&set, "planner", odd).effect, Effect::Forward);
}

#[test]
fn hostile_sizes_are_refused_or_clipped() {
    let set = load(r#"@id("p") permit (principal, action, resource);"#);
    let many = (0..5000).map(|n| read(&format!("t{n}"))).collect();
    let ruling = rule(&set, "planner", meaning(many));
    assert!(ruling.reason.contains("more than 4096 things"), "{}", ruling.reason);
    assert_eq!(ruling.resources.len(), Ruling::RESOURCES_MAX + 1);
    let deep = vec!["x"; 40];
    let ruling = rule(&set, "planner", meaning(vec![access(Action::Read, ResourceKind::Name, &deep)]));
    assert_eq!(ruling.effect, Effect::Deny);
    let long = "é".repeat(100_000);
    let ruling = rule(&load(""), "planner", meaning(vec![read(&long)]));
    assert!(ruling.reason.len() < 1000 && ruling.resources[0].len() < 1000);
}
