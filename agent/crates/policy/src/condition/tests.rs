//! Facts, groups and entities are found wherever a condition hides them.

use super::*;

fn reads(conditions: &str) -> Reads {
    let policy = Policy::parse(None, format!("permit (principal, action, resource) {conditions};")).unwrap();
    Reads::of(&policy).unwrap()
}

#[test]
fn no_conditions_read_nothing() {
    assert_eq!(reads(""), Reads::default());
}

#[test]
fn the_hour_is_seen() {
    assert!(reads("when { context.hour < 8 }").hour);
    assert!(reads("when { true } unless { 1 == 2 || (if context has hour then false else true) }").hour);
    assert!(reads(r#"when { context["hour"] < 8 }"#).hour);
    assert!(reads("when { {x: context}.x.hour < 8 }").hour);
    assert!(reads("when { context == {} }").hour, "the whole context");
    assert!(!reads(r#"when { context.certainty == "exact" && context has limit }"#).hour);
}

#[test]
fn groups_are_collected() {
    let found = reads(
        r#"when { context.approvals.contains("dba") || context.approvals.containsAny(["a", "b"]) }
           unless { context.approvals.containsAll(["c"]) || ["x"].contains(context.certainty) }"#,
    );
    assert_eq!(found.groups.into_iter().collect::<Vec<_>>(), ["a", "b", "c", "dba"]);
    assert!(found.approvals);
    assert!(!reads(r#"when { context.certainty == "exact" }"#).approvals);
}

#[test]
fn entities_are_collected() {
    let found = reads(r#"when { [Table::"t/d/s/x"].contains(resource) || principal in Role::"r" }"#);
    let named: Vec<_> = found.entities.iter().map(|(kind, id)| format!("{kind} {id}")).collect();
    assert_eq!(named, ["Role r", "Table t/d/s/x"]);
}

#[test]
fn attributes_are_collected() {
    let found = reads(
        r#"when { resource.tags.contains("x") && principal has container } unless { {a: {b: context.hour}}.a.b == 1 }"#,
    );
    assert_eq!(found.attributes.into_iter().collect::<Vec<_>>(), ["a", "b", "container", "hour", "tags"]);
}
