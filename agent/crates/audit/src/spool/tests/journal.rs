//! What a killed process leaves, and what damage does to it.

use super::*;

fn segments(dir: &Path) -> Vec<std::path::PathBuf> {
    segment::list(dir).unwrap().into_iter().map(|left| left.path).collect()
}

/// A spool that was killed with five rows in its journal: two done, two open, one refused.
fn left() -> (TempDir, Vec<Row>) {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(still(dir.path())).unwrap();
    let rows: Vec<Row> = (0..5).map(sample).collect();
    let mut begun: Vec<_> = rows[..4].iter().map(|row| spool.begin(row.clone()).unwrap()).collect();
    begun.remove(1).finish(rows[1].outcome.clone());
    begun.remove(0).finish(rows[0].outcome.clone());
    // Writes what waits as well.
    spool.record(rows[4].clone()).unwrap();
    let copy = killed(dir.path());
    let expected = rows
        .into_iter()
        .enumerate()
        .map(
            |(index, row)| {
                if matches!(index, 2 | 3) { Row { outcome: Outcome::default(), ..row } } else { row }
            },
        )
        .collect();
    (copy, expected)
}

#[test]
fn a_killed_spool_has_every_row_once() {
    let (dir, rows) = left();
    let spool = Spool::open(still(dir.path())).unwrap();
    assert_eq!(read(dir.path()), rows);
    let recovery = spool.status().recovery;
    assert_eq!(recovery, Recovery { segments: 1, rows: 5, interrupted: 2, ..Recovery::default() });
    assert_eq!(segments(dir.path()).len(), 1, "only the new one");
    // A kill right after the recovery changes nothing.
    let copy = killed(dir.path());
    Spool::open(still(copy.path())).unwrap();
    assert_eq!(read(copy.path()), rows);
}

#[test]
fn a_kill_between_storing_and_deleting_doubles_nothing() {
    let (dir, rows) = left();
    let journal = segments(dir.path()).remove(0);
    let bytes = fs::read(&journal).unwrap();
    drop(Spool::open(still(dir.path())).unwrap());
    fs::write(&journal, bytes).unwrap();
    let spool = Spool::open(still(dir.path())).unwrap();
    assert_eq!(read(dir.path()), rows);
    assert_eq!(spool.status().recovery.rows, 0);
}

#[test]
fn rows_in_blocks_are_not_folded_again() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(still(dir.path())).unwrap();
    let open = spool.begin(asked(0)).unwrap();
    (1..200).for_each(|number| spool.record(sample(number)).unwrap());
    spool.flush().unwrap();
    (200..300).for_each(|number| spool.record(sample(number)).unwrap());
    let copy = killed(dir.path());
    let after = Spool::open(still(copy.path())).unwrap();
    assert_eq!(after.status().recovery.rows, 101);
    assert_eq!(read(copy.path()).len(), 300);
    drop(open);
}

/// Cut off, and cut off where the file had room beyond: a kill in the middle of a store into a mapped window.
#[test]
fn every_cut_keeps_the_rows_before_it() {
    let (dir, rows) = left();
    let journal = segments(dir.path()).remove(0);
    let bytes = fs::read(&journal).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    assert!(used < 8 << 10, "five rows");
    for (end, room) in (0..used).step_by(31).flat_map(|end| [(end, 0), (end, 4_096)]) {
        if end < segment::HEADER && room > 0 {
            continue; // a header is written whole before there is room
        }
        fs::write(&journal, [&bytes[..end], &vec![0; room]].concat()).unwrap();
        let copy = killed(dir.path());
        let spool = Spool::open(still(copy.path())).unwrap();
        let recovery = spool.status().recovery;
        let found = read(copy.path());
        assert_eq!(found.len() as u64, recovery.rows);
        assert_eq!((recovery.damaged_places, recovery.damaged_bytes), (0, 0), "cut at {end}, room {room}");
        assert!(recovery.torn_bytes <= end as u64, "room is not torn");
        for row in found {
            let whole = rows.iter().find(|whole| whole.id == row.id).unwrap();
            assert_eq!(Row { outcome: row.outcome.clone(), ..whole.clone() }, row);
        }
    }
}

#[test]
fn damage_in_the_middle_is_passed_over_reported_and_kept() {
    let (dir, rows) = left();
    let journal = segments(dir.path()).remove(0);
    let mut bytes = fs::read(&journal).unwrap();
    // Inside the record of the first row, and one byte of a length.
    bytes[segment::HEADER + 40] ^= 1;
    fs::write(&journal, &bytes).unwrap();
    let spool = Spool::open(still(dir.path())).unwrap();
    let recovery = spool.status().recovery;
    assert_eq!((recovery.rows, recovery.damaged_places), (4, 1));
    assert!(recovery.damaged_bytes > 100);
    assert_eq!(read(dir.path()), rows[1..]);
    assert_eq!(fs::read(journal.with_extension("damaged")).unwrap(), bytes);
}

#[test]
fn a_damaged_header_is_reported_and_kept() {
    let (dir, _) = left();
    let journal = segments(dir.path()).remove(0);
    let mut bytes = fs::read(&journal).unwrap();
    bytes[20] ^= 1;
    fs::write(&journal, &bytes).unwrap();
    let spool = Spool::open(still(dir.path())).unwrap();
    assert_eq!((spool.status().recovery.rows, spool.status().recovery.damaged_places), (0, 1));
    assert!(journal.with_extension("damaged").exists());
}

#[test]
fn a_statement_that_looks_like_a_record_is_text() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(still(dir.path())).unwrap();
    let mut forged = Vec::new();
    crate::codec::put_whole(&mut forged, 0, &sample(66));
    let row = Row { statement: String::from_utf8_lossy(&forged).into_owned(), ..sample(1) };
    spool.record(row).unwrap();
    spool.record(sample(2)).unwrap();
    let copy = killed(dir.path());
    let journal = segments(copy.path()).remove(0);
    let mut bytes = fs::read(&journal).unwrap();
    bytes[segment::HEADER + 5] ^= 1;
    fs::write(&journal, &bytes).unwrap();
    Spool::open(still(copy.path())).unwrap();
    assert_eq!(read(copy.path()).iter().map(|row| row.subject.pid).collect::<Vec<_>>(), [4_002]);
}

#[test]
fn rows_that_stay_open_do_not_hold_segments_back() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(SpoolOptions { segment_bytes: 4 << 10, ..still(dir.path()) }).unwrap();
    let long = durable(&spool, asked(0)).unwrap();
    for number in 1..400 {
        spool.record(sample(number)).unwrap();
        if number % 5 == 0 {
            spool.flush().unwrap();
        }
    }
    spool.flush().unwrap();
    spool.flush().unwrap();
    let status = spool.status();
    assert!(status.segments <= 6, "{status:?}");
    let copy = killed(dir.path());
    let after = Spool::open(still(copy.path())).unwrap();
    assert_eq!((after.status().recovery.interrupted, read(copy.path()).len()), (1, 400));
    long.finish(done(5));
    spool.flush().unwrap();
    assert_eq!(read(dir.path())[0].outcome, done(5));
    assert_eq!(read(dir.path()).len(), 400);
}

#[test]
fn huge_rows_are_cut_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(still(dir.path())).unwrap();
    let statement = "x".repeat(64 << 20);
    spool.record(Row { statement_bytes: 64 << 20, statement, ..sample(1) }).unwrap();
    let copy = killed(dir.path());
    Spool::open(still(copy.path())).unwrap();
    let rows = read(copy.path());
    assert_eq!(rows[0].statement_bytes, 64 << 20);
    assert!(rows[0].statement.len() > 10_000 && rows[0].statement.ends_with('…'));
}

#[test]
fn an_old_segment_is_closed_even_if_it_is_small() {
    let dir = tempfile::tempdir().unwrap();
    let make = |number| segment::Segment::create(dir.path(), number, number as i64).unwrap();
    let mut journal = super::super::journal::Journal::new(make(1), 1 << 20);
    assert_eq!(journal.wants_spare(Duration::ZERO), None, "it is empty");
    let place = journal.put_whole(&sample(1));
    journal.write().unwrap();
    assert_eq!(journal.wants_spare(Duration::from_secs(3_600)), None, "it is young");
    assert_eq!(journal.wants_spare(Duration::ZERO), Some(2));
    journal.give_spare(make(2));
    journal.put_ended(&sample(1));
    journal.roll_if_old(Duration::ZERO);
    assert_eq!(journal.size().0, 1, "a record waits for it");
    journal.write().unwrap();
    journal.roll_if_old(Duration::ZERO);
    assert_eq!((journal.size().0, journal.mark(), journal.done()), (2, 1, vec![]));
    journal.folded(place.segment, 1);
    assert_eq!(journal.done(), [1]);
    journal.forget(1).unwrap();
    assert_eq!(journal.mark(), 2);
}
