//! Servers that die, and hosts that start again: every row arrives, once.

use super::*;
use interlock::sink::SinkState;

#[test]
fn killed_servers_lose_and_double_nothing() {
    const ROWS: u64 = 12_000;
    let mut server = ClickHouse::start().unwrap();
    let runtime = runtime();
    let config =
        SinkConfig { batch_rows: 300, batch_wait: Duration::from_millis(1), ..config(&server, "outage") };
    let dir = tempfile::tempdir().unwrap();
    let mut spool = spool(dir.path());
    let mut sink = start(&runtime, &config, &spool);
    for round in 0..4_u64 {
        for number in round * ROWS / 4..(round + 1) * ROWS / 4 {
            // A day for all, so that a batch is one part and a kill may hit it anywhere.
            spool.record(Row { time: 1_770_000_000_000_000 + number as i64, ..row(number) }).unwrap();
        }
        wait_until("some rows are shipped", || sink.status().shipped_rows > 500 * (round % 2));
        server.outage().unwrap();
        wait_until("the sink notices", || sink.status().state == SinkState::WaitingToRetry);
        let status = sink.status();
        assert!(
            status.last_error.is_some() && status.next_retry.is_some() && !status.is_healthy(),
            "{status:?}"
        );
        if round % 2 == 1 {
            // The host starts again as well, with whatever batch was under way.
            runtime.block_on(sink.stop());
            drop(spool);
            spool = super::spool(dir.path());
            sink = start(&runtime, &config, &spool);
        }
        server.resume().unwrap();
    }
    spool.flush().unwrap();
    wait_until("everything is shipped", || sink.status().pending_rows == 0);
    // The spool's count, which is of all sinks: a batch may arrive while one of them is being stopped.
    assert_eq!((spool.status().shipped_rows, sink.status().is_healthy()), (ROWS, true));
    assert_eq!(number(&server, "SELECT count() FROM outage.operations"), ROWS);
    assert_eq!(number(&server, "SELECT uniqExact(id) FROM outage.operations"), ROWS);
    let (ours, theirs) =
        (in_spool(dir.path(), &Filter::default()), in_clickhouse(&config, &Filter::default()));
    assert!(ours == theirs && ours.len() as u64 == ROWS);
    runtime.block_on(sink.stop());
}

#[test]
fn a_server_that_is_late_is_waited_for() {
    let mut server = ClickHouse::start().unwrap();
    server.outage().unwrap();
    let runtime = runtime();
    let config = config(&server, "late");
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    let sink = start(&runtime, &config, &spool);
    spool.record(row(1)).unwrap();
    wait_until("the sink complains", || sink.status().state == SinkState::WaitingToRetry);
    let error = sink.status().last_error.unwrap();
    assert!(error.contains("onnect"), "{error}");
    server.resume().unwrap();
    wait_until("the row arrives", || sink.status().shipped_rows == 1);
    assert_eq!((sink.status().last_error, sink.status().state), (None, SinkState::Connected));
    runtime.block_on(sink.stop());
}
