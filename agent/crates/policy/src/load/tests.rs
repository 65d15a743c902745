//! Every problem has its place, its sentence and its help.

use crate::{Catalog, Diagnostic, PolicySet, Severity, Source};

fn problems(text: &str) -> Vec<Diagnostic> {
    let sources = [Source { name: "p.cedar".into(), text: text.into() }];
    PolicySet::load(&sources, &Catalog::default()).expect_err("refused")
}

fn only(text: &str) -> Diagnostic {
    let mut found = problems(text);
    found.retain(|problem| problem.severity == Severity::Error);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

#[test]
fn syntax_errors_point_at_the_token() {
    let error = only("@id(\"a\")\npermit (principal, action, resource)\nwhen { context.hour < };\n");
    assert_eq!((error.line, error.file.as_str()), (3, "p.cedar"), "{error}");
    assert!(error.column > 0 && !error.message.is_empty());
}

#[test]
fn an_id_is_required_where_the_policy_begins() {
    let error = only("// about a\n\n  permit (principal, action, resource);\n");
    assert_eq!((error.line, error.column), (3, 3));
    assert_eq!(error.message, "policy without an id");
    assert!(error.help.contains("@id"));
}

#[test]
fn ids_are_unique_over_all_files() {
    let text = "@id(\"a\") permit (principal, action, resource);";
    let source = |name: &str| Source { name: name.into(), text: format!("\n{text}") };
    let found =
        PolicySet::load(&[source("one.cedar"), source("two.cedar")], &Catalog::default()).expect_err("twice");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].file.as_str(), found[0].line, found[0].column), ("two.cedar", 2, 1));
    assert!(found[0].message.contains("`a`") && found[0].help.contains("one.cedar:2:1"));
}

#[test]
fn strange_ids_are_refused() {
    for id in ["", "a b", "é", &"x".repeat(129)] {
        let error = only(&format!("@id(\"{id}\") permit (principal, action, resource);"));
        assert!(error.message.contains("can't be a policy's id"), "{error}");
    }
}

#[test]
fn equal_policies_are_told_apart_by_place() {
    let text = "@id(\"a\") permit (principal, action, resource);\n// again\n@id(\"a\") permit (principal, action, resource);";
    assert_eq!(only(text).line, 3);
}

#[test]
fn actions_are_those_of_the_schema() {
    let error = only("@id(\"a\")\nforbid (principal, action == Action::\"reveal\", resource);");
    assert_eq!(error.line, 2, "{error}");
    assert!(error.help.contains("columns can't be masked yet"), "{error}");
    let error = only("@id(\"a\") permit (principal, action == Action::\"unknown\", resource);");
    assert!(error.help.contains("connect, read"), "{error}");
}

#[test]
fn types_and_attributes_are_checked() {
    let attribute = only("@id(\"a\")\npermit (principal, action, resource)\nwhen { context.weekday == 1 };");
    assert_eq!(attribute.line, 3, "{attribute}");
    assert!(attribute.message.contains("weekday"), "{attribute}");
    let optional = only("@id(\"a\") permit (principal, action, resource) when { context.filtered };");
    assert!(optional.message.contains("filtered"), "{optional}");
    let kind = only("@id(\"a\") permit (principal, action, resource in Taple::\"x\");");
    assert!(kind.message.contains("Taple"), "{kind}");
    let column = problems(
        "@id(\"a\") forbid (principal, action == Action::\"read\", resource is Column) when { resource.name like \"card*\" };",
    );
    assert!(column[0].message.contains("name"), "columns are not matched by patterns: {column:?}");
}

#[test]
fn ids_that_nothing_can_have_are_refused() {
    let error = only("@id(\"a\") forbid (principal, action, resource in Table::\"orders\");");
    assert!(error.message.contains("Table::\"orders\""), "{error}");
    assert!(error.help.contains("target/database/schema/table"), "{error}");
    let error = only(
        "@id(\"a\") forbid (principal, action == Action::\"read\", resource) when { resource in Schema::\"public\" };",
    );
    assert!(error.message.contains("Schema::\"public\""), "{error}");
}

#[test]
fn templates_are_refused() {
    let error = only("\n@id(\"a\") permit (principal == ?principal, action, resource);");
    assert_eq!((error.line, error.column), (2, 1), "{error}");
    assert!(error.message.contains("templates"));
}

#[test]
fn annotations() {
    let error = only("@id(\"a\") @record(\"all\") permit (principal, action, resource);");
    assert!(error.help.contains("@record(\"binds\")"));
    let text = "@id(\"a\") @recrod(\"binds\") permit (principal, action, resource);";
    let set =
        PolicySet::load(&[Source { name: "p".into(), text: text.into() }], &Catalog::default()).unwrap();
    assert!(set.warnings()[0].message.contains("@recrod"), "{:?}", set.warnings());
}

#[test]
fn every_problem_of_every_file_is_reported() {
    let found = problems("permit (principal, action, resource);\npermit (principal, action, resource);\n");
    assert_eq!(found.iter().map(|problem| problem.line).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn too_long_files_are_refused() {
    let error = only(&" ".repeat(Source::BYTES_MAX + 1));
    assert!(error.message.contains("4194304"), "{error}");
}
