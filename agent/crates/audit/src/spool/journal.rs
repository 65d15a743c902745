//! The journal as its writers see it: a buffer of records, the segment that takes them, and the older segments that
//! still hold rows that are in no block.

use super::SpoolError;
use super::segment::{HEADER, Segment};
use super::slab::Place;
use crate::codec;
use crate::row::Row;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A segment that is no longer written.
pub(super) struct Closed {
    pub(super) path: PathBuf,
    pub(super) file: Arc<File>,
    pub(super) mark: i64,
    pub(super) bytes: u64,
}

/// See the top of the file. Everything here happens under the spool's lock.
pub(super) struct Journal {
    current: Segment,
    /// The next segment, made ahead by the folding thread: making one takes a flush.
    spare: Option<Segment>,
    segment_bytes: u64,
    /// Records that are not written yet.
    buffer: Vec<u8>,
    /// Files with data that no flush has covered yet.
    unsynced: Vec<Arc<File>>,
    closed: BTreeMap<u64, Closed>,
    /// Rows by the segment that they began in, until they are in a block.
    live: BTreeMap<u64, u64>,
    /// The last write failed.
    pub(super) failing: bool,
}

impl Journal {
    pub(super) fn new(current: Segment, segment_bytes: u64) -> Self {
        Self {
            current,
            spare: None,
            segment_bytes,
            buffer: Vec::with_capacity(64 << 10),
            unsynced: Vec::new(),
            closed: BTreeMap::new(),
            live: BTreeMap::new(),
            failing: false,
        }
    }

    /// Puts the record of a row that begins into the buffer.
    pub(super) fn put_asked(&mut self, row: &Row) -> Place {
        let start = self.buffer.len();
        codec::put_asked(&mut self.buffer, self.current.salt, row);
        self.placed(start)
    }

    /// Puts the record of a whole row into the buffer.
    pub(super) fn put_whole(&mut self, row: &Row) -> Place {
        let start = self.buffer.len();
        codec::put_whole(&mut self.buffer, self.current.salt, row);
        self.placed(start)
    }

    /// Puts the record of a row's end into the buffer.
    pub(super) fn put_ended(&mut self, row: &Row) {
        codec::put_ended(&mut self.buffer, self.current.salt, row);
    }

    /// Puts a record that lies in an old segment into the buffer once more. `None` if it can't be read.
    pub(super) fn carry(&mut self, place: Place) -> Option<Place> {
        let old = self.closed.get(&place.segment)?;
        let mut record = vec![0; usize::try_from(place.length).ok()?];
        old.file.read_exact_at(&mut record, place.offset).ok()?;
        codec::resalt(&mut record, self.current.salt).then_some(())?;
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&record);
        self.folded(place.segment, 1);
        Some(self.placed(start))
    }

    fn placed(&mut self, start: usize) -> Place {
        let segment = self.current.number;
        *self.live.entry(segment).or_default() += 1;
        let length = u32::try_from(self.buffer.len() - start).unwrap_or(u32::MAX);
        Place { segment, offset: self.current.written + start as u64, length }
    }

    /// Takes the newest record, which is at `place`, out of the buffer again: it could not be written.
    pub(super) fn take_back(&mut self, place: Place) {
        let start = place.offset.saturating_sub(self.current.written);
        self.buffer.truncate(usize::try_from(start).unwrap_or(usize::MAX));
        self.folded(place.segment, 1);
    }

    /// Bytes that wait to be written.
    pub(super) const fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Writes the buffer; it stays as it is if that fails.
    pub(super) fn write(&mut self) -> Result<(), SpoolError> {
        self.write_by(Segment::append)
    }

    /// As [`Self::write`], when a flush follows at once.
    pub(super) fn write_group(&mut self) -> Result<(), SpoolError> {
        self.write_by(Segment::append_group)
    }

    fn write_by(
        &mut self,
        append: impl FnOnce(&mut Segment, &[u8]) -> std::io::Result<()>,
    ) -> Result<(), SpoolError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(error) = append(&mut self.current, &self.buffer) {
            self.failing = true;
            return Err(SpoolError::io(
                format!("write the journal `{}`", self.current.path.display()),
                &error,
            ));
        }
        self.failing = false;
        self.buffer.clear();
        self.buffer.shrink_to(1 << 20);
        if self.unsynced.last().is_none_or(|file| !Arc::ptr_eq(file, &self.current.file)) {
            self.unsynced.push(Arc::clone(&self.current.file));
        }
        if self.current.written >= self.segment_bytes
            && let Some(next) = self.spare.take()
        {
            self.roll(next);
        }
        Ok(())
    }

    fn roll(&mut self, next: Segment) {
        let mut old = std::mem::replace(&mut self.current, next);
        old.close();
        let closed = Closed { path: old.path, file: old.file, mark: old.mark, bytes: old.written };
        self.closed.insert(old.number, closed);
    }

    /// The files that a flush would have to cover, which stay on the list of the next flush.
    pub(super) fn unsynced(&self) -> Vec<Arc<File>> {
        self.unsynced.clone()
    }

    /// The files that a flush must cover now.
    pub(super) fn take_unsynced(&mut self) -> Vec<Arc<File>> {
        std::mem::take(&mut self.unsynced)
    }

    /// The number that a spare segment is to have, when one is wanted: long before the current one is full, or when it
    /// is older than `age`.
    pub(super) fn wants_spare(&self, age: Duration) -> Option<u64> {
        let wanted = self.current.written >= self.segment_bytes / 2 || self.is_old(age);
        (wanted && self.spare.is_none()).then_some(self.current.number + 1)
    }

    /// Closes the current segment if it is older than `age`: retention spares blocks of which it may have rows.
    pub(super) fn roll_if_old(&mut self, age: Duration) {
        // Records in the buffer belong to the current segment.
        if self.is_old(age)
            && self.buffer.is_empty()
            && let Some(next) = self.spare.take()
        {
            self.roll(next);
        }
    }

    fn is_old(&self, age: Duration) -> bool {
        self.current.written > HEADER as u64 && self.current.made.elapsed() >= age
    }

    pub(super) fn give_spare(&mut self, spare: Segment) {
        self.spare = Some(spare);
    }

    /// So many rows that began in `segment` are in blocks.
    pub(super) fn folded(&mut self, segment: u64, rows: u64) {
        if let Some(live) = self.live.get_mut(&segment) {
            *live = live.saturating_sub(rows);
            if *live == 0 {
                self.live.remove(&segment);
            }
        }
    }

    /// The closed segments of which every row is in a block.
    pub(super) fn done(&self) -> Vec<u64> {
        self.closed.keys().copied().filter(|number| !self.live.contains_key(number)).collect()
    }

    /// Forgets a segment; gives its path, to be deleted.
    pub(super) fn forget(&mut self, segment: u64) -> Option<PathBuf> {
        self.closed.remove(&segment).map(|closed| closed.path)
    }

    /// The oldest segment, if it keeps `many` younger ones company only because of rows that are still open.
    pub(super) fn lingering(&self, many: usize) -> Option<u64> {
        let (oldest, _) = self.closed.first_key_value()?;
        (self.closed.len() > many).then_some(*oldest)
    }

    /// The newest block when the oldest segment was made: older blocks hold no row that the journal has.
    pub(super) fn mark(&self) -> i64 {
        let closed = self.closed.values().map(|closed| closed.mark).min();
        closed.map_or(self.current.mark, |mark| mark.min(self.current.mark))
    }

    /// Segments and their bytes.
    pub(super) fn size(&self) -> (usize, u64) {
        let closed: u64 = self.closed.values().map(|closed| closed.bytes).sum();
        (self.closed.len() + 1, closed + self.current.written)
    }
}
