//! Rows reach a real ClickHouse engine, each once, also over an outage and a killed daemon.

use crate::support::{ALLOW_ALL, Rig, wait_until};
use xtask::rack::clickhouse::ClickHouse;

#[test]
fn every_row_arrives_once_over_an_outage_and_a_killed_daemon() {
    let mut clickhouse = ClickHouse::start().unwrap();
    let url = clickhouse.url();
    let mut rig = Rig::start_with(&[("all.cedar", ALLOW_ALL)], |setup| xtask::rack::daemon::Setup {
        clickhouse: Some(url),
        ..setup
    });
    rig.psql("planner", "select 'first' as batch;\nselect 'second' as batch;").ok();
    let count = |clickhouse: &ClickHouse| {
        clickhouse
            .query("select count() from interlock.operations where statement like '%as batch%'")
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    wait_until("the first rows to arrive", || count(&clickhouse) == "2");
    clickhouse.outage().unwrap();
    rig.psql("planner", "select 'third' as batch;").ok();
    wait_until("the sink to say so", || !rig.daemon.read(&["status"]).unwrap().contains("connected"));
    rig.daemon.kill().unwrap();
    rig.daemon.resume().unwrap();
    rig.psql("planner", "select 'fourth' as batch;").ok();
    clickhouse.resume().unwrap();
    wait_until("the other rows to arrive", || count(&clickhouse) == "4");
    let distinct = clickhouse.query("select count(), uniqExact(id) from interlock.operations").unwrap();
    let (all, ids) = distinct.trim().split_once('\t').unwrap();
    assert_eq!(all, ids, "a row arrived twice");
    let spool = rig.rows(&["--text", "as batch"]);
    let shipped = rig.rows(&["--text", "as batch", "--clickhouse"]);
    assert_eq!(spool, shipped, "the same question gives the same rows");
}
