//! Order, limits and conditions over many overlapping blocks, against sorting all rows.

use crate::row::tests::sample;
use crate::{Filter, Row, Spool, SpoolOptions, SpoolReader};
use proptest::prelude::*;
use std::time::Duration;

/// A spool whose blocks overlap in time.
fn spool(dir: &std::path::Path) -> (Spool, Vec<Row>) {
    let options =
        SpoolOptions { fold_every: Duration::from_secs(3_600), block_rows: 40, ..SpoolOptions::new(dir) };
    let spool = Spool::open(options).unwrap();
    let mut rows: Vec<Row> = (0..600).map(sample).collect();
    // Each eleventh ended long after it was asked.
    rows.sort_by_key(|row| row.time + if row.subject.pid.is_multiple_of(11) { 200_000 } else { 0 });
    for rows in rows.chunks(40) {
        rows.iter().for_each(|row| spool.record(row.clone()).unwrap());
        spool.flush().unwrap();
    }
    (spool, rows)
}

#[test]
fn any_question_gets_what_sorting_gives() {
    let dir = tempfile::tempdir().unwrap();
    let (_spool, rows) = spool(dir.path());
    let reader = SpoolReader::open(dir.path()).unwrap();
    let start = rows.iter().map(|row| row.time).min().unwrap();
    let times = proptest::option::of(-10_000..700_000_i64);
    let limit = proptest::option::of(0_usize..700);
    let strategy = (any::<bool>(), limit, times.clone(), times, any::<bool>());
    proptest!(ProptestConfig::with_cases(40), |((newest_first, limit, since, until, planner) in strategy)| {
        let filter = Filter {
            agent: planner.then(|| "planner".to_owned()),
            since: since.map(|time| start + time),
            until: until.map(|time| start + time),
            limit,
            newest_first,
            ..Filter::default()
        };
        let mut expected: Vec<Row> = rows.iter().filter(|row| filter.matches(row)).cloned().collect();
        expected.sort_by_key(|row| filter.place(row));
        expected.truncate(limit.unwrap_or(usize::MAX));
        let found: Vec<Row> = reader.rows(&filter).unwrap().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(found, expected);
    });
}

#[test]
fn one_reader_can_ask_again_and_sees_new_rows() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, rows) = spool(dir.path());
    let reader = SpoolReader::open(dir.path()).unwrap();
    assert_eq!(reader.count().unwrap(), rows.len() as u64);
    let mut some = reader.rows(&Filter::default()).unwrap();
    assert!(some.next().is_some());
    drop(some);
    spool.record(sample(9_999)).unwrap();
    spool.flush().unwrap();
    let newest = Filter { newest_first: true, limit: Some(1), ..Filter::default() };
    let row = reader.rows(&newest).unwrap().next().unwrap().unwrap();
    assert_eq!(row.subject.pid, 13_999);
}

#[test]
fn a_closed_spool_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, rows) = spool(dir.path());
    drop(spool);
    assert_eq!(SpoolReader::open(dir.path()).unwrap().rows(&Filter::default()).unwrap().count(), rows.len());
}
