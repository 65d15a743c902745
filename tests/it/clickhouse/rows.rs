//! Rows in ClickHouse are the rows of the spool.

use super::*;
use serde_json::Value;

#[test]
fn every_column_arrives_as_it_was() {
    let server = server();
    let config = config(server, "every_column");
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    let rows = odd_rows();
    rows.iter().for_each(|row| spool.record(row.clone()).unwrap());
    ship(&config, &spool);
    let mut expected = rows.clone();
    expected.sort_by_key(|row| (row.time, row.id));
    assert_eq!(in_spool(dir.path(), &Filter::default()), expected);
    assert_eq!(in_clickhouse(&config, &Filter::default()), expected);
    // And as ClickHouse itself writes them.
    let theirs = server.query(
        "SELECT * FROM every_column.operations ORDER BY time, toString(id)
         SETTINGS output_format_json_quote_64bit_integers = 0 FORMAT JSONEachRow",
    );
    for (theirs, ours) in theirs.unwrap().lines().zip(&expected) {
        let mut theirs: Value = serde_json::from_str(theirs).unwrap();
        let time = theirs["time"].as_str().unwrap().replace(' ', "T") + "Z";
        theirs["time"] = time.into();
        let ours: Value = serde_json::from_str(&render::json(ours)).unwrap();
        assert_eq!(theirs, ours);
    }
}

#[test]
fn a_batch_that_is_sent_again_arrives_once() {
    let server = server();
    let config = SinkConfig { batch_rows: 5_000, ..config(server, "sent_again") };
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Three days: a part for each in one insert.
    let first = spool(dir.path());
    (0..4_000).for_each(|number| first.record(row(number)).unwrap());
    first.flush().unwrap();
    let batch = first.next_batch(config.batch_rows).unwrap().unwrap();
    assert_eq!(batch.rows, 4_000);
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    ship(&config, &first);
    assert_eq!(number(server, "SELECT count() FROM sent_again.operations"), 4_000);
    // A host that was killed after the server had taken the batch, and before it knew.
    let again = spool(copy.path());
    assert_eq!(again.status().pending_rows, 4_000);
    ship(&config, &again);
    assert_eq!(again.status().shipped_rows, 4_000);
    assert_eq!(number(server, "SELECT count() FROM sent_again.operations"), 4_000);
    assert_eq!(number(server, "SELECT uniqExact(id) FROM sent_again.operations"), 4_000);
}

#[test]
fn equal_rows_of_different_operations_all_arrive() {
    let server = server();
    let config = config(server, "equal_rows");
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    for _ in 0..2 {
        (0..10).for_each(|_| spool.record(Row { id: uuid_of_nothing(), ..row(1) }).unwrap());
        ship(&config, &spool);
    }
    assert_eq!(number(server, "SELECT count() FROM equal_rows.operations"), 20);
}

/// The same id for all: only the tokens tell the batches apart.
fn uuid_of_nothing() -> audit::Uuid {
    audit::Uuid::nil()
}
