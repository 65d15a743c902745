//! Measures decisions: plain Cedar over all policies, this engine without its cache, and with it.
//!
//! `cargo run --release -p policy --example decide`. Policies are spread over many agents and targets, as in a real
//! configuration; the operation reads a table and three of its columns, so plain Cedar is asked four times.

use cedar_policy::{
    Authorizer, Context, Entities, EntityUid, PolicySet as Cedar, Request, RestrictedExpression,
};
use policy::{AgentFacts, Asked, Catalog, Effect, Place, PolicySet, Principal, Source, TargetFacts};
use std::error::Error;
use std::hint::black_box;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wire::{Access, Action, Certainty, Facts, Meaning, Resource, ResourceKind};

const AGENTS: usize = 50;
const TARGETS: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    println!("policies   Cedar, all    cold, 4 pairs   cold, 1 pair   cached   cached by content");
    for policies in [10, 100, 1000, 10_000] {
        let text = text(policies);
        let source = Source { name: "bench.cedar".into(), text: text.clone() };
        let set = PolicySet::load(&[source], &catalog()).map_err(|problems| format!("{problems:#?}"))?;
        let (who, at) = (agent(), Place::new("t0".into(), "shop".into()));
        let (four, one) = (Arc::new(meaning(3)), Arc::new(meaning(0)));
        let asked = Asked { who: &who, at: &at, meaning: &four, hour: 12 };
        if set.rule(&asked).effect != Effect::Forward {
            return Err(set.rule(&asked).reason.to_string().into());
        }
        let plain = plain(&text)?;
        let cold_four = time(|| drop(black_box(set.rule_uncached(&asked))));
        let cold_one = time(|| drop(black_box(set.rule_uncached(&Asked { meaning: &one, ..asked }))));
        let cached = time(|| drop(black_box(set.rule(black_box(&asked)))));
        let copies: Vec<_> =
            (0..20_000).map(|n| Arc::new(Meaning { fingerprint: n, ..(*four).clone() })).collect();
        let mut copies = copies.iter().cycle();
        let content = time(|| {
            if let Some(meaning) = copies.next() {
                drop(black_box(set.rule(black_box(&Asked { meaning, ..asked }))));
            }
        });
        println!(
            "{policies:>8}   {plain:>10.1?}    {cold_four:>13.2?}   {cold_one:>12.2?}   {cached:>6.0?}   {content:>17.0?}"
        );
    }
    Ok(())
}

/// The median of 31 rounds, for one call.
fn time(mut call: impl FnMut()) -> Duration {
    let begin = Instant::now();
    let mut calls = 0_u32;
    while begin.elapsed() < Duration::from_millis(20) {
        call();
        calls += 1;
    }
    let mut rounds: Vec<Duration> = (0..31)
        .map(|_| {
            let begin = Instant::now();
            (0..calls.max(1)).for_each(|_| call());
            begin.elapsed() / calls.max(1)
        })
        .collect();
    rounds.sort();
    rounds.get(rounds.len() / 2).copied().unwrap_or_default()
}

fn text(policies: usize) -> String {
    let mut text = String::from(
        "@id(\"base\") permit (principal in Role::\"r0\", action in [Action::\"connect\", Action::\"read\"], \
         resource in Target::\"t0\") when { context.certainty == \"exact\" };\n",
    );
    for n in 1..policies {
        let (agent, target, table) = (n % AGENTS, n / AGENTS % TARGETS, n / 7);
        text += &match n % 5 {
            0 => format!(
                "@id(\"p{n}\") forbid (principal in Role::\"r{agent}\", action == Action::\"read\", \
                 resource == Column::\"t{target}/shop/public/x{table}/secret\");\n"
            ),
            1 => format!(
                "@id(\"p{n}\") permit (principal == Agent::\"a{agent}\", action == Action::\"write\", \
                 resource in Table::\"t{target}/shop/public/x{table}\") when {{ context has filtered && context.filtered }};\n"
            ),
            _ => format!(
                "@id(\"p{n}\") permit (principal in Role::\"r{agent}\", action == Action::\"read\", \
                 resource in Schema::\"t{target}/shop/s{table}\") when {{ context.certainty == \"exact\" }};\n"
            ),
        };
    }
    text
}

fn catalog() -> Catalog {
    Catalog {
        agents: (0..AGENTS)
            .map(|n| AgentFacts { name: format!("a{n}"), roles: vec![format!("r{n}"), "all".into()] })
            .collect(),
        targets: (0..TARGETS)
            .map(|n| TargetFacts {
                name: format!("t{n}"),
                protocol: "postgres".into(),
                labels: vec!["production".into()],
                tags: Vec::new(),
            })
            .collect(),
    }
}

fn agent() -> Principal {
    Principal::new("a0".into(), "/agents/a0".into(), "/usr/bin/python3".into(), "0".repeat(64), 1000)
}

fn meaning(columns: usize) -> Meaning {
    let mut accesses = vec![Access {
        action: Action::Read,
        resource: Resource::new(ResourceKind::Table, &["public", "orders"]),
    }];
    accesses.extend(["id", "customer", "total"].iter().take(columns).map(|column| Access {
        action: Action::Read,
        resource: Resource::new(ResourceKind::Column, &["public", "orders", column]),
    }));
    Meaning {
        accesses: accesses.into(),
        certainty: Certainty::Exact,
        facts: Facts { filtered: None, limit: Some(10), statements: 1 },
        ..Meaning::opaque("SELECT", Action::Read, "")
    }
}

/// Plain Cedar, its entities and requests made ready beforehand: only evaluation is measured.
fn plain(text: &str) -> Result<Duration, Box<dyn Error>> {
    let policies = Cedar::from_str(text)?;
    let json = r#"[
      {"uid": {"type": "Agent", "id": "a0"}, "attrs": {}, "parents": [{"type": "Role", "id": "r0"}, {"type": "Role", "id": "all"}]},
      {"uid": {"type": "Schema", "id": "t0/shop/public"}, "attrs": {}, "parents": [{"type": "Target", "id": "t0"}]},
      {"uid": {"type": "Table", "id": "t0/shop/public/orders"}, "attrs": {}, "parents": [{"type": "Schema", "id": "t0/shop/public"}]},
      {"uid": {"type": "Column", "id": "t0/shop/public/orders/id"}, "attrs": {}, "parents": [{"type": "Table", "id": "t0/shop/public/orders"}]}
    ]"#;
    let entities = Entities::from_json_str(json, None)?;
    let context = Context::from_pairs([
        ("certainty".to_owned(), RestrictedExpression::new_string("exact".to_owned())),
        ("hour".to_owned(), RestrictedExpression::new_long(12)),
    ])?;
    let request = |resource: &str| -> Result<Request, Box<dyn Error>> {
        let (who, what) = (EntityUid::from_str("Agent::\"a0\"")?, EntityUid::from_str("Action::\"read\"")?);
        Ok(Request::new(who, what, EntityUid::from_str(resource)?, context.clone(), None)?)
    };
    let column = "Column::\"t0/shop/public/orders/id\"";
    let requests =
        [request("Table::\"t0/shop/public/orders\"")?, request(column)?, request(column)?, request(column)?];
    let authorizer = Authorizer::new();
    Ok(time(|| {
        for request in &requests {
            drop(black_box(authorizer.is_authorized(request, &policies, &entities)));
        }
    }))
}
