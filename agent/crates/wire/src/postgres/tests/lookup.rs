//! Lookups of the search path: which requests wait for one, and that the client notices none of it.

use super::script::*;
use crate::fuzz::Bench;
use crate::{Certainty, ResourceKind, Side, Verdict};

const PATH: &str = "{pg_catalog,sales}";
const SELECT: &str = "select id from orders";

/// In a transaction whose search path was changed, with nothing outstanding and nothing looked up.
fn moved() -> Bench {
    let mut bench = logged_in();
    simple(&mut bench, "begin", "BEGIN", b'T');
    simple(&mut bench, "set local search_path = sales", "SET", b'T');
    assert_eq!(lookups(&bench), 0);
    bench.seen = crate::fuzz::Transcript::default();
    bench
}

/// A simple query, permitted and replied to.
fn simple(bench: &mut Bench, text: &str, tag: &str, status: u8) {
    forward(bench, &query(text));
    bench.data(Side::Server, &[complete(tag), ready(status)].concat());
}

fn lookups(bench: &Bench) -> usize {
    memchr::memmem::find_iter(&bench.seen.to_server, "current_schemas").count()
}

/// The types of the messages that one side got, in order.
fn kinds(mut bytes: &[u8]) -> String {
    let mut kinds = String::new();
    while let Some(&kind) = bytes.first() {
        kinds.push(char::from(kind));
        bytes = &bytes[1 + usize::try_from(i32::from_be_bytes(bytes[1..5].try_into().unwrap())).unwrap()..];
    }
    kinds
}

fn tables(bench: &Bench) -> Vec<String> {
    let op = bench.held().expect("nothing is asked").op();
    let tables = op.meaning.accesses.iter().filter(|access| access.resource.kind == ResourceKind::Table);
    tables.map(|access| access.resource.to_string()).collect()
}

#[test]
fn the_isolation_level_can_be_set_after_the_search_path() {
    let mut bench = moved();
    let level = "set transaction isolation level serializable";
    simple(&mut bench, level, "SET", b'T');
    forward(&mut bench, &[parse("", level), bind("", "", &[]), execute(""), sync()].concat());
    bench
        .data(Side::Server, &[message(b'1', &[]), message(b'2', &[]), complete("SET"), ready(b'T')].concat());
    assert_eq!(kinds(&bench.seen.to_server), "QPBES", "nothing of ours");
    assert_eq!(kinds(&bench.seen.to_client), "CZ12CZ");
    bench.data(Side::Client, &query(SELECT));
    assert!(bench.held().is_none() && !bench.wants(Side::Client), "it waits for the lookup");
    assert_eq!(lookups(&bench), 1);
    bench.data(Side::Server, &looked_up_in(PATH, b'T'));
    assert_eq!(tables(&bench), ["table sales.orders"]);
    assert_eq!(bench.held().unwrap().op().meaning.certainty, Certainty::Exact);
    bench.answer(Verdict::Forward);
    bench.data(Side::Server, &[complete("SELECT 0"), ready(b'T')].concat());
    assert_eq!(kinds(&bench.seen.to_client), "CZ12CZCZ", "one ReadyForQuery for each Query and Sync");
    assert!(bench.wants(Side::Client) && bench.seen.error.is_none());
}

#[test]
fn only_what_takes_no_snapshot_and_resolves_nothing_goes_without_a_lookup() {
    for text in [
        "begin",
        "commit",
        "rollback",
        "rollback to a",
        "savepoint a",
        "release a",
        "set timezone = 'utc'",
        "show timezone",
        "set constraints all deferred",
        "lock table public.orders",
        "notify a",
        "set local lock_timeout = 5; set transaction isolation level repeatable read",
        "commit; begin",
        "",
    ] {
        let mut bench = moved();
        bench.data(Side::Client, &query(text));
        assert!(bench.held().is_some() && lookups(&bench) == 0, "{text}");
    }
    for text in [
        SELECT,
        "select 1",
        "select now()",
        "lock table orders",
        "prepare s as select * from public.orders",
        "declare c cursor for select * from public.orders",
        "execute s",
        "fetch c",
        "set a.b = 'x\\'",
        // Exact without a path, since it sets one; but not the same where `$user` or temporary tables exist.
        "set search_path = \"$user\", public; select * from t",
        "set search_path = \"$user\"; lock table t",
        "create schema s create table t (n int)",
        "do 'begin end'",
        "not sql",
    ] {
        let mut bench = moved();
        bench.data(Side::Client, &query(text));
        assert!(bench.held().is_none() && lookups(&bench) == 1, "{text}");
        bench.data(Side::Server, &looked_up_in(PATH, b'T'));
        assert!(bench.held().is_some(), "{text}");
    }
}

#[test]
fn a_bind_waits_by_what_its_statement_may_mean() {
    for (text, waits) in [(SELECT, true), ("set timezone = 'utc'", false), ("savepoint a", true)] {
        let mut bench = logged_in();
        forward(&mut bench, &[parse("s", text), sync()].concat());
        bench.data(Side::Server, &[message(b'1', &[]), ready(b'I')].concat());
        simple(&mut bench, "begin", "BEGIN", b'T');
        simple(&mut bench, "set local search_path = sales", "SET", b'T');
        bench.data(Side::Client, &bind("", "s", &[]));
        assert_eq!((lookups(&bench), bench.held().is_none()), (usize::from(waits), waits), "{text}");
    }
    let mut bench = moved();
    bench.data(Side::Client, &bind("", "unseen", &[]));
    assert_eq!(lookups(&bench), 1, "what was not seen being prepared may be anything");
}

#[test]
fn close_describe_and_execute_wait_for_what_comes_after_them() {
    let open = [close('S', "old"), describe('S', "s"), close('P', "p")].concat();
    let mut bench = moved();
    forward(&mut bench, &open);
    assert!(bench.seen.to_server.is_empty() && bench.wants(Side::Client), "not known yet");
    forward(&mut bench, &sync());
    assert_eq!(kinds(&bench.seen.to_server), "CDCS");

    let mut bench = moved();
    bench.data(Side::Client, &[open, parse("", SELECT)].concat());
    assert_eq!((lookups(&bench), kinds(&bench.seen.to_server).as_str()), (1, "CPBECCS"));
    bench.data(Side::Server, &looked_up_in(PATH, b'T'));
    assert_eq!(tables(&bench), ["table sales.orders"]);
    assert_eq!(kinds(&bench.seen.to_server), "CPBECCSCDC");

    let mut bench = moved();
    forward(&mut bench, &close('S', "old").repeat(1_000));
    assert_eq!(lookups(&bench), 1, "no endless looking ahead");
}

#[test]
fn a_second_query_waits_behind_the_one_that_waits() {
    let mut bench = moved();
    bench.data(Side::Client, &[query(SELECT), query("drop table orders")].concat());
    assert!(bench.held().is_none());
    bench.data(Side::Server, &looked_up_in(PATH, b'T'));
    assert_eq!(tables(&bench), ["table sales.orders"]);
    bench.answer(Verdict::Forward);
    assert_eq!(tables(&bench), ["table sales.orders"]);
    bench.answer(Verdict::Forward);
    assert_eq!((lookups(&bench), kinds(&bench.seen.to_server).as_str()), (1, "CPBECCSQQ"));
    let replies = [complete("SELECT 0"), ready(b'T'), complete("DROP TABLE"), ready(b'T')].concat();
    bench.data(Side::Server, &replies);
    assert_eq!(bench.seen.to_client, replies);
}

#[test]
fn a_query_sent_ahead_of_the_change_of_path_is_read_by_the_new_one() {
    let mut bench = logged_in();
    simple(&mut bench, "begin", "BEGIN", b'T');
    forward(&mut bench, &[query("set local search_path = sales"), query(SELECT)].concat());
    assert_eq!((lookups(&bench), bench.seen.asked.len()), (0, 2), "it waits");
    bench.data(Side::Server, &[complete("SET"), ready(b'T')].concat());
    assert_eq!(lookups(&bench), 1);
    bench.data(Side::Server, &looked_up_in(PATH, b'T'));
    assert_eq!(tables(&bench), ["table sales.orders"]);
}

#[test]
fn a_lookup_leaves_the_clients_unnamed_statement_alone() {
    let mut bench = logged_in();
    let set = [parse("", "set search_path = sales"), bind("", "", &[]), execute(""), sync()].concat();
    forward(&mut bench, &set);
    bench.seen = crate::fuzz::Transcript::default();
    bench
        .data(Side::Server, &[message(b'1', &[]), message(b'2', &[]), complete("SET"), ready(b'I')].concat());
    assert_eq!(kinds(&bench.seen.to_server), "CPBECCS", "no simple query");
    assert_eq!(kinds(&bench.seen.to_client), "12C", "not told yet");
    bench.data(Side::Server, &looked_up(PATH));
    assert_eq!(kinds(&bench.seen.to_client), "12CZ");
    bench.data(Side::Client, &bind("", "", &[]));
    let meaning = &bench.held().unwrap().op().meaning;
    assert_eq!((&*meaning.verb, meaning.certainty), ("SET", Certainty::Exact));
}

#[test]
fn a_portal_stays_open_over_a_lookup() {
    let mut bench = moved();
    forward(&mut bench, &[parse("", "set timezone = 'utc'"), bind("p", "", &[]), sync()].concat());
    bench.data(Side::Server, &[message(b'1', &[]), message(b'2', &[]), ready(b'T')].concat());
    bench.data(Side::Client, &query(SELECT));
    bench.data(Side::Server, &looked_up_in(PATH, b'T'));
    bench.answer(Verdict::Forward);
    bench.data(Side::Server, &[complete("SELECT 0"), ready(b'T')].concat());
    let asked = bench.seen.asked.len();
    forward(&mut bench, &[execute("p"), sync()].concat());
    assert_eq!(bench.seen.asked.len(), asked, "it was decided when it was bound");
    assert!(bench.seen.to_server.ends_with(&[execute("p"), sync()].concat()));
}

#[test]
fn a_portal_that_sets_the_path_needs_none_to_be_executed() {
    let mut bench = logged_in();
    simple(&mut bench, "begin", "BEGIN", b'T');
    forward(&mut bench, &[parse("", "set local search_path = sales"), bind("", "", &[]), sync()].concat());
    bench.data(Side::Server, &[message(b'1', &[]), message(b'2', &[]), ready(b'T')].concat());
    forward(&mut bench, &[execute(""), sync()].concat());
    bench.data(Side::Server, &[complete("SET"), ready(b'T')].concat());
    assert_eq!(lookups(&bench), 0);
    bench.data(Side::Client, &query(SELECT));
    assert_eq!((lookups(&bench), bench.held().is_none()), (1, true));
}

#[test]
fn a_lookup_that_fails_the_transaction_is_told_by_the_next_reply() {
    let mut bench = moved();
    bench.data(Side::Client, &query(SELECT));
    bench.data(Side::Server, &[message(b'3', &[]), error("57014", "canceled"), ready(b'E')].concat());
    assert!(bench.seen.to_client.is_empty());
    assert_eq!(bench.held().unwrap().op().meaning.certainty, Certainty::Partial);
    bench.answer(Verdict::Forward);
    bench.data(Side::Server, &[error("25P02", "aborted"), ready(b'E')].concat());
    assert_eq!(kinds(&bench.seen.to_client), "EZ");
    forward(&mut bench, &query("rollback"));
    bench.data(Side::Server, &[complete("ROLLBACK"), ready(b'I')].concat());
    assert_eq!(lookups(&bench), 2, "looked up again at its end");
    bench.data(Side::Server, &looked_up("{pg_catalog,public}"));
    assert_eq!(kinds(&bench.seen.to_client), "EZCZ");
    bench.data(Side::Client, &query(SELECT));
    assert_eq!(tables(&bench), ["table public.orders"]);
}

#[test]
fn a_path_that_nobody_asked_for_in_the_transaction_is_looked_up_at_its_end() {
    let mut bench = moved();
    simple(&mut bench, "commit", "COMMIT", b'I');
    assert_eq!((lookups(&bench), kinds(&bench.seen.to_client).as_str()), (1, "C"));
    bench.data(Side::Server, &looked_up(PATH));
    assert_eq!(kinds(&bench.seen.to_client), "CZ");
    bench.data(Side::Client, &query(SELECT));
    assert_eq!(tables(&bench), ["table sales.orders"]);
}

#[test]
fn the_clients_bytes_may_come_one_by_one() {
    let mut bench = moved();
    for byte in [close('S', "old"), parse("", SELECT)].concat() {
        assert_eq!(lookups(&bench), 0);
        bench.data(Side::Client, &[byte]);
    }
    assert_eq!(lookups(&bench), 1);
    for byte in looked_up_in(PATH, b'T') {
        bench.data(Side::Server, &[byte]);
    }
    assert_eq!(tables(&bench), ["table sales.orders"]);
    assert!(bench.seen.to_client.is_empty());
}
