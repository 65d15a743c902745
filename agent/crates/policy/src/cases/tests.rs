//! Case files: what they can say, and what is said about bad ones.

mod shipped;

use super::*;
use wire::{Access, Action, Certainty, Facts, Resource, ResourceKind};

const POLICIES: &str = r#"
@id("read") permit (principal in Role::"planners", action == Action::"read", resource in Label::"production")
when { context.certainty == "exact" };
@id("no-cards") forbid (principal, action == Action::"read", resource is Column) when { resource.tags.contains("pci") };
@id("delete") permit (principal, action == Action::"delete", resource)
when { context has filtered && context.filtered && context.approvals.contains("dba") };
@id("day") permit (principal, action == Action::"write", resource) when { context.hour == 3 && context has task };
"#;

const CASES: &str = r#"
# a comment
agent  planner planners   # and another
agent  executor
target shop-db postgres production
tag    shop-db public.customers.card_number pci
on     shop-db/shop

case planners read
  as     planner
  does   read table public.orders
  does   read column public.orders.id
  expect forward by read

case no cards
  as     planner
  does   read column public.customers.*
  expect deny by no-cards

case executors read nothing
  as     executor
  does   read table public.orders
  sql    SELECT 1 # part of the sql
       | FROM x
  expect deny by nothing

case held
  as     executor
  with   filtered yes
  does   delete table public.orders
  expect hold dba by delete

case at night on a task
  as     executor
  with   hour 3
  with   task T-1
  does   write name "se.tting".x
  expect forward

case not partly
  as     planner
  with   certainty partial
  does   read table public.orders
  expect deny
"#;

fn sources(cases: &str) -> (Source, [Source; 1]) {
    (
        Source { name: "x.case".into(), text: cases.into() },
        [Source { name: "p.cedar".into(), text: POLICIES.into() }],
    )
}

/// Takes what it is given for the name of a table that is read.
fn sql(text: &str, path: &[String], user: &str) -> Arc<Meaning> {
    assert_eq!((path.join(" ").as_str(), user), ("pg_catalog public", "postgres"));
    let access =
        Access { action: Action::Read, resource: Resource::new(ResourceKind::Table, &["public", text]) };
    Arc::new(Meaning {
        accesses: Box::new([access]),
        certainty: Certainty::Exact,
        facts: Facts::default(),
        ..Meaning::opaque("SELECT", Action::Read, "")
    })
}

fn report(cases: &str) -> Result<Report, Vec<Diagnostic>> {
    let (cases, policies) = sources(cases);
    run(&cases, &policies, &Catalog::default(), &sql)
}

#[test]
fn cases_pass() {
    let report = report(CASES).unwrap();
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
    assert_eq!(report.passed, 7, "does lines are one operation, sql lines one each");
    assert!(report.undecisive.is_empty(), "{:?}", report.undecisive);
}

#[test]
fn failures_say_expected_got_and_why() {
    let cases = CASES
        .replace("expect forward by read", "expect deny by no-cards")
        .replace("expect hold dba", "expect hold owner");
    let report = report(&cases).unwrap();
    let shown: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown[0],
        "x.case:11: planners read: read table public.orders, read column public.orders.id by `planner`\n  \
         expected  deny by no-cards\n  got       forward by read\n  because   permitted by `read`"
    );
    assert!(
        shown[1].contains("expected  hold owner by delete\n  got       hold dba by delete"),
        "{}",
        shown[1]
    );
    assert_eq!(shown.len(), 2);
}

#[test]
fn a_configuration_can_declare_instead() {
    let catalog = Catalog {
        agents: vec![crate::AgentFacts { name: "executor".into(), roles: vec!["planners".into()] }],
        targets: vec![crate::TargetFacts {
            name: "other".into(),
            protocol: "postgres".into(),
            labels: vec!["production".into()],
            tags: Vec::new(),
        }],
    };
    let (cases, policies) =
        sources("case x\nas executor\non other/db\ndoes read table public.x\nexpect forward by read\n");
    let report = run(&cases, &policies, &catalog, &sql).unwrap();
    assert_eq!((report.passed, report.failures.len()), (1, 0), "{:?}", report.failures);
    assert_eq!(report.undecisive.len(), 3);
}

#[test]
fn bad_lines_are_reported_with_their_place() {
    let case = "case x\nas a\non t/d\ndoes read table a.b\nexpect deny\n";
    for (text, line, message) in [
        ("foo bar", 1, "`foo` begins no line"),
        ("does read table a.b", 1, "not within a case"),
        ("case x\n| more", 2, "nothing to go on with"),
        ("case x\nagent y", 2, "`agent` within a case"),
        ("agent", 1, "`agent` lacks something"),
        ("tag t public.x y", 1, "no target `t`"),
        ("case x\nas a b", 2, "`as` takes one thing"),
        ("case x\nwith hour 24", 2, "`24` is no hour"),
        ("case x\nwith colour red", 2, "`red` is no colour"),
        ("case x\ndoes eat table a.b", 2, "`eat table a.b` is no access"),
        ("case x\ndoes read table a.b c", 2, "is no access"),
        ("case x\nexpect maybe", 2, "`maybe` can't be expected"),
        ("case x\nexpect hold", 2, "`hold` can't be expected"),
        ("case x\nexpect deny by", 2, "`by` whom?"),
        ("\ncase x\nas a\non t/d\nexpect deny", 2, "case `x` lacks an operation"),
        ("case x\non t/d\ndoes read table a.b\nexpect deny", 1, "case `x` lacks an agent"),
    ] {
        let problems = report(text).expect_err(text);
        let problem = &problems[0];
        assert_eq!((problem.line, problem.file.as_str()), (line, "x.case"), "{text}: {problem}");
        assert!(problem.message.contains(message), "{text}: {problem}");
        assert!(!problem.help.is_empty(), "{text}: {problem}");
    }
    assert!(report(case).is_ok());
}

#[test]
fn refused_policies_are_reported() {
    let (cases, _) = sources(CASES);
    let policies = [Source { name: "p".into(), text: "permit (principal, action, resource);".into() }];
    assert!(run(&cases, &policies, &Catalog::default(), &sql).is_err());
}
