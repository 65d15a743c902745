//! The same question gets the same rows from both.

use super::*;
use audit::Verdict;
use std::path::PathBuf;

/// A spool and a database with the same rows.
fn both() -> (SinkConfig, PathBuf, tempfile::TempDir) {
    let config = config(server(), "questions");
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    for number in 0..500 {
        let mut row = row(number);
        if number % 5 == 0 {
            row.verdict = Verdict::Deny;
            row.statement = "DROP TABLE Orders_2".to_owned();
            row.resources = std::sync::Arc::from(["table public.Customers".into(), "column a%b".into()]);
        }
        spool.record(row).unwrap();
    }
    odd_rows().into_iter().for_each(|row| spool.record(row).unwrap());
    ship(&config, &spool);
    (config, dir.path().to_owned(), dir)
}

#[test]
fn both_stores_answer_alike() {
    let (config, dir, _kept) = both();
    let text = |text: &str| Filter { text: Some(text.to_owned()), ..Filter::default() };
    let agent = |agent: &str| Filter { agent: Some(agent.to_owned()), ..Filter::default() };
    let resource = |resource: &str| Filter { resource: Some(resource.to_owned()), ..Filter::default() };
    let time = 1_770_000_000_000_000;
    let questions = [
        (Filter::default(), 508),
        (Filter { newest_first: true, limit: Some(7), ..Filter::default() }, 7),
        (Filter { limit: Some(3), ..agent("planner") }, 3),
        (agent("executor"), 250 + 4),
        (agent("häuptling 𓀀 \u{202e}"), 1),
        (Filter { verdict: Some(Verdict::Deny), newest_first: true, ..Filter::default() }, 100),
        (Filter { action: Some(wire::Action::Define), ..Filter::default() }, 1),
        (Filter { since: Some(time + 60_000_000), until: Some(time + 120_000_000), ..Filter::default() }, 2),
        (
            Filter {
                session: Some(row(1).subject.session),
                target: Some("shop-db".to_owned()),
                user: Some("app".to_owned()),
                ..Filter::default()
            },
            508,
        ),
        (Filter { session: Some(audit::Uuid::nil()), ..Filter::default() }, 0),
        (text("drop table orders_"), 100),
        (text("orders%2"), 0),
        (text("from ORDERS where"), 400 + 5),
        (text("naïve"), 1),
        (text("NAÏVE"), 0),
        (text("\\N \\ \0"), 1),
        (text("'\\''"), 1),
        (text("\r\n\t"), 1),
        (text("?"), 1),
        (text(""), 508),
        (text("xxxxxxxxxx"), 1),
        (resource("PUBLIC.customers"), 100),
        (resource("a%b"), 100),
        (resource("a_b"), 0),
        (resource("t299"), 1),
        // Whoever tries to get out of the quotes only looks for odd names.
        (agent("x' OR 1 = 1 --"), 0),
        (agent("planner\\"), 0),
        (agent("{agent:String}"), 0),
        (text("') OR 1 = 1 --"), 0),
    ];
    for (filter, count) in questions {
        let (ours, theirs) = (in_spool(&dir, &filter), in_clickhouse(&config, &filter));
        assert_eq!(ours.len(), count, "{filter:?}");
        assert!(ours == theirs, "{filter:?}: {} and {}", ours.len(), theirs.len());
    }
}

#[test]
fn a_question_can_be_left_early() {
    let config = config(server(), "left_early");
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    (0..20_000).for_each(|number| spool.record(row(number % 1_000)).unwrap());
    ship(&config, &spool);
    let mut seen = 0;
    let asked = runtime().block_on(sink::query(&config, &Filter::default(), &mut |_| {
        seen += 1;
        if seen < 10 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }));
    asked.unwrap();
    assert_eq!(seen, 10);
}

#[test]
fn a_database_that_is_not_there_is_told() {
    let config = config(server(), "nowhere");
    let error = runtime()
        .block_on(sink::query(&config, &Filter::default(), &mut |_| ControlFlow::Continue(())))
        .unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}
