//! The folding thread: finished rows become blocks, and segments that are not needed any more go.

use super::SpoolError;
use super::commit;
use super::segment::Segment;
use super::shared::{Finished, Shared, State, delete};
use super::store::Packed;
use crate::row::Row;
use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Texts in a block, at most, in bytes, so that a block fits easily into memory wherever it goes.
const BLOCK_BYTES: usize = 16 << 20;
/// Retention is looked after so often.
const HOUSEKEEPING: Duration = Duration::from_secs(30);
/// A segment is closed when it is so old, even if it is small.
const SEGMENT_AGE: Duration = Duration::from_secs(3_600);
/// After a failure the next attempt waits so long, or until a flush asks.
const RETRY: Duration = Duration::from_secs(1);
/// Old segments that open rows may hold back before these rows are written into the journal once more.
const LINGERING: usize = 3;
/// Blocks deleted in one go.
const EXPIRE: usize = 64;

/// What the thread remembers from round to round.
struct Folder<'a> {
    shared: &'a Shared,
    /// Rows that were taken and could not be stored yet.
    backlog: Vec<Finished>,
    scratch: Vec<u8>,
    /// Rows were written to the journal once more and are not safe there yet: no old segment may go.
    carried: bool,
    housekept: Instant,
}

/// Folds until the spool is closed, and everything that has finished by then.
pub(super) fn run(shared: &Arc<Shared>) {
    let housekept = Instant::now();
    let mut folder = Folder { shared, backlog: Vec::new(), scratch: Vec::new(), carried: false, housekept };
    loop {
        let mut state = wait(shared, folder.backlog.is_empty(), folder.housekept);
        let (stop, wanted) = (state.stop, state.flush_wanted);
        // A failure shows in `begin`, which writes the same buffer.
        let _ = state.journal.write();
        folder.backlog.append(&mut state.finished);
        drop(state);
        let result = folder.round();
        folder.report(&result, wanted);
        if stop {
            break;
        }
    }
    shared.live.close();
}

impl Folder<'_> {
    fn round(&mut self) -> Result<(), SpoolError> {
        self.fold()?;
        self.shared.store().merge(self.shared.options.block_rows)?;
        self.segments()?;
        if self.housekept.elapsed() >= HOUSEKEEPING {
            self.housekept = Instant::now();
            self.housekeep()?;
        }
        Ok(())
    }

    /// Stores the backlog.
    fn fold(&mut self) -> Result<(), SpoolError> {
        if self.backlog.is_empty() {
            return Ok(());
        }
        let (mut rows, mut weights, mut segments) = (Vec::new(), Vec::new(), BTreeMap::<u64, u64>::new());
        for finished in self.backlog.drain(..) {
            rows.push(finished.row);
            weights.push((finished.segment, finished.weight));
            *segments.entry(finished.segment).or_default() += 1;
        }
        let blocks: Vec<Packed> = split(&rows, &weights, self.shared.options.block_rows)
            .map(|rows| Packed::new(rows, &mut self.scratch))
            .collect();
        self.scratch.shrink_to(BLOCK_BYTES);
        if let Err(error) = self.shared.store().add(&blocks) {
            let back = rows.into_iter().zip(weights);
            self.backlog = back.map(|(row, (segment, weight))| Finished { row, segment, weight }).collect();
            return Err(error);
        }
        let mut state = self.shared.state();
        state.waiting_rows = state.waiting_rows.saturating_sub(rows.len());
        state.waiting_bytes =
            state.waiting_bytes.saturating_sub(weights.iter().map(|(_, weight)| weight).sum());
        segments.into_iter().for_each(|(segment, rows)| state.journal.folded(segment, rows));
        drop(state);
        self.shared.live.publish(rows);
        Ok(())
    }

    /// Makes the next segment ahead, moves rows that have been open for long, deletes what is done.
    fn segments(&mut self) -> Result<(), SpoolError> {
        let wanted = self.shared.state().journal.wants_spare(SEGMENT_AGE);
        if let Some(number) = wanted {
            let mark = self.shared.store().newest_block()?;
            let spare = Segment::create(&self.shared.options.dir, number, mark)?;
            self.shared.state().journal.give_spare(spare);
        }
        self.shared.state().journal.roll_if_old(SEGMENT_AGE);
        self.carry()?;
        let done = self.shared.state().journal.done();
        if done.is_empty() || self.carried {
            return Ok(());
        }
        self.shared.store().durable()?;
        for number in done {
            let path = self.shared.state().journal.forget(number);
            path.map_or(Ok(()), |path| delete(&path))?;
        }
        Ok(())
    }

    /// Writes the rows that are still open in the oldest segment into the newest one.
    fn carry(&mut self) -> Result<(), SpoolError> {
        let mut state = self.shared.state();
        let State { journal, open, .. } = &mut *state;
        if let Some(oldest) = journal.lingering(LINGERING) {
            for place in open.iter_mut().filter(|place| place.segment == oldest) {
                if let Some(new) = journal.carry(*place) {
                    *place = new;
                    self.carried = true;
                }
            }
        }
        if self.carried {
            journal.write()?;
            let files = journal.unsynced();
            drop(state);
            commit::sync(&files)?;
            self.carried = false;
        }
        Ok(())
    }

    fn housekeep(&mut self) -> Result<(), SpoolError> {
        let options = &self.shared.options;
        let mark = self.shared.state().journal.mark();
        let keep = (options.keep_age, options.keep_bytes);
        while self.shared.store().retain(keep, options.local_only, mark, EXPIRE)? > 0 {}
        Ok(())
    }

    fn report(&self, result: &Result<(), SpoolError>, wanted: u64) {
        let bytes = self.shared.store().bytes();
        let mut state = self.shared.state();
        match result {
            Ok(()) => {
                state.flush_done = wanted;
                state.fold_error = None;
            }
            Err(error) => {
                state.fold_failed += 1;
                // Nobody waits any more after a failure; the next round is the next attempt.
                state.flush_done = wanted;
                state.fold_error = Some(error.clone());
            }
        }
        state.stored_full = bytes > self.shared.options.stored_bytes_max;
        drop(state);
        self.shared.flush_signal.notify_all();
    }
}

/// Sleeps while there is nothing to do, then until it is time to do it. `clean`: nothing is left from a failure.
fn wait(shared: &Shared, clean: bool, housekept: Instant) -> MutexGuard<'_, State> {
    let mut state = shared.state();
    let calls = |state: &State| state.stop || state.flush_wanted > state.flush_done;
    let nothing = |state: &State| state.finished.is_empty() && state.journal.buffered() == 0 && !calls(state);
    while clean && nothing(&state) && housekept.elapsed() < HOUSEKEEPING {
        state.fold_sleeps = true;
        let wait = HOUSEKEEPING.saturating_sub(housekept.elapsed());
        state = shared.fold_signal.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
    }
    state.fold_sleeps = false;
    let (every, full) =
        if clean { (shared.options.fold_every, shared.options.block_rows) } else { (RETRY, usize::MAX) };
    let started = Instant::now();
    while !calls(&state) && state.finished.len() < full {
        let Some(left) = every.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) else { break };
        state = shared.fold_signal.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
    }
    state
}

/// Cuts rows into blocks: by number, and by weight where rows are heavy.
fn split<'a>(
    rows: &'a [Box<Row>],
    weights: &'a [(u64, usize)],
    block_rows: usize,
) -> impl Iterator<Item = &'a [Box<Row>]> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |(_, weight): &&(u64, usize)| {
            bytes += weight;
            bytes <= BLOCK_BYTES
        };
        let many = weights.get(start..)?.iter().take(block_rows).take_while(fits).count().max(1);
        let block = rows.get(start..(start + many).min(rows.len())).filter(|block| !block.is_empty())?;
        start += many;
        Some(block)
    })
}
