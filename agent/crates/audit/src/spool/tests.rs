//! The spool as its callers see it. A kill is played by copying the directory while nothing moves and opening the copy;
//! real kills are in `tests/kill.rs`.

use super::*;
use crate::row::tests::{done, sample};
use crate::{End, Filter, SpoolReader};
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

mod journal;
mod ship;

/// Options whose folding thread does nothing unless it is asked to.
pub(super) fn still(dir: &Path) -> SpoolOptions {
    SpoolOptions { fold_every: Duration::from_secs(3_600), ..SpoolOptions::new(dir) }
}

/// The directory as a kill at this moment would leave it.
pub(super) fn killed(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

/// Every row that a reader sees, oldest first.
pub(super) fn read(dir: &Path) -> Vec<Row> {
    SpoolReader::open(dir).unwrap().rows(&Filter::default()).unwrap().collect::<Result<_, _>>().unwrap()
}

/// A row that begins: without an outcome.
pub(super) fn asked(number: u64) -> Row {
    Row { outcome: Outcome::default(), ..sample(number) }
}

pub(super) fn durable(spool: &Spool, row: Row) -> Result<Begun, SpoolError> {
    let (sender, receiver) = mpsc::channel();
    spool.begin_durable(row, Box::new(move |begun| sender.send(begun).unwrap()));
    receiver.recv_timeout(Duration::from_secs(60)).unwrap()
}

#[test]
fn rows_come_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(SpoolOptions::new(dir.path())).unwrap();
    let rows: Vec<Row> = (0..300).map(sample).collect();
    for row in &rows {
        match row.sequence % 3 {
            0 => spool.record(row.clone()).unwrap(),
            1 => spool.finish(spool.begin(row.clone()).unwrap(), row.outcome.clone()),
            _ => durable(&spool, row.clone()).unwrap().finish(row.outcome.clone()),
        }
    }
    spool.flush().unwrap();
    assert_eq!(read(dir.path()), rows);
    let status = spool.status();
    assert_eq!(
        (status.begun_rows, status.open_rows, status.waiting_rows, status.stored_rows),
        (300, 0, 0, 300)
    );
    assert_eq!(status.error, None);
    drop(spool);
    let again = Spool::open(SpoolOptions::new(dir.path())).unwrap();
    assert_eq!(read(dir.path()), rows);
    assert_eq!(again.status().recovery.rows, 0);
}

#[test]
fn what_is_dropped_is_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(still(dir.path())).unwrap();
    let row = sample(1);
    drop(spool.begin(row.clone()).unwrap());
    spool.flush().unwrap();
    assert_eq!(read(dir.path()), [Row { outcome: Outcome::default(), ..row }]);
}

#[test]
fn a_row_that_outlives_the_spool_still_ends() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(still(dir.path())).unwrap();
    let begun = spool.begin(asked(1)).unwrap();
    drop(spool);
    begun.finish(done(9));
    Spool::open(still(dir.path())).unwrap();
    assert_eq!(read(dir.path())[0].outcome, done(9));
}

#[test]
fn a_second_owner_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(SpoolOptions::new(dir.path())).unwrap();
    let Err(error) = Spool::open(SpoolOptions::new(dir.path())) else { panic!("two owners") };
    assert_eq!(error, SpoolError::InUse { dir: dir.path().to_owned() });
    assert!(error.to_string().contains("in use by another process"));
    drop(spool);
    Spool::open(SpoolOptions::new(dir.path())).unwrap();
}

#[test]
fn a_missing_spool_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let Err(error) = SpoolReader::open(dir.path()) else { panic!("a spool from nothing") };
    assert_eq!(error, SpoolError::Missing { dir: dir.path().to_owned() });
}

#[test]
fn many_threads_lose_and_double_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let options = SpoolOptions {
        segment_bytes: 64 << 10,
        fold_every: Duration::from_millis(5),
        ..SpoolOptions::new(dir.path())
    };
    let spool = Spool::open(options).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let spool = spool.clone();
            scope.spawn(move || {
                let mut open = Vec::new();
                for number in 0..500 {
                    let row = asked(thread * 1_000 + number);
                    match number % 4 {
                        0 => spool.record(row).unwrap(),
                        1 => open.push(spool.begin(row).unwrap()),
                        2 => durable(&spool, row).unwrap().finish(done(number)),
                        _ => spool.begin(row).unwrap().finish(done(number)),
                    }
                }
                open.into_iter().for_each(|begun| begun.finish(done(1)));
            });
        }
    });
    spool.flush().unwrap();
    let rows = read(dir.path());
    assert_eq!(rows.len(), 4_000);
    assert_eq!(rows.iter().map(|row| row.id).collect::<HashSet<_>>().len(), 4_000);
    assert_eq!(rows.iter().filter(|row| row.outcome.end == End::Done).count(), 3_000);
    assert_eq!(spool.status().segments, 1, "segments whose rows are all in blocks are deleted");
    // And nothing comes back after a kill.
    let copy = killed(dir.path());
    let after = Spool::open(still(copy.path())).unwrap();
    assert_eq!((after.status().recovery.rows, after.status().stored_rows), (0, 4_000));
}

#[test]
fn a_spool_that_is_behind_says_so_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(SpoolOptions { waiting_bytes_max: 20_000, ..still(dir.path()) }).unwrap();
    let mut recorded = 0;
    let error = loop {
        match spool.record(sample(recorded)) {
            Ok(()) => recorded += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, SpoolError::Behind(_)), "{error}");
    assert!(matches!(spool.begin(sample(0)), Err(SpoolError::Behind(_))));
    assert!(matches!(durable(&spool, sample(0)), Err(SpoolError::Behind(_))));
    spool.flush().unwrap();
    spool.record(sample(recorded)).unwrap();
    spool.flush().unwrap();
    assert_eq!(read(dir.path()).len() as u64, recorded + 1);
}

#[test]
fn too_many_operations_under_way_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(SpoolOptions { open_max: 3, ..still(dir.path()) }).unwrap();
    let mut open: Vec<_> = (0..3).map(|number| spool.begin(asked(number)).unwrap()).collect();
    assert!(matches!(spool.begin(asked(3)), Err(SpoolError::Behind(_))));
    drop(open.pop());
    spool.begin(asked(4)).unwrap().finish(done(1));
}

#[test]
fn a_full_store_refuses_and_keeps_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(SpoolOptions { stored_bytes_max: 1, ..still(dir.path()) }).unwrap();
    let begun = spool.begin(asked(1)).unwrap();
    spool.record(sample(2)).unwrap();
    spool.flush().unwrap();
    assert!(matches!(spool.begin(asked(3)), Err(SpoolError::Full(_))));
    begun.finish(done(1));
    spool.flush().unwrap();
    assert_eq!(read(dir.path()).len(), 2);
    drop(spool);
    let again = Spool::open(SpoolOptions { stored_bytes_max: 1, ..still(dir.path()) }).unwrap();
    assert!(matches!(again.begin(asked(3)), Err(SpoolError::Full(_))));
}

#[test]
fn a_store_that_fails_is_told_and_its_rows_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(still(dir.path())).unwrap();
    let sqlite = rusqlite::Connection::open(dir.path().join("spool.db")).unwrap();
    sqlite.execute("ALTER TABLE block RENAME TO gone", []).unwrap();
    spool.record(sample(1)).unwrap();
    assert!(matches!(spool.flush(), Err(SpoolError::Store(_))));
    assert!(matches!(spool.flush(), Err(SpoolError::Store(_))), "and again");
    assert_eq!((spool.status().waiting_rows, spool.status().error.is_some()), (1, true));
    sqlite.execute("ALTER TABLE gone RENAME TO block", []).unwrap();
    spool.flush().unwrap();
    assert_eq!((spool.status().waiting_rows, spool.status().error), (0, None));
    assert_eq!(read(dir.path()).len(), 1);
}

#[test]
fn watchers_see_rows_and_are_told_what_they_missed() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(still(dir.path())).unwrap();
    let (mut quick, slow) = (spool.subscribe(), spool.subscribe());
    for number in 0..70 {
        spool.record(sample(number)).unwrap();
        spool.flush().unwrap();
        let Ok(Live::Rows(chunk)) = quick.next_timeout(Duration::from_secs(60)) else { panic!("no rows") };
        assert_eq!(chunk.rows().map(|row| row.subject.pid).collect::<Vec<_>>(), [4_000 + number as u32]);
    }
    let seen: Vec<Live> = std::iter::from_fn(|| slow.next_timeout(Duration::ZERO).ok()).collect();
    assert_eq!(seen.len(), 64);
    spool.record(sample(70)).unwrap();
    spool.flush().unwrap();
    assert!(matches!(slow.next_wait(), Some(Live::Missed(6))));
    assert!(matches!(slow.next_wait(), Some(Live::Rows(_))));
    drop(spool);
    assert!(slow.next_wait().is_none() && quick.nth(1).is_none());
}

#[test]
fn the_spool_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("a/b");
    let spool = Spool::open(still(&inner)).unwrap();
    spool.record(sample(1)).unwrap();
    spool.flush().unwrap();
    assert_eq!(fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&inner).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
}
