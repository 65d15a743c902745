//! The sliced and cached engine against plain Cedar over all policies, for random policies and requests.
//!
//! The oracle makes its requests and entities on its own, from the schema and Cedar's JSON formats, with the schema's
//! validation on, and evaluates every policy. Its only rule of its own is the one that Cedar does not have: an
//! error in any policy denies.
#![expect(clippy::string_slice, reason = "a test's own text; a panic is how a test fails")]

use super::*;
use cedar_policy::{Context, Decision, Entities, EntityUid, PolicySet as Cedar, Request, Schema};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::cell::Cell;
use std::str::FromStr as _;

const AGENTS: [(&str, &[&str]); 4] =
    [("a0", &[]), ("a1", &["r0"]), ("a2", &["r1", "r2"]), ("a3", &["r0", "r1"])];
const TARGETS: [(&str, &str, &[&str]); 3] =
    [("t0", "p0", &["l0"]), ("t1", "p1", &[]), ("t/2", "p0", &["l0", "l1"])];
const TAGS: [(&str, &[&str]); 3] = [("s0.x0", &["g0"]), ("s0.x0.c0", &["g1"]), ("s1.x1.c1", &["g0", "g1"])];

fn catalog() -> Catalog {
    let owned = |list: &[&str]| list.iter().map(|item| (*item).to_owned()).collect::<Vec<String>>();
    Catalog {
        agents: AGENTS
            .iter()
            .map(|(name, roles)| AgentFacts { name: (*name).into(), roles: owned(roles) })
            .collect(),
        targets: TARGETS
            .iter()
            .map(|(name, protocol, labels)| TargetFacts {
                name: (*name).into(),
                protocol: (*protocol).into(),
                labels: owned(labels),
                tags: TAGS.iter().map(|(named, tags)| ((*named).into(), owned(tags))).collect(),
            })
            .collect(),
    }
}

fn one_of(items: &[&str]) -> impl Strategy<Value = String> + use<> {
    prop::sample::select(items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>())
}

/// An entity literal of a resource type, as policies write it.
fn resource_literal() -> impl Strategy<Value = String> {
    let part = |prefix: &'static str| (0..2u8).prop_map(move |n| format!("{prefix}{n}"));
    let target = one_of(&["t0", "t1", "t%2F2", "t9"]);
    let escaped = (0..9u8, target, part("d"), part("s"), part("x"), part("c"));
    escaped.prop_map(|(kind, t, d, s, x, c)| match kind {
        0 => format!("Label::\"l{}\"", d.len() % 2),
        1 => format!("Protocol::\"{}\"", d.replace('d', "p")),
        2 => format!("Target::\"{t}\""),
        3 => format!("Database::\"{t}/{d}\""),
        4 => format!("Schema::\"{t}/{d}/{s}\""),
        5 => format!("Table::\"{t}/{d}/{s}/{x}\""),
        6 => format!("Column::\"{t}/{d}/{s}/{x}/{c}\""),
        7 => format!("Routine::\"{t}/{d}/{s}/{x}\""),
        _ => format!("Name::\"{t}/{s}/{x}\""),
    })
}

fn principal() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("principal".to_owned()),
        Just("principal is Agent".to_owned()),
        one_of(&["a0", "a1", "a2", "a9"]).prop_map(|agent| format!("principal == Agent::\"{agent}\"")),
        one_of(&["a0", "a1"]).prop_map(|agent| format!("principal in Agent::\"{agent}\"")),
        one_of(&["r0", "r1", "r2", "r9"]).prop_map(|role| format!("principal in Role::\"{role}\"")),
        one_of(&["r0", "r1"]).prop_map(|role| format!("principal is Agent in Role::\"{role}\"")),
    ]
}

fn action() -> impl Strategy<Value = String> {
    let name = || one_of(&["connect", "read", "write", "delete", "execute", "define", "admin"]);
    prop_oneof![
        Just("action".to_owned()),
        name().prop_map(|name| format!("action == Action::\"{name}\"")),
        name().prop_map(|name| format!("action in Action::\"{name}\"")),
        (name(), name()).prop_map(|(one, two)| format!("action in [Action::\"{one}\", Action::\"{two}\"]")),
    ]
}

fn resource() -> impl Strategy<Value = String> {
    let kind = || one_of(&["Target", "Database", "Schema", "Table", "Column", "Routine", "Name"]);
    prop_oneof![
        2 => Just("resource".to_owned()),
        2 => kind().prop_map(|kind| format!("resource is {kind}")),
        3 => resource_literal().prop_map(|uid| format!("resource == {uid}")),
        6 => resource_literal().prop_map(|uid| format!("resource in {uid}")),
        3 => (kind(), resource_literal()).prop_map(|(kind, uid)| format!("resource is {kind} in {uid}")),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    let fact = one_of(&[
        "context.certainty == \"exact\"",
        "context has filtered && context.filtered",
        "context has limit && context.limit < 100",
        "context.hour < 12",
        "context.statements == 1",
        "context has task && context.task == Task::\"T1\"",
        "principal.uid == 0",
        "principal has container && principal.container like \"c*\"",
        "principal in Role::\"r1\"",
        "resource is Table && resource.tags.contains(\"g0\")",
        "resource is Column && resource.tags.contains(\"g1\")",
        "resource is Table && resource.schema == \"s0\"",
        "resource is Name && resource.kind == \"s1\"",
        "context.approvals.contains(\"dba\")",
        "9223372036854775807 + context.statements > 0",
        "Target::\"t0\".labels.contains(\"l0\")",
        "Target::\"t9\".labels.contains(\"l0\")",
        "Table::\"t0/d0/s0/x0\".tags.contains(\"g0\") && Table::\"t0/d0/s0/x0\" in Target::\"t0\"",
    ]);
    (any::<bool>(), fact)
        .prop_map(|(when, fact)| format!("{} {{ {fact} }}", if when { "when" } else { "unless" }))
}

fn policy() -> impl Strategy<Value = String> {
    let effect = prop_oneof![3 => Just("permit"), 1 => Just("forbid")];
    let conditions = prop::collection::vec(condition(), 0..3);
    (effect, principal(), action(), resource(), conditions).prop_map(
        |(effect, principal, action, resource, conditions)| {
            format!("{effect} ({principal}, {action}, {resource}) {};", conditions.join(" "))
        },
    )
}

#[derive(Clone, Debug)]
struct Case {
    agent: &'static str,
    task: Option<String>,
    container: Option<String>,
    uid: u32,
    target: &'static str,
    database: String,
    meaning: Meaning,
    hour: u8,
}

fn accesses() -> impl Strategy<Value = Vec<Access>> {
    let kinds = [
        ResourceKind::Target,
        ResourceKind::Database,
        ResourceKind::Schema,
        ResourceKind::Table,
        ResourceKind::Column,
        ResourceKind::Routine,
        ResourceKind::Name,
    ];
    let path = (0..2u8, 0..2u8, prop_oneof![Just("c0"), Just("c1"), Just("*")]);
    let one =
        (prop::sample::select(crate::kind::ACTIONS.to_vec()), prop::sample::select(kinds.to_vec()), path);
    let one = one.prop_map(|(action, kind, (s, x, c))| {
        let (s, x) = (format!("s{s}"), format!("x{x}"));
        let path: &[&str] = match kind {
            ResourceKind::Target | ResourceKind::Database => &[],
            ResourceKind::Schema => &[&s],
            ResourceKind::Table | ResourceKind::Routine | ResourceKind::Name => &[&s, &x],
            ResourceKind::Column => &[&s, &x, c],
        };
        access(action, kind, path)
    });
    prop::collection::vec(one, 1..4)
}

fn case() -> impl Strategy<Value = Case> {
    let agent = prop::sample::select(AGENTS.iter().map(|(name, _)| *name).chain(["a9"]).collect::<Vec<_>>());
    let target = prop::sample::select(TARGETS.iter().map(|(name, ..)| *name).collect::<Vec<_>>());
    let who =
        (agent, prop::option::of(one_of(&["T1", "T2"])), prop::option::of(one_of(&["c1", "x"])), 0..2u32);
    let certainty =
        prop::sample::select(vec![Certainty::Exact, Certainty::Exact, Certainty::Partial, Certainty::Opaque]);
    let facts = (any::<Option<bool>>(), prop::option::of(50..150i64), 1..3u32, certainty, 11..13u8);
    (who, target, 0..2u8, accesses(), facts).prop_map(|(who, target, database, accesses, facts)| {
        let (filtered, limit, statements, certainty, hour) = facts;
        let facts = Facts { filtered, limit, statements };
        let meaning = Meaning { certainty, facts, ..meaning(accesses) };
        let (agent, task, container, uid) = who;
        Case { agent, task, container, uid, target, database: format!("d{database}"), meaning, hour }
    })
}

/// Plain Cedar.
struct Oracle {
    schema: Schema,
    policies: Cedar,
    columns: Vec<String>,
}

fn entity(kind: &str, id: &str, attrs: Value, parents: &[(&str, String)]) -> Value {
    let parents: Vec<Value> = parents.iter().map(|(kind, id)| json!({"type": kind, "id": id})).collect();
    json!({"uid": {"type": kind, "id": id}, "attrs": attrs, "parents": parents})
}

/// Every resource there can be, with its attributes and direct parents; Cedar computes the rest.
fn world() -> Vec<Value> {
    let mut all = Vec::new();
    for (name, protocol, labels) in TARGETS {
        let t = name.replace('/', "%2F");
        let mut parents = vec![("Protocol", protocol.to_owned())];
        parents.extend(labels.iter().map(|label| ("Label", (*label).to_owned())));
        all.push(entity("Target", &t, json!({"protocol": protocol, "labels": labels}), &parents));
        for s in ["s0", "s1"] {
            all.push(entity(
                "Name",
                &format!("{t}/{s}"),
                json!({"kind": s, "name": ""}),
                &[("Target", t.clone())],
            ));
            for x in ["x0", "x1"] {
                let name = json!({"kind": s, "name": x});
                all.push(entity("Name", &format!("{t}/{s}/{x}"), name, &[("Name", format!("{t}/{s}"))]));
            }
        }
        for d in ["d0", "d1"] {
            let database = format!("{t}/{d}");
            all.push(entity("Database", &database, json!({"name": d}), &[("Target", t.clone())]));
            for s in ["s0", "s1"] {
                let schema = format!("{database}/{s}");
                all.push(entity("Schema", &schema, json!({"name": s}), &[("Database", database.clone())]));
                for x in ["x0", "x1"] {
                    tables(&mut all, &schema, s, x);
                }
            }
        }
    }
    all
}

fn tables(all: &mut Vec<Value>, schema: &str, s: &str, x: &str) {
    let tags = |named: &str| {
        TAGS.iter().find(|(tagged, _)| *tagged == named).map_or(&[][..], |(_, tags)| tags).to_vec()
    };
    let id = format!("{schema}/{x}");
    let own = tags(&format!("{s}.{x}"));
    all.push(entity(
        "Table",
        &id,
        json!({"schema": s, "name": x, "tags": own}),
        &[("Schema", schema.to_owned())],
    ));
    all.push(entity("Routine", &id, json!({"schema": s, "name": x}), &[("Schema", schema.to_owned())]));
    for c in ["c0", "c1", "*"] {
        let mut both = own.clone();
        both.extend(tags(&format!("{s}.{x}.{c}")));
        let attrs = json!({"schema": s, "table": x, "tags": both});
        all.push(entity("Column", &format!("{id}/{c}"), attrs, &[("Table", id.clone())]));
    }
}

impl Oracle {
    fn new(text: &str) -> Self {
        let columns = ["t0", "t1", "t%2F2"].iter().flat_map(|t| {
            let all = ["d0", "d1"].iter().flat_map(move |d| ["s0", "s1"].map(|s| format!("{t}/{d}/{s}")));
            all.flat_map(|schema| ["x0/c0", "x0/c1", "x1/c0", "x1/c1"].map(|rest| format!("{schema}/{rest}")))
        });
        // A column that neither a policy nor a tag names is like `*`: adding all of them changes nothing.
        Self {
            schema: Schema::from_str(crate::SCHEMA).unwrap(),
            policies: Cedar::from_str(text).unwrap(),
            columns: columns.collect(),
        }
    }

    fn permits(&self, case: &Case, approvals: &[&str]) -> bool {
        let mut entities = world();
        let roles = AGENTS.iter().find(|(name, _)| *name == case.agent).map_or(&[][..], |(_, roles)| roles);
        let parents: Vec<_> = roles.iter().map(|role| ("Role", (*role).to_owned())).collect();
        let mut attrs = json!({"unit": "u", "exe": "e", "exe_hash": "h", "uid": case.uid});
        if let Some(container) = &case.container {
            attrs["container"] = json!(container);
        }
        entities.push(entity("Agent", case.agent, attrs, &parents));
        let entities = Entities::from_json_value(Value::Array(entities), Some(&self.schema)).unwrap();
        let facts = &case.meaning.facts;
        let mut context = json!({
            "certainty": case.meaning.certainty.name(), "approvals": approvals,
            "hour": case.hour, "statements": facts.statements,
        });
        facts.filtered.inspect(|is| context["filtered"] = json!(is));
        facts.limit.inspect(|rows| context["limit"] = json!(rows));
        case.task.iter().for_each(|task| context["task"] = json!({"__entity": {"type": "Task", "id": task}}));
        case.meaning.accesses.iter().all(|access| self.pair(case, access, &entities, &context))
    }

    fn pair(&self, case: &Case, access: &Access, entities: &Entities, context: &Value) -> bool {
        let t = case.target.replace('/', "%2F");
        let path = access.resource.path.join("/");
        let id = match access.resource.kind {
            ResourceKind::Target => t,
            ResourceKind::Database => format!("{t}/{}", case.database),
            ResourceKind::Name => format!("{t}/{path}"),
            _ => format!("{t}/{}/{path}", case.database),
        };
        let name = access.resource.kind.name();
        let kind = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        let mut ids = vec![id.clone()];
        if let (ResourceKind::Column, Some(table)) = (access.resource.kind, id.strip_suffix('*')) {
            ids.extend(self.columns.iter().filter(|column| column.starts_with(table)).cloned());
        }
        ids.iter().all(|id| self.one(case, access.action, &format!("{kind}::{id:?}"), entities, context))
    }

    fn one(&self, case: &Case, action: Action, resource: &str, entities: &Entities, context: &Value) -> bool {
        let uid = |text: &str| EntityUid::from_str(text).unwrap();
        let action = uid(&format!("Action::{:?}", action.name()));
        let Ok(context) = Context::from_json_value(context.clone(), Some((&self.schema, &action))) else {
            return false;
        };
        let principal = uid(&format!("Agent::{:?}", case.agent));
        let Ok(request) = Request::new(principal, action, uid(resource), context, Some(&self.schema)) else {
            return false; // no such pair in the schema
        };
        let response = Authorizer::new().is_authorized(&request, &self.policies, entities);
        response.diagnostics().errors().next().is_none() && response.decision() == Decision::Allow
    }
}

/// Many policies at once: a dozen, of which a case meets several. Half of the sets permit nearly everything, or would
/// with an approval, so that it is the others that decide.
fn policies() -> impl Strategy<Value = Vec<String>> {
    let broad = prop::sample::select(vec![
        "",
        "",
        "permit (principal, action, resource);",
        "permit (principal, action, resource) when { context.approvals.contains(\"dba\") };",
    ]);
    (broad, prop::collection::vec(policy(), 1..14)).prop_map(|(broad, mut policies)| {
        if !broad.is_empty() {
            policies.insert(policies.len() / 2, broad.to_owned());
        }
        policies
    })
}

/// How often each answer came: a comparison in which nothing is ever permitted would compare nothing.
#[derive(Debug, Default)]
struct Coverage {
    forwarded: Cell<u32>,
    held: Cell<u32>,
    refused: Cell<u32>,
}

impl Coverage {
    fn count(&self, effect: &Effect) {
        let counter = match effect {
            Effect::Forward => &self.forwarded,
            Effect::Hold { .. } => &self.held,
            Effect::Deny => &self.refused,
        };
        counter.set(counter.get() + 1);
    }
}

#[test]
fn equals_plain_cedar() {
    let coverage = Coverage::default();
    let config = ProptestConfig { cases: 300, max_shrink_iters: 2_000, ..ProptestConfig::default() };
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..config });
    let strategy = (policies(), prop::collection::vec(case(), 1..8));
    runner.run(&strategy, |(policies, cases)| compare(&policies, &cases, &coverage)).unwrap();
    let Coverage { forwarded, held, refused } = &coverage;
    assert!(forwarded.get().min(held.get()) >= 30 && refused.get() >= 300, "{coverage:?}");
}

fn compare(policies: &[String], cases: &[Case], coverage: &Coverage) -> Result<(), TestCaseError> {
    let text: String =
        policies.iter().enumerate().map(|(n, policy)| format!("@id(\"p{n}\") {policy}\n")).collect();
    let source = Source { name: "random.cedar".into(), text: text.clone() };
    let Ok(set) = PolicySet::load(&[source], &catalog()) else {
        // Strict validation refuses some combinations, such as an action that can't be applied.
        return Err(TestCaseError::reject("invalid policies"));
    };
    let oracle = Oracle::new(&text);
    for case in cases {
        let who = Principal::new(case.agent.into(), "u".into(), "e".into(), "h".into(), case.uid)
            .in_container(case.container.clone())
            .on_task(case.task.clone());
        let at = Place::new(case.target.into(), case.database.as_str().into());
        let meaning = Arc::new(case.meaning.clone());
        let asked = Asked { who: &who, at: &at, meaning: &meaning, hour: case.hour };
        let expected = oracle.permits(case, &[]);
        let (fresh, near) = (set.rule(&asked), set.rule(&asked));
        let other = Arc::new(Meaning { fingerprint: 7, ..case.meaning.clone() });
        let far = set.rule(&Asked { meaning: &other, ..asked });
        for ruling in [&fresh, &near, &far] {
            prop_assert_eq!(
                ruling.effect == Effect::Forward,
                expected,
                "{}\n{:?}\n{:?}",
                text,
                case,
                ruling.reason
            );
        }
        coverage.count(&fresh.effect);
        if let Effect::Hold { groups } = &fresh.effect {
            let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
            prop_assert!(oracle.permits(case, &groups), "held for {:?}\n{}\n{:?}", groups, text, case);
        }
    }
    Ok(())
}
