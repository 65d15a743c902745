//! Tags reach what they name.

use super::*;
use crate::catalog::AgentFacts;

fn target(tags: &[(&str, &[&str])]) -> (Target, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let tags = tags
        .iter()
        .map(|(named, tags)| ((*named).to_owned(), tags.iter().map(|tag| (*tag).to_owned()).collect()))
        .collect();
    let facts = TargetFacts { name: "t".into(), protocol: "postgres".into(), labels: Vec::new(), tags };
    (Target::new(&facts, &mut problems), problems)
}

#[test]
fn a_column_has_its_tables_tags_too() {
    let (target, problems) =
        target(&[("public.customers", &["customer"]), ("public.customers.card_number", &["pci"])]);
    assert!(problems.is_empty());
    let tags = |kind, id| target.tags(kind, id).into_iter().collect::<Vec<_>>();
    assert_eq!(tags(Kind::Table, "t/shop/public/customers"), ["customer"]);
    assert_eq!(tags(Kind::Column, "t/shop/public/customers/card_number"), ["customer", "pci"]);
    assert_eq!(tags(Kind::Column, "t/shop/public/customers/email"), ["customer"]);
    assert_eq!(tags(Kind::Schema, "t/shop/public"), [""; 0]);
    assert_eq!(target.tagged_columns("t/shop/public/customers").collect::<Vec<_>>(), ["card_number"]);
    assert_eq!(target.tagged_columns("t/shop/public/orders").count(), 0);
}

#[test]
fn quoted_parts_may_hold_dots_and_slashes() {
    let (target, problems) = target(&[(r#"public."a.b/c"."x""y""#, &["odd"])]);
    assert!(problems.is_empty());
    assert_eq!(target.tagged_columns("t/d/public/a.b%2Fc").collect::<Vec<_>>(), ["x\"y"]);
}

#[test]
fn tags_on_nothing_are_errors() {
    for bad in ["customers", "a.b.c.d", "a..b", "a.\"b", ""] {
        let (_, problems) = target(&[(bad, &["x"])]);
        assert_eq!(problems.len(), 1, "{bad}");
        assert!(problems[0].message.contains(&format!("`{bad}`")));
    }
}

#[test]
fn roles_are_found_by_agent() {
    let catalog = Catalog {
        agents: vec![AgentFacts { name: "planner".into(), roles: vec!["planners".into()] }],
        targets: Vec::new(),
    };
    let known = Known::new(&catalog, &mut Vec::new());
    assert!(known.has_role("planner", "planners"));
    assert!(!known.has_role("executor", "planners"));
    assert!(known.role_exists("planners") && !known.role_exists("x"));
}
