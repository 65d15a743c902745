//! Batches, merging and retention.

use super::*;
use crate::native::{frame, read_block};
use crate::spool::store::Store;

/// The rows of a batch, as a server would read them.
fn rows(batch: &Batch) -> Vec<Row> {
    batch.frames.iter().flat_map(|frame| read_block(&frame::unpack(frame).unwrap()).unwrap().0).collect()
}

/// A spool with a block for every ten of these rows.
fn stored(dir: &Path, count: u64) -> (Spool, Vec<Row>) {
    let spool = Spool::open(still(dir)).unwrap();
    let all: Vec<Row> = (0..count).map(sample).collect();
    for rows in all.chunks(10) {
        rows.iter().for_each(|row| spool.record(row.clone()).unwrap());
        spool.flush().unwrap();
    }
    (spool, all)
}

#[test]
fn a_batch_stays_the_same_until_it_has_arrived() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, all) = stored(dir.path(), 60);
    let batch = spool.next_batch(35).unwrap().unwrap();
    assert_eq!(rows(&batch), all[..30], "whole blocks, oldest first");
    spool.record(sample(60)).unwrap();
    spool.flush().unwrap();
    let again = spool.next_batch(1_000).unwrap().unwrap();
    assert_eq!((&again.token, &again.frames), (&batch.token, &batch.frames));
    let copy = killed(dir.path());
    let restarted = Spool::open(still(copy.path())).unwrap();
    let again = restarted.next_batch(1).unwrap().unwrap();
    assert_eq!((&again.token, &again.frames, again.rows), (&batch.token, &batch.frames, 30));
    restarted.shipped(&again).unwrap();
    restarted.shipped(&again).unwrap();
    let rest = restarted.next_batch(1_000).unwrap().unwrap();
    assert_eq!((rest.rows, rest.token != batch.token), (31, true));
    restarted.shipped(&rest).unwrap();
    assert!(restarted.next_batch(1_000).unwrap().is_none());
    let status = restarted.status();
    assert_eq!((status.pending_rows, status.shipped_rows, status.stored_rows), (0, 61, 61));
}

#[test]
fn small_blocks_are_merged_but_not_under_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, mut all) = stored(dir.path(), 100);
    let batch = spool.next_batch(50).unwrap().unwrap();
    for number in 100..3_000 {
        all.push(sample(number));
        spool.record(all.last().unwrap().clone()).unwrap();
        if number % 5 == 0 {
            spool.flush().unwrap();
        }
    }
    spool.flush().unwrap();
    assert!(spool.status().blocks < 60, "{:?}", spool.status());
    assert_eq!(spool.next_batch(50).unwrap().unwrap().frames, batch.frames);
    assert_eq!(read(dir.path()), all);
    spool.shipped(&batch).unwrap();
    let mut shipped = rows(&batch);
    while let Some(batch) = spool.next_batch(500).unwrap() {
        shipped.extend(rows(&batch));
        spool.shipped(&batch).unwrap();
    }
    shipped.sort_by_key(|row| row.time);
    assert_eq!(shipped, all);
}

#[test]
fn a_damaged_block_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, all) = stored(dir.path(), 30);
    drop(spool);
    let sqlite = rusqlite::Connection::open(dir.path().join("spool.db")).unwrap();
    sqlite.execute("UPDATE block SET data = zeroblob(100) WHERE id = 2", []).unwrap();
    drop(sqlite);
    // The journal would give the rows back.
    for left in crate::spool::segment::list(dir.path()).unwrap() {
        std::fs::remove_file(left.path).unwrap();
    }
    let spool = Spool::open(still(dir.path())).unwrap();
    let batch = spool.next_batch(1_000).unwrap().unwrap();
    assert_eq!(rows(&batch), [&all[..10], &all[20..]].concat());
    assert_eq!(spool.status().damaged_blocks, 1);
    let reader = SpoolReader::open(dir.path()).unwrap();
    let read: Vec<_> = reader.rows(&Filter::default()).unwrap().collect();
    assert_eq!(read.iter().filter(|row| row.is_ok()).count(), 20);
    let errors: Vec<_> = read.iter().filter_map(|row| row.as_ref().err()).collect();
    assert!(matches!(errors[..], [SpoolError::Block { id: 2, .. }]), "{errors:?}");
}

#[test]
fn only_what_has_arrived_expires() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, all) = stored(dir.path(), 60);
    let batch = spool.next_batch(30).unwrap().unwrap();
    spool.shipped(&batch).unwrap();
    drop(spool);
    let long = (Duration::from_secs(3_600), u64::MAX);
    let mut store = Store::open(dir.path()).unwrap();
    assert_eq!(store.retain(long, false, i64::MAX, 10).unwrap(), 0, "young and small");
    assert_eq!(
        store.retain((Duration::ZERO, u64::MAX), false, 0, 10).unwrap(),
        0,
        "the journal may have them"
    );
    assert_eq!(store.retain((Duration::from_secs(3_600), 0), false, i64::MAX, 1).unwrap(), 10, "too large");
    assert_eq!(store.retain((Duration::ZERO, u64::MAX), false, i64::MAX, 10).unwrap(), 20, "too old");
    assert_eq!(store.totals().unwrap().expired_rows, 30);
    drop(store);
    assert_eq!(read(dir.path()), all[30..]);
    let mut store = Store::open(dir.path()).unwrap();
    assert_eq!(
        store.retain((Duration::ZERO, 0), true, i64::MAX, 10).unwrap(),
        30,
        "with no sink, all of them"
    );
    assert_eq!(store.bytes(), 0);
}

#[test]
fn numbers_of_blocks_are_never_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = stored(dir.path(), 20);
    drop(spool);
    let mut store = Store::open(dir.path()).unwrap();
    assert_eq!(store.newest_block().unwrap(), 2);
    store.retain((Duration::ZERO, 0), true, i64::MAX, 10).unwrap();
    assert_eq!(store.newest_block().unwrap(), 2);
}
