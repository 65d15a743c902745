//! Folding what an earlier process left in the journal: every row that began, once.

use super::segment::{self, Left, Scanned};
use super::shared::{delete, set_aside};
use super::store::{Packed, Store};
use super::{SpoolError, SpoolOptions};
use crate::codec::Record;
use crate::row::{Outcome, Row};
use hashbrown::{HashMap, HashSet};
use std::fs;
use uuid::Uuid;

/// What opening a spool found in the journal.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Recovery {
    /// Segments that were left.
    pub segments: u64,
    /// Rows that were in no block, and are now.
    pub rows: u64,
    /// Those of them whose end nobody saw.
    pub interrupted: u64,
    /// Bytes at the end of the journal that were no whole record: a write that the kill cut short.
    pub torn_bytes: u64,
    /// Places in the middle of the journal that were damaged. Their segments are kept as `*.damaged`.
    pub damaged_places: u64,
    /// Bytes passed over there.
    pub damaged_bytes: u64,
    /// Records of a version that this build does not know; their segments are kept as `*.damaged`.
    pub unknown_records: u64,
}

/// Folds all segments and removes them. Gives the number of the last one as well.
pub(super) fn recover(options: &SpoolOptions, store: &mut Store) -> Result<(Recovery, u64), SpoolError> {
    let left = segment::list(&options.dir)?;
    let last = left.last().map_or(0, |left| left.number);
    let mut folding = Folding::new(options, store);
    folding.recovery.segments = left.len() as u64;
    if let Some(mark) = left.iter().filter_map(|left| segment::mark(&left.path)).min() {
        folding.know(mark)?;
    }
    let mut damaged = Vec::new();
    for (index, one) in left.iter().enumerate() {
        let scanned = folding.segment(one)?;
        let torn_early = index + 1 < left.len() && scanned.torn_bytes > 0;
        if scanned.damaged_places > 0 || scanned.unknown_records > 0 || torn_early {
            damaged.push(index);
        }
        folding.count(scanned, torn_early);
    }
    let recovery = folding.end()?;
    store.durable()?;
    for (index, one) in left.iter().enumerate() {
        if damaged.contains(&index) { set_aside(&one.path)? } else { delete(&one.path)? }
    }
    Ok((recovery, last))
}

struct Folding<'a> {
    options: &'a SpoolOptions,
    store: &'a mut Store,
    recovery: Recovery,
    /// Rows that are in blocks.
    known: HashSet<Uuid>,
    open: HashMap<Uuid, Box<Row>>,
    done: Vec<Box<Row>>,
}

impl<'a> Folding<'a> {
    fn new(options: &'a SpoolOptions, store: &'a mut Store) -> Self {
        Self {
            options,
            store,
            recovery: Recovery::default(),
            known: HashSet::new(),
            open: HashMap::new(),
            done: Vec::new(),
        }
    }

    fn know(&mut self, mark: i64) -> Result<(), SpoolError> {
        let known = &mut self.known;
        self.store.ids_after(mark, |id| {
            known.insert(id);
        })
    }

    fn segment(&mut self, left: &Left) -> Result<Scanned, SpoolError> {
        let bytes = fs::read(&left.path)
            .map_err(|error| SpoolError::io(format!("read the journal `{}`", left.path.display()), &error))?;
        match segment::header(&bytes) {
            Some((_, salt)) => segment::scan(&bytes, salt, |record| self.take(record)),
            // Killed while it was made: it has no records. Anything longer was damaged.
            None => {
                let damaged = bytes.len() > segment::HEADER;
                Ok(Scanned {
                    torn_bytes: if damaged { 0 } else { bytes.len() as u64 },
                    damaged_places: u64::from(damaged),
                    damaged_bytes: if damaged { bytes.len() as u64 } else { 0 },
                    unknown_records: 0,
                })
            }
        }
    }

    fn take(&mut self, record: Record) -> Result<(), SpoolError> {
        match record {
            Record::Asked(row) => {
                if !self.known.contains(&row.id) {
                    self.open.entry(row.id).or_insert(row);
                }
            }
            Record::Ended(id, ended) => {
                // Without its beginning, it is in a block and its segment is gone.
                if let Some(mut row) = self.open.remove(&id) {
                    row.outcome = ended.outcome;
                    self.done(row)?;
                }
            }
            Record::Whole(row) => {
                if !self.known.contains(&row.id) {
                    self.done(row)?;
                }
            }
        }
        Ok(())
    }

    fn done(&mut self, row: Box<Row>) -> Result<(), SpoolError> {
        self.known.insert(row.id);
        self.recovery.rows += 1;
        self.done.push(row);
        if self.done.len() >= self.options.block_rows { self.fold() } else { Ok(()) }
    }

    fn fold(&mut self) -> Result<(), SpoolError> {
        if !self.done.is_empty() {
            self.store.add(&[Packed::new(&self.done, &mut Vec::new())])?;
            self.done.clear();
        }
        Ok(())
    }

    fn count(&mut self, scanned: Scanned, torn_early: bool) {
        let recovery = &mut self.recovery;
        recovery.damaged_places += scanned.damaged_places + u64::from(torn_early);
        recovery.damaged_bytes += scanned.damaged_bytes;
        recovery.unknown_records += scanned.unknown_records;
        if torn_early {
            recovery.damaged_bytes += scanned.torn_bytes;
        } else {
            recovery.torn_bytes += scanned.torn_bytes;
        }
    }

    fn end(mut self) -> Result<Recovery, SpoolError> {
        let mut open: Vec<Box<Row>> = self.open.drain().map(|(_, row)| row).collect();
        open.sort_by_key(|row| (row.time, row.id));
        self.recovery.interrupted = open.len() as u64;
        for mut row in open {
            row.outcome = Outcome::default();
            self.done(row)?;
        }
        self.fold()?;
        Ok(self.recovery)
    }
}
