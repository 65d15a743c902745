//! Prepared statements, portals, pipelines, COPY: who ran and how it ended.

use super::script::*;
use crate::{Side, Verdict};

fn run(bench: &mut crate::fuzz::Bench, client: &[Vec<u8>], server: &[Vec<u8>]) {
    forward(bench, &client.concat());
    bench.data(Side::Server, &server.concat());
}

#[test]
fn a_bound_portal_is_one_operation_over_several_fetches() {
    let mut bench = logged_in();
    let fetch = [parse("", "select id from orders"), bind("p", "", &[]), execute("p"), sync()];
    let rows =
        [message(b'1', &[]), message(b'2', &[]), row(&["1"]), row(&["2"]), message(b's', &[]), ready(b'T')];
    run(&mut bench, &fetch, &rows);
    assert!(bench.seen.done.is_empty(), "suspended, not ended");
    run(&mut bench, &[execute("p"), sync()], &[row(&["3"]), complete("SELECT 1"), ready(b'T')]);
    assert_eq!(bench.seen.done.iter().map(|(_, rows, _)| *rows).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_portal_that_is_never_executed_ends_with_its_transaction() {
    let mut bench = logged_in();
    run(
        &mut bench,
        &[parse("", "select id from orders"), bind("", "", &[]), sync()],
        &[message(b'1', &[]), message(b'2', &[]), ready(b'I')],
    );
    assert_eq!(bench.seen.done.len(), 1);
}

#[test]
fn a_failed_pipeline_ends_what_it_skipped() {
    let mut bench = logged_in();
    let three: Vec<_> =
        (0..3).flat_map(|_| [parse("", "select id from orders"), bind("", "", &[]), execute("")]).collect();
    forward(&mut bench, &[three.concat(), sync()].concat());
    let first =
        [message(b'1', &[]), message(b'2', &[]), row(&["1"]), complete("SELECT 1"), message(b'1', &[])];
    bench.data(Side::Server, &[first.concat(), error("22012", "division by zero"), ready(b'I')].concat());
    let codes: Vec<_> = bench.seen.done.iter().map(|(_, _, code)| code.clone()).collect();
    assert_eq!(codes, [None, Some("22012".to_owned()), Some(String::new())]);
}

#[test]
fn a_request_held_while_the_pipeline_fails_is_skipped() {
    let mut bench = logged_in();
    bench.data(Side::Client, &[parse("", "select bad()"), bind("", "", &[]), execute(""), sync()].concat());
    bench.answer(Verdict::Forward);
    assert!(bench.held().is_some(), "the bind is asked");
    bench.data(Side::Server, &error("42883", "no such function"));
    bench.answer(Verdict::Forward);
    assert!(bench.seen.to_server.ends_with(&sync()) && !contains(&bench.seen.to_server, "E\0\0\0"));
    bench.data(Side::Server, &ready(b'I'));
    assert_eq!(bench.seen.error, None);
    assert_eq!(bench.seen.done.len(), 1, "it ended, skipped");
    let again = [parse("", "select 1"), bind("", "", &[]), execute(""), sync()].concat();
    forward(&mut bench, &again);
    assert!(bench.seen.to_server.ends_with(&again));
}

#[test]
fn copy_in_counts_and_passes_its_data() {
    let mut bench = logged_in();
    run(&mut bench, &[query("copy orders from stdin")], &[message(b'G', &[0, 0, 0])]);
    let data = [message(b'd', b"1\tx\n"), message(b'd', b"2\ty\n"), message(b'c', &[])].concat();
    forward(&mut bench, &data);
    assert!(bench.seen.to_server.ends_with(&data));
    bench.data(Side::Server, &[complete("COPY 2"), ready(b'I')].concat());
    assert_eq!(bench.seen.done, [(2, 2, None)]);
}

#[test]
fn syncs_that_a_copy_swallows_are_not_waited_for() {
    let mut bench = logged_in();
    forward(
        &mut bench,
        &[parse("", "copy orders from stdin"), bind("", "", &[]), execute(""), sync()].concat(),
    );
    bench.data(Side::Server, &[message(b'1', &[]), message(b'2', &[]), message(b'G', &[0, 0, 0])].concat());
    forward(&mut bench, &[message(b'd', b"1\n"), message(b'c', &[]), sync()].concat());
    bench.data(Side::Server, &[complete("COPY 1"), ready(b'I')].concat());
    assert_eq!((bench.seen.error.clone(), bench.seen.done.len()), (None, 1));
    run(&mut bench, &[query("select 1")], &[complete("SELECT 1"), ready(b'I')]);
    assert_eq!(bench.seen.done.len(), 2);
}

#[test]
fn a_statement_hidden_in_copy_data_is_out_of_order() {
    let mut bench = logged_in();
    run(&mut bench, &[query("copy orders from stdin")], &[message(b'G', &[0, 0, 0])]);
    bench.data(Side::Client, &query("drop table orders"));
    assert!(bench.seen.error.is_some());
    assert!(!contains(&bench.seen.to_server, "drop"));
}

#[test]
fn replies_that_belong_to_nothing_end_the_session() {
    for stray in
        [ready(b'I'), complete("SELECT 1"), message(b'1', &[]), message(b'G', &[0, 0, 0]), message(b'?', &[])]
    {
        let mut bench = logged_in();
        bench.data(Side::Server, &stray);
        // CopyInResponse to nothing can only make the client's next message out of order.
        if stray[0] == b'G' {
            bench.data(Side::Client, &query("select 1"));
        }
        assert!(bench.seen.error.is_some(), "{stray:?}");
    }
}

#[test]
fn notices_notifications_and_settings_pass_at_any_time() {
    let mut bench = logged_in();
    let asides = [
        message(b'N', b"SNOTICE\0\0"),
        message(b'A', b"\0\0\0\x01ch\0\0"),
        message(b'S', b"TimeZone\0UTC\0"),
    ]
    .concat();
    bench.data(Side::Server, &asides);
    assert_eq!(bench.seen.to_client, asides);
}
