//! What is reported is so, and what is in order is not reported.

use super::*;
use crate::{AgentFacts, Catalog, PolicySet, Source, TargetFacts};

fn catalog() -> Catalog {
    Catalog {
        agents: vec![
            AgentFacts { name: "planner".into(), roles: vec!["planners".into()] },
            AgentFacts { name: "executor".into(), roles: vec!["executors".into()] },
        ],
        targets: vec![TargetFacts {
            name: "shop-db".into(),
            protocol: "postgres".into(),
            labels: vec!["production".into()],
            tags: Vec::new(),
        }],
    }
}

fn warnings_with(text: &str, catalog: &Catalog) -> Vec<String> {
    let text: String = text
        .split(';')
        .filter(|policy| !policy.trim().is_empty())
        .zip(["a", "b", "c", "d"])
        .map(|(policy, id)| {
            let mark = if policy.contains("@id") { String::new() } else { format!("@id(\"{id}\")") };
            format!("{mark}{policy};\n")
        })
        .collect();
    let set = PolicySet::load(&[Source { name: "x.cedar".into(), text }], catalog).unwrap();
    set.warnings()
        .iter()
        .map(|warning| format!("{}: {} {}", warning.line, warning.message, warning.help))
        .collect()
}

fn warnings(text: &str) -> Vec<String> {
    warnings_with(text, &catalog())
}

/// The same without those of permits that don't ask whether a statement was understood.
fn others(text: &str) -> Vec<String> {
    warnings(text).into_iter().filter(|found| !found.contains("only partly understood")).collect()
}

#[test]
fn policies_in_order_give_no_warnings() {
    let found = others(
        r#"permit(principal in Role::"planners", action == Action::"read", resource in Target::"shop-db");
           permit(principal == Agent::"executor", action, resource in Label::"production");
           forbid(principal, action, resource in Protocol::"postgres") when { context.certainty != "exact" };
           permit(principal, action == Action::"write", resource == Table::"shop-db/shop/public/orders")"#,
    );
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn permits_that_do_not_ask_whether_a_statement_was_understood() {
    let trusts =
        |text: &str| warnings(text).iter().filter(|found| found.contains("only partly understood")).count();
    let permit =
        r#"permit(principal in Role::"planners", action == Action::"read", resource in Target::"shop-db")"#;
    assert_eq!(trusts(permit), 1);
    assert_eq!(trusts(&format!(r#"{permit} when {{ context.certainty == "exact" }}"#)), 0);
    assert_eq!(trusts(&format!(r#"{permit} when {{ context.hour > 8 }}"#)), 1);
    let guard = r#"forbid(principal, action, resource) unless { context.certainty == "exact" }"#;
    assert_eq!(trusts(&format!("{permit}; {guard}")), 0);
    let reads =
        r#"permit(principal == Agent::"planner", action == Action::"read", resource in Target::"shop-db")"#;
    for (guard, expected) in [
        (
            r#"forbid(principal in Role::"planners", action, resource) when { context.certainty != "exact" }"#,
            0,
        ),
        (r#"forbid(principal, action, resource is Table) unless { "exact" == context.certainty }"#, 0),
        (
            r#"forbid(principal == Agent::"executor", action, resource) unless { context.certainty == "exact" }"#,
            1,
        ),
        (
            r#"forbid(principal, action == Action::"write", resource) unless { context.certainty == "exact" }"#,
            1,
        ),
        (
            r#"forbid(principal == Agent::"nobody", action, resource) unless { context.certainty == "exact" }"#,
            1,
        ),
        (r#"forbid(principal, action, resource) when { context.certainty == "opaque" }"#, 1),
        (
            r#"forbid(principal, action, resource) when { context.certainty != "exact" && context.hour < 6 }"#,
            1,
        ),
    ] {
        assert_eq!(trusts(&format!("{reads}; {guard}")), expected, "{guard}");
    }
    for (condition, expected) in [
        (r#"when { context.hour > 8 && context.certainty == "exact" }"#, 0),
        (r#"unless { context.certainty != "exact" }"#, 0),
        (r#"when { context.hour > 8 || context.certainty == "exact" }"#, 1),
        (r#"when { context.certainty != "opaque" }"#, 1),
    ] {
        assert_eq!(trusts(&format!("{reads} {condition}")), expected, "{condition}");
    }
    assert_eq!(trusts(r#"permit(principal, action == Action::"connect", resource in Target::"shop-db")"#), 0);
    assert_eq!(trusts(r#"permit(principal, action, resource)"#), 1);
}

#[test]
fn names_that_the_configuration_lacks() {
    let scope = |principal: &str, resource: &str| {
        warnings(&format!("permit({principal}, action == Action::\"read\", {resource})")).join("\n")
    };
    let missing = scope(r#"principal == Agent::"planer""#, "resource");
    assert!(missing.contains("no agent `planer` did you mean `planner`?"), "{missing}");
    let missing = scope(r#"principal in Role::"dba""#, "resource");
    assert!(missing.contains("has the role `dba`"), "{missing}");
    let missing = scope("principal", r#"resource in Database::"shop-dv/shop""#);
    assert!(missing.contains("no target `shop-dv` did you mean `shop-db`?"), "{missing}");
    let missing = scope("principal", r#"resource in Label::"staging""#);
    assert!(missing.contains("has the label `staging`"), "{missing}");
    let missing = scope("principal", r#"resource in Protocol::"mysql""#);
    assert!(missing.contains("speaks `mysql`"), "{missing}");
}

#[test]
fn an_empty_configuration_lacks_nothing() {
    let found = warnings_with(
        r#"permit(principal == Agent::"x", action == Action::"read", resource in Target::"y")
           when { context.certainty == "exact" }"#,
        &Catalog::default(),
    );
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn pairs_that_the_schema_lacks() {
    let found = others(r#"permit(principal, action == Action::"execute", resource is Table)"#);
    assert!(found.len() == 1 && found[0].contains("none of its actions applies"), "{found:?}");
    let found = others(r#"permit(principal, action == Action::"read", resource) when { 1 == 2 }"#);
    assert!(found.len() == 1 && found[0].contains("can't be true"), "{found:?}");
    let found =
        warnings(r#"permit(principal, action == Action::"execute", resource in Table::"shop-db/a/b/c")"#);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn shadowed_by_a_forbid() {
    let found = warnings(
        r#"permit(principal in Role::"planners", action == Action::"read", resource in Schema::"shop-db/shop/public")
               when { context.certainty == "exact" };
           forbid(principal, action in [Action::"read", Action::"write"], resource in Target::"shop-db")"#,
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("`a` permits nothing: `b` (x.cedar:"), "{found:?}");
}

#[test]
fn shadowed_by_a_permit() {
    let broad = r#"permit(principal in Role::"planners", action, resource)"#;
    let found = others(&format!(
        r#"{broad}; permit(principal == Agent::"planner", action == Action::"read", resource is Table)"#
    ));
    assert!(found.len() == 1 && found[0].contains("`b` adds nothing"), "{found:?}");
    let twice = others(&format!("{broad}; {broad}"));
    assert!(twice.len() == 1 && twice[0].contains("`b` adds nothing"), "{twice:?}");
    let records = others(&format!(
        r#"{broad}; @id("b") @record("binds") permit(principal == Agent::"planner", action, resource)"#
    ));
    assert!(records.is_empty(), "it decides what is recorded: {records:?}");
}

#[test]
fn partly_covered_is_not_shadowed() {
    let found = others(
        r#"permit(principal == Agent::"planner", action in [Action::"read", Action::"write"], resource is Table);
           forbid(principal, action == Action::"read", resource);
           forbid(principal in Role::"executors", action, resource);
           forbid(principal, action == Action::"write", resource is Table) when { context.hour < 8 }"#,
    );
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn distances() {
    for (one, other, expected) in
        [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("planner", "planer", 1)]
    {
        assert_eq!(distance(one, other), expected, "{one} {other}");
        assert_eq!(distance(other, one), expected, "{other} {one}");
    }
}
