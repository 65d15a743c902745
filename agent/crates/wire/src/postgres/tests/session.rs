//! Logins, cancel requests, what a session remembers.

use super::script::*;
use crate::fuzz::{Bench, denial};
use crate::postgres::Postgres;
use crate::{Certainty, Detection, Event, Protocol, ResourceKind, Side, Verdict};

#[test]
fn encryption_is_declined_and_the_login_asked() {
    let mut bench = Bench::new(&Postgres, &options());
    bench.data(Side::Client, &request(80_877_103, &[]));
    bench.data(Side::Client, &request(80_877_104, &[]));
    assert_eq!(bench.seen.to_client, b"NN");
    let login = startup(&[("user", "app"), ("options", "-c search_path=a,b --row-security=off")]);
    bench.data(Side::Client, &login);
    let op = bench.held().unwrap().op();
    assert_eq!(&*op.meaning.verb, "LOGIN");
    let names: Vec<_> = op.meaning.accesses.iter().map(|access| access.resource.to_string()).collect();
    assert_eq!(names, ["target", "database", "name setting.search_path", "name setting.row_security"]);
    assert!(bench.seen.to_server.is_empty());
    bench.answer(Verdict::Forward);
    assert_eq!(bench.seen.to_server, login);
}

#[test]
fn a_refused_login_never_reaches_the_target() {
    let mut bench = Bench::new(&Postgres, &options());
    bench.data_answered(Side::Client, &startup(&[("user", "app")]), |_| denial());
    assert!(bench.seen.to_server.is_empty());
    assert!(contains(&bench.seen.to_client, "FATAL") && contains(&bench.seen.to_client, "42501"));
    assert_eq!(bench.seen.closed.len(), 2);
}

#[test]
fn replication_is_asked_as_admin() {
    let mut bench = Bench::new(&Postgres, &options());
    bench.data(Side::Client, &startup(&[("user", "app"), ("replication", "database")]));
    let meaning = &bench.held().unwrap().op().meaning;
    assert!(meaning.accesses.iter().any(|access| access.resource.to_string() == "name replication"));
}

#[test]
fn options_that_cannot_be_read_leave_doubt() {
    let mut bench = Bench::new(&Postgres, &options());
    bench.data(Side::Client, &startup(&[("user", "app"), ("options", "-e -P")]));
    assert_eq!(bench.held().unwrap().op().meaning.certainty, Certainty::Partial);
}

#[test]
fn a_cancel_request_names_its_session_and_ends_with_the_connection() {
    let mut bench = Bench::new(&Postgres, &options());
    let packet = request(80_877_102, &[0, 0, 0, 7, 1, 2, 3, 4]);
    bench.data(Side::Client, &packet);
    let key = bench.held().unwrap().op().cancel.clone().unwrap();
    assert_eq!((key.process, &key.secret[..]), (7, &[1, 2, 3, 4][..]));
    bench.answer(Verdict::Forward);
    assert_eq!(bench.seen.to_server, packet);
    bench.event(Event::Eof { from: Side::Server });
    assert_eq!(bench.seen.done.len(), 1);
}

#[test]
fn names_are_resolved_by_the_targets_own_search_path() {
    let mut bench = logged_in();
    bench.data(Side::Client, &query("select id from orders"));
    let tables: Vec<_> = tables(&bench);
    assert_eq!(tables, ["table public.orders"]);
}

#[test]
fn a_changed_search_path_is_looked_up_before_the_next_statement_is_read() {
    let mut bench = logged_in();
    forward(&mut bench, &query("set search_path = sales"));
    bench.data(Side::Client, &query("select id from orders"));
    assert!(bench.held().is_none(), "the next statement waits");
    bench.data(Side::Server, &[complete("SET"), ready(b'I')].concat());
    assert!(contains(&bench.seen.to_server, "current_schemas"));
    assert!(!bench.seen.to_client.ends_with(&ready(b'I')), "the client is not told yet");
    bench.data(Side::Server, &looked_up("{pg_catalog,sales}"));
    assert_eq!(tables(&bench), ["table sales.orders"]);
    assert!(bench.seen.to_client.ends_with(&ready(b'I')));
}

#[test]
fn a_search_path_set_in_a_transaction_is_looked_up_again_at_its_end() {
    let mut bench = logged_in();
    forward(&mut bench, &query("begin"));
    bench.data(Side::Server, &[complete("BEGIN"), ready(b'T')].concat());
    forward(&mut bench, &query("set local search_path = sales"));
    bench.data(Side::Server, &[complete("SET"), ready(b'T')].concat());
    bench.data(Side::Client, &query("select id from orders"));
    bench.data(Side::Server, &looked_up_in("{pg_catalog,sales}", b'T'));
    assert_eq!(tables(&bench), ["table sales.orders"]);
    bench.answer(Verdict::Forward);
    bench.data(Side::Server, &[complete("SELECT 0"), ready(b'T')].concat());
    forward(&mut bench, &query("commit"));
    bench.data(Side::Server, &[complete("COMMIT"), ready(b'I')].concat());
    bench.data(Side::Server, &looked_up("{pg_catalog,public}"));
    bench.data(Side::Client, &query("select id from orders"));
    assert_eq!(tables(&bench), ["table public.orders"]);
}

#[test]
fn backslashes_are_not_read_when_strings_are_not_standard() {
    let mut bench = logged_in();
    let body = b"standard_conforming_strings\0off\0";
    bench.data(Side::Server, &message(b'S', body));
    bench.data(Side::Client, &query(r"select '\' from orders where x = ' or 1=1"));
    assert_eq!(bench.held().unwrap().op().meaning.certainty, Certainty::Opaque);
}

#[test]
fn text_in_an_encoding_that_is_not_understood_is_not_read() {
    let mut bench = logged_in();
    bench.data(Side::Server, &message(b'S', b"client_encoding\0SJIS\0"));
    bench.data(Side::Client, &message(b'Q', b"select '\x83\x5c'\0"));
    assert_eq!(bench.held().unwrap().op().meaning.certainty, Certainty::Opaque);
}

#[test]
fn the_encoding_is_known_again_after_a_reset() {
    let mut bench = logged_in();
    forward(&mut bench, &query("discard all"));
    bench.data(Side::Server, &[complete("DISCARD ALL"), ready(b'I')].concat());
    bench.data(Side::Server, &looked_up("{pg_catalog,public}"));
    bench.data(Side::Client, &query("select 'é' from orders"));
    assert_eq!(bench.held().unwrap().op().meaning.certainty, Certainty::Exact);
}

#[test]
fn prepared_by_sql_and_by_message_share_their_names() {
    let mut bench = logged_in();
    forward(&mut bench, &[parse("s1", "select id from orders"), sync()].concat());
    bench.data(Side::Server, &[message(b'1', &[]), ready(b'I')].concat());
    bench.data(Side::Client, &query("execute s1"));
    assert_eq!(tables(&bench), ["table public.orders"]);
    bench.answer(Verdict::Forward);
    bench.data(Side::Server, &[complete("SELECT 0"), ready(b'I')].concat());
    forward(&mut bench, &query("deallocate s1"));
    bench.data(Side::Server, &[complete("DEALLOCATE"), ready(b'I')].concat());
    bench.data(Side::Client, &query("execute s1"));
    assert_eq!(bench.held().unwrap().op().meaning.certainty, Certainty::Opaque);
}

#[test]
fn first_bytes_tell_the_protocol() {
    assert_eq!(Postgres.detect(&startup(&[("user", "x")])), Detection::Match);
    assert_eq!(Postgres.detect(&request(80_877_103, &[])), Detection::Match);
    assert_eq!(Postgres.detect(b""), Detection::NeedMore);
    assert_eq!(Postgres.detect(&[0, 0, 0]), Detection::NeedMore);
    for other in
        [&b"GET / HTTP/1.1\r\n"[..], b"SSH-2.0-x\r\n", b"*1\r\n$4\r\nPING\r\n", b"\x16\x03\x01\x02\x00\x01"]
    {
        assert_eq!(Postgres.detect(other), Detection::No);
    }
}

fn tables(bench: &Bench) -> Vec<String> {
    let op = bench.held().expect("nothing is asked").op();
    let tables = op.meaning.accesses.iter().filter(|access| access.resource.kind == ResourceKind::Table);
    tables.map(|access| access.resource.to_string()).collect()
}
