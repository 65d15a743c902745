//! Database and tables come to be, once, whoever makes them.

use super::*;
use audit::COLUMNS;

#[test]
fn tables_are_made_once_by_many() {
    let (server, runtime) = (server(), runtime());
    let config = config(server, "made by many `x`");
    let dirs: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    for _round in 0..2 {
        let spools: Vec<Spool> = dirs.iter().map(|dir| spool(dir.path())).collect();
        let sinks: Vec<SinkHandle> = spools.iter().map(|spool| start(&runtime, &config, spool)).collect();
        spools.iter().enumerate().for_each(|(index, spool)| spool.record(row(index as u64)).unwrap());
        for (sink, spool) in sinks.into_iter().zip(&spools) {
            spool.flush().unwrap();
            wait_until("every host has shipped", || sink.status().shipped_rows == 1);
            runtime.block_on(sink.stop());
        }
    }
    assert_eq!(number(server, "SELECT count() FROM `made by many \\`x\\``.operations"), 8);
    let versions = server
        .query("SELECT DISTINCT version FROM `made by many \\`x\\``.schema_migrations ORDER BY version")
        .unwrap();
    let all: String =
        audit::schema::MIGRATIONS.iter().map(|migration| format!("{}\n", migration.version)).collect();
    assert_eq!(versions, all);
}

#[test]
fn the_table_is_the_row() {
    let server = server();
    let dir = tempfile::tempdir().unwrap();
    ship_one(&config(server, "as_the_row"), dir.path());
    let ours: String =
        COLUMNS.iter().map(|column| format!("{}\t{}\n", column.name, column.clickhouse())).collect();
    let theirs = server.query(
        "SELECT name, type FROM system.columns WHERE database = 'as_the_row' AND table = 'operations' ORDER BY position FORMAT TSVRaw",
    );
    assert_eq!(theirs.unwrap(), ours);
    let made = server.query("SELECT create_table_query FROM system.tables WHERE database = 'as_the_row' AND name = 'operations' FORMAT TSVRaw");
    let made = made.unwrap();
    for part in [
        "PARTITION BY toYYYYMMDD(time)",
        "ORDER BY (agent, time)",
        "non_replicated_deduplication_window = 10000",
    ] {
        assert!(made.contains(part), "{made}");
    }
}

fn ship_one(config: &SinkConfig, dir: &Path) {
    let spool = spool(dir);
    spool.record(row(1)).unwrap();
    ship(config, &spool);
}

#[test]
fn a_table_that_was_changed_is_named_and_nothing_is_lost() {
    let (server, runtime) = (server(), runtime());
    let config = config(server, "changed");
    let dir = tempfile::tempdir().unwrap();
    ship_one(&config, dir.path());
    server.query("ALTER TABLE changed.operations DROP COLUMN reason").unwrap();
    let spool = spool(dir.path());
    spool.record(row(2)).unwrap();
    let sink = start(&runtime, &config, &spool);
    wait_until("the sink complains", || {
        sink.status().last_error.is_some_and(|error| error.contains("no column `reason`"))
    });
    wait_until("the row to be waiting", || sink.status().lag.is_some());
    let status = sink.status();
    assert!(!status.is_healthy() && status.pending_rows == 1, "{status:?}");
    server.query("ALTER TABLE changed.operations ADD COLUMN reason LowCardinality(String)").unwrap();
    wait_until("the row arrives", || sink.status().shipped_rows == 1);
    assert_eq!(number(server, "SELECT countIf(reason <> '') FROM changed.operations"), 1);
    runtime.block_on(sink.stop());
}

#[test]
fn a_newer_table_is_used() {
    let server = server();
    let config = config(server, "newer");
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    ship_one(&config, one.path());
    server.query("ALTER TABLE newer.operations ADD COLUMN mood String DEFAULT 'fine'").unwrap();
    server
        .query(
            "ALTER TABLE newer.operations MODIFY COLUMN verdict Enum8('forward' = 1, 'deny' = 2, 'mask' = 3)",
        )
        .unwrap();
    server
        .query("INSERT INTO newer.schema_migrations (version, name, host) VALUES (99, 'later', 'x')")
        .unwrap();
    ship_one(&config, two.path());
    assert_eq!(number(server, "SELECT countIf(mood = 'fine') FROM newer.operations"), 2);
}

#[test]
fn a_wrong_password_is_told() {
    let (server, runtime) = (server(), runtime());
    let right =
        SinkConfig { user: "audit".to_owned(), password: "secret".to_owned(), ..config(server, "passwords") };
    let dir = tempfile::tempdir().unwrap();
    ship_one(&right, dir.path());
    let wrong = SinkConfig { password: "guess".to_owned(), ..right };
    let spool = spool(dir.path());
    let sink = start(&runtime, &wrong, &spool);
    wait_until("the sink complains", || sink.status().last_error.is_some());
    let error = sink.status().last_error.unwrap();
    assert!(error.contains("516") && !error.contains("guess"), "{error}");
    runtime.block_on(sink.stop());
}
