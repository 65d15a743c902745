//! Ways to have one statement judged and another one run, each closed. In all of them a client tries to be judged under
//! one search path, or one meaning of a name, while the target works under another.

use super::script::*;
use crate::fuzz::Bench;
use crate::{Certainty, Side, Verdict};

fn done(bench: &mut Bench, tag: &str, status: u8) {
    bench.data(Side::Server, &[complete(tag), ready(status)].concat());
}

/// Was the target asked for its search path since the last look?
fn asks_for_the_path(bench: &mut Bench) -> bool {
    contains(&std::mem::take(&mut bench.seen.to_server), "current_schemas")
}

#[test]
fn a_set_hidden_behind_a_rollback_is_noticed() {
    let mut bench = logged_in();
    forward(&mut bench, &query("rollback; set search_path = priv"));
    bench.seen.to_server.clear();
    bench.data(Side::Server, &[complete("ROLLBACK"), complete("SET"), ready(b'I')].concat());
    assert!(asks_for_the_path(&mut bench));
}

#[test]
fn the_end_of_a_transaction_undoes_set_local_even_if_the_next_begins_at_once() {
    for end in ["commit and chain", "commit; begin"] {
        let mut bench = logged_in();
        forward(&mut bench, &query("begin"));
        done(&mut bench, "BEGIN", b'T');
        forward(&mut bench, &query("set local search_path = pub"));
        done(&mut bench, "SET", b'T');
        bench.data(Side::Client, &query("select * from t"));
        bench.data(Side::Server, &looked_up_in("{pg_catalog,pub}", b'T'));
        bench.answer(Verdict::Forward);
        done(&mut bench, "SELECT 0", b'T');
        bench.seen.to_server.clear();
        forward(&mut bench, &query(end));
        bench.data(Side::Client, &query("select * from t"));
        assert!(bench.held().is_none(), "{end}: the next statement waits");
        done(&mut bench, "COMMIT", b'T');
        assert!(asks_for_the_path(&mut bench), "{end}");
        assert!(bench.held().is_none(), "{end}: it still waits");
    }
}

#[test]
fn a_portal_bound_now_and_executed_later_changes_the_path_later() {
    let mut bench = logged_in();
    forward(&mut bench, &query("begin"));
    done(&mut bench, "BEGIN", b'T');
    forward(&mut bench, &[parse("", "set search_path = priv"), bind("p", "", &[]), sync()].concat());
    bench.data(Side::Server, &[message(b'1', &[]), message(b'2', &[]), ready(b'T')].concat());
    bench.data(Side::Client, &query("select * from t"));
    bench.data(Side::Server, &looked_up_in("{pg_catalog,public}", b'T'));
    bench.answer(Verdict::Forward);
    done(&mut bench, "SELECT 0", b'T');
    forward(&mut bench, &[execute("p"), sync()].concat());
    done(&mut bench, "SET", b'T');
    bench.seen.to_server.clear();
    bench.data(Side::Client, &query("select * from t"));
    assert!(asks_for_the_path(&mut bench) && bench.held().is_none());
}

#[test]
fn sql_execute_of_a_set_that_parse_prepared_is_noticed() {
    let mut bench = logged_in();
    forward(&mut bench, &[parse("s", "set search_path = priv"), sync()].concat());
    bench.data(Side::Server, &[message(b'1', &[]), ready(b'I')].concat());
    forward(&mut bench, &query("execute s"));
    bench.seen.to_server.clear();
    done(&mut bench, "SET", b'I');
    assert!(asks_for_the_path(&mut bench));
}

#[test]
fn a_name_that_may_still_be_a_set_is_followed_as_one() {
    let mut bench = logged_in();
    forward(&mut bench, &[parse("s", "set search_path = priv"), sync()].concat());
    bench.data(Side::Server, &[message(b'1', &[]), ready(b'I')].concat());
    forward(&mut bench, &[parse("s", "select 1"), sync(), bind("", "s", &[]), execute(""), sync()].concat());
    bench.seen.to_server.clear();
    bench.data(Side::Server, &[error("42P05", "exists"), ready(b'I'), message(b'2', &[])].concat());
    done(&mut bench, "SET", b'I');
    assert!(asks_for_the_path(&mut bench));
}

#[test]
fn backslashes_are_not_read_while_strings_may_have_changed() {
    let mut bench = logged_in();
    let set = [parse("", "set standard_conforming_strings = off"), bind("", "", &[]), execute("")].concat();
    forward(&mut bench, &set);
    bench.data(Side::Client, &parse("", r"select 'a\', ', secret from public.customers -- '"));
    assert_eq!(bench.held().unwrap().op().meaning.certainty, Certainty::Opaque);
}

#[test]
fn a_deallocate_that_never_ran_lets_go_of_nothing() {
    let mut bench = logged_in();
    forward(&mut bench, &query("prepare s as select * from customers"));
    done(&mut bench, "PREPARE", b'I');
    forward(&mut bench, &[parse("", "deallocate s"), bind("", "", &[]), sync()].concat());
    bench.data(Side::Server, &[message(b'1', &[]), message(b'2', &[]), ready(b'I')].concat());
    assert!(bench.seen.done.last().unwrap().2.is_some(), "bound, but never executed");
    forward(&mut bench, &query("prepare s as select 1"));
    bench.data(Side::Server, &[error("42P05", "exists"), ready(b'I')].concat());
    bench.data(Side::Client, &query("execute s"));
    let meaning = &bench.held().unwrap().op().meaning;
    assert!(meaning.accesses.iter().any(|access| access.resource.to_string() == "table public.customers"));
}

#[test]
fn a_query_behind_a_failed_parse_is_skipped_as_the_target_skips_it() {
    let mut bench = logged_in();
    forward(&mut bench, &[parse("", "select bad"), query("insert into t values (1)"), sync()].concat());
    bench.data(Side::Server, &[error("42703", "no column"), ready(b'I')].concat());
    assert_eq!(bench.seen.done.len(), 1);
    assert!(bench.seen.done[0].2.is_some(), "it never ran");
    forward(&mut bench, &query("select 1"));
    done(&mut bench, "SELECT 1", b'I');
    assert_eq!(bench.seen.error, None);
}

#[test]
fn copy_data_and_its_end_may_be_sent_ahead() {
    let mut bench = logged_in();
    let ahead = [
        parse("", "copy orders from stdin"),
        bind("", "", &[]),
        execute(""),
        message(b'd', b"1\n"),
        message(b'c', &[]),
        sync(),
    ];
    forward(&mut bench, &ahead.concat());
    bench.data(Side::Server, &[message(b'1', &[]), message(b'2', &[]), message(b'G', &[0, 0, 0])].concat());
    done(&mut bench, "COPY 1", b'I');
    assert_eq!(bench.seen.error, None);
    forward(&mut bench, &query("select 1"));
    done(&mut bench, "SELECT 1", b'I');
    assert_eq!(bench.seen.error, None);
}

#[test]
fn requests_for_encryption_are_not_answered_for_ever() {
    let mut bench = Bench::new(&crate::postgres::Postgres, &options());
    for _ in 0..3 {
        bench.data(Side::Client, &request(80_877_103, &[]));
    }
    assert!(bench.seen.error.is_some());
}

#[test]
fn sql_prepare_behind_a_set_in_its_string_is_not_bound_to_the_path_before_it() {
    let mut bench = logged_in();
    forward(&mut bench, &query("set search_path = priv; prepare s as select * from t"));
    bench.data(Side::Server, &[complete("SET"), complete("PREPARE"), ready(b'I')].concat());
    bench.data(Side::Server, &looked_up("{pg_catalog,priv}"));
    forward(&mut bench, &query("set search_path = public"));
    done(&mut bench, "SET", b'I');
    bench.data(Side::Server, &looked_up("{pg_catalog,public}"));
    // The target plans it anew, and now it is `public.t`.
    bench.data(Side::Client, &query("execute s"));
    assert_eq!(bench.held().unwrap().op().meaning.certainty, Certainty::Partial);
}

#[test]
fn the_schema_of_the_user_is_the_roles_not_the_logins() {
    let mut bench = logged_in();
    forward(&mut bench, &query("set role boss"));
    done(&mut bench, "SET", b'I');
    let path = [row(&["{pg_catalog,public}", "on", "UTF8", "boss"]), complete("SELECT 1"), ready(b'I')];
    bench.data(Side::Server, &path.concat());
    bench.data(Side::Client, &query("set search_path = \"$user\", public; select * from t"));
    let touched = bench.held().unwrap().op().meaning.accesses.iter().map(|it| it.resource.to_string());
    let touched: Vec<_> = touched.collect();
    assert!(touched.contains(&"table boss.t".to_owned()), "{touched:?}");
}
