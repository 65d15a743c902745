//! A refused operation: nothing of it reaches the target, and client and target stay in step.

use super::script::*;
use crate::fuzz::Bench;
use crate::postgres::reply::{MUST_FAIL, query as stand_in};
use crate::{Side, Verdict};

const FAILED: &str = "syntax error at or near \"interlock\"";

fn fails(status: u8) -> Vec<u8> {
    [error("42601", FAILED), ready(status)].concat()
}

#[test]
fn a_refused_query_is_replaced_by_one_that_must_fail() {
    let mut bench = logged_in();
    refuse(&mut bench, &query("delete from customers"), "customers");
    assert_eq!(bench.seen.to_server, stand_in(MUST_FAIL));
    bench.data(Side::Server, &fails(b'I'));
    assert!(contains(&bench.seen.to_client, "42501") && !contains(&bench.seen.to_client, FAILED));
    assert!(bench.seen.to_client.ends_with(&ready(b'I')));
    assert!(bench.seen.done.is_empty(), "a refused operation never ran");
    forward(&mut bench, &query("select 1"));
    assert!(bench.seen.to_server.ends_with(&query("select 1")), "the session goes on");
}

#[test]
fn a_refused_parse_skips_to_the_sync_as_the_target_does() {
    let mut bench = logged_in();
    let pipeline = [parse("", "delete from customers"), bind("", "", &[]), execute(""), sync()].concat();
    refuse(&mut bench, &pipeline, "customers");
    assert_eq!(bench.seen.asked.len(), 1, "what is skipped is not asked");
    assert!(!contains(&bench.seen.to_server, "customers"));
    assert!(bench.seen.to_server.ends_with(&sync()));
    bench.data(Side::Server, &fails(b'I'));
    assert!(contains(&bench.seen.to_client, "42501"));
    let again = [parse("", "select 1"), bind("", "", &[]), execute(""), sync()].concat();
    forward(&mut bench, &again);
    assert!(bench.seen.to_server.ends_with(&again));
}

#[test]
fn an_earlier_failure_in_the_pipeline_comes_before_the_refusal() {
    let mut bench = logged_in();
    let pipeline =
        [parse("", "select bad"), bind("", "", &[]), execute(""), parse("", "delete from customers"), sync()];
    refuse(&mut bench, &pipeline.concat(), "customers");
    bench.data(Side::Server, &[error("42703", "column \"bad\" does not exist"), ready(b'I')].concat());
    assert!(contains(&bench.seen.to_client, "42703") && !contains(&bench.seen.to_client, "42501"));
    assert_eq!(bench.seen.done.len(), 1, "the bound operation ended");
}

#[test]
fn refusals_keep_their_place_among_replies() {
    let mut bench = logged_in();
    refuse(
        &mut bench,
        &[query("select 1"), query("drop table customers"), query("select 2")].concat(),
        "customers",
    );
    let one = [message(b'T', &[0, 0]), row(&["1"]), complete("SELECT 1"), ready(b'I')].concat();
    bench.data(Side::Server, &[one.clone(), fails(b'I'), one].concat());
    let text = String::from_utf8_lossy(&bench.seen.to_client).into_owned();
    let first = text.find("SELECT 1").unwrap();
    let refused = text.find("42501").unwrap();
    let last = text.rfind("SELECT 1").unwrap();
    assert!(first < refused && refused < last);
    assert_eq!(bench.seen.done.iter().map(|(_, rows, _)| *rows).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_statement_prepared_while_permitted_is_asked_again_when_it_runs() {
    let mut bench = logged_in();
    forward(&mut bench, &[parse("s", "select id from customers"), sync()].concat());
    bench.data(Side::Server, &[message(b'1', &[]), ready(b'I')].concat());
    bench.seen.to_server.clear();
    refuse(&mut bench, &[bind("", "s", &[]), execute(""), sync()].concat(), "customers");
    assert!(!contains(&bench.seen.to_server, "customers"));
    assert!(contains(&bench.seen.to_server, MUST_FAIL));
}

#[test]
fn nothing_of_a_message_is_sent_before_its_answer() {
    for text in [query("select 1"), parse("", "select 1")] {
        let mut bench = logged_in();
        bench.data(Side::Client, &text);
        assert!(bench.seen.to_server.is_empty());
        bench.answer(Verdict::Forward);
        assert_eq!(bench.seen.to_server, text);
    }
}

#[test]
fn a_message_over_the_limit_is_thrown_away_and_the_session_goes_on() {
    let mut bench: Bench = logged_in();
    let length = i32::MAX;
    let mut head = vec![b'Q'];
    head.extend_from_slice(&length.to_be_bytes());
    head.extend_from_slice(b"select 'x");
    bench.data(Side::Client, &head);
    assert_eq!(bench.seen.asked.len(), 1);
    // Even a policy that lets it pass can't: it was not kept.
    bench.answer(Verdict::Forward);
    assert!(!contains(&bench.seen.to_server, "select"));
    bench.data(Side::Client, &[b'y'; 4_096]);
    assert!(!contains(&bench.seen.to_server, "yyy"));
    bench.data(Side::Server, &fails(b'I'));
    assert!(contains(&bench.seen.to_client, "42501"));
}
