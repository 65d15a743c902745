//! What the handles and the threads of a spool share, and the hot path: `begin` and `finish`.

use super::journal::Journal;
use super::live::Subscribers;
use super::recover::{self, Recovery};
use super::segment::{self, Segment};
use super::slab::Slab;
use super::store::Store;
use super::{Begun, SpoolError, SpoolOptions, Then, commit, fold};
use crate::row::{End, Outcome, Row};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// The journal is written when so many bytes wait, whoever asked.
const BUFFER_BYTES: usize = 256 << 10;
/// A row in memory weighs its texts and about this, in bytes.
pub(super) const ROW_BYTES: usize = 640;

/// A row that is complete and in no block yet.
pub(super) struct Finished {
    pub(super) row: Box<Row>,
    pub(super) segment: u64,
    pub(super) weight: usize,
}

/// Someone who waits for a flush.
pub(super) struct Waiter {
    pub(super) begun: Result<Begun, SpoolError>,
    pub(super) then: Then,
}

/// What the lock guards.
pub(super) struct State {
    pub(super) journal: Journal,
    pub(super) open: Slab,
    pub(super) finished: Vec<Finished>,
    /// Weight of `finished` and of what the folding thread has taken from it and not stored yet.
    pub(super) waiting_bytes: usize,
    pub(super) waiting_rows: usize,
    pub(super) waiters: Vec<Waiter>,
    /// The folding thread sleeps until it is called.
    pub(super) fold_sleeps: bool,
    pub(super) commit_sleeps: bool,
    /// Flushes asked for, and the newest one that is served.
    pub(super) flush_wanted: u64,
    pub(super) flush_done: u64,
    /// Rounds of the folding thread that failed, for those who wait for a flush.
    pub(super) fold_failed: u64,
    /// Why the last round of folding failed; `None` after one that went well.
    pub(super) fold_error: Option<SpoolError>,
    /// The store holds as much as it may.
    pub(super) stored_full: bool,
    pub(super) begun_total: u64,
    pub(super) stop: bool,
    /// The threads have ended: rows that end now go to the journal alone.
    pub(super) ended: bool,
}

/// The spool itself.
pub(crate) struct Shared {
    pub(super) options: SpoolOptions,
    state: Mutex<State>,
    pub(super) store: Mutex<Store>,
    pub(super) fold_signal: Condvar,
    pub(super) commit_signal: Condvar,
    pub(super) flush_signal: Condvar,
    pub(super) live: Subscribers,
    pub(super) recovery: Recovery,
    /// Holds the lock on the directory while it is open.
    _lock: File,
}

impl Shared {
    pub(super) fn open(options: SpoolOptions) -> Result<Self, SpoolError> {
        let options = options.sane();
        let dir = &options.dir;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|error| {
            SpoolError::io(format!("make the spool directory `{}`", dir.display()), &error)
        })?;
        let lock = lock(&options)?;
        let mut store = Store::open(dir)?;
        let (recovery, last) = recover::recover(&options, &mut store)?;
        let current = Segment::create(dir, last + 1, store.newest_block()?)?;
        let state = State {
            journal: Journal::new(current, options.segment_bytes),
            open: Slab::default(),
            finished: Vec::new(),
            waiting_bytes: 0,
            waiting_rows: 0,
            waiters: Vec::new(),
            fold_sleeps: false,
            commit_sleeps: false,
            flush_wanted: 0,
            flush_done: 0,
            fold_failed: 0,
            fold_error: None,
            stored_full: store.totals()?.bytes > options.stored_bytes_max,
            begun_total: 0,
            stop: false,
            ended: false,
        };
        Ok(Self {
            options,
            state: Mutex::new(state),
            store: Mutex::new(store),
            fold_signal: Condvar::new(),
            commit_signal: Condvar::new(),
            flush_signal: Condvar::new(),
            live: Subscribers::default(),
            recovery,
            _lock: lock,
        })
    }

    /// A panic under the lock leaves counters at worst one step apart; stopping all auditing would be worse.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(this: &Arc<Self>, mut row: Box<Row>) -> Result<Begun, SpoolError> {
        row.fit(this.options.row_bytes_max);
        let mut state = this.state();
        this.accepts(&state)?;
        let place = state.journal.put_asked(&row);
        if let Err(error) = state.journal.write() {
            state.journal.take_back(place);
            return Err(error);
        }
        state.begun_total += 1;
        let slot = state.open.insert(place);
        drop(state);
        Ok(Begun::new(row, slot, this))
    }

    pub(super) fn begin_durable(this: &Arc<Self>, mut row: Box<Row>, then: Then) {
        row.fit(this.options.row_bytes_max);
        let mut state = this.state();
        let begun = this.put_durable(&mut state, &row).map(|slot| Begun::new(row, slot, this));
        state.waiters.push(Waiter { begun, then });
        // A thread that is awake looks at the list again before it sleeps.
        if std::mem::replace(&mut state.commit_sleeps, false) {
            this.commit_signal.notify_one();
        }
    }

    /// The committing thread writes the buffer; here it is written only if it is large or writing failed before.
    fn put_durable(&self, state: &mut State, row: &Row) -> Result<usize, SpoolError> {
        self.accepts(state)?;
        let place = state.journal.put_asked(row);
        if (state.journal.failing || state.journal.buffered() > BUFFER_BYTES)
            && let Err(error) = state.journal.write()
        {
            state.journal.take_back(place);
            return Err(error);
        }
        state.begun_total += 1;
        Ok(state.open.insert(place))
    }

    pub(super) fn record(&self, mut row: Box<Row>) -> Result<(), SpoolError> {
        row.fit(self.options.row_bytes_max);
        let mut state = self.state();
        self.accepts(&state)?;
        let place = state.journal.put_whole(&row);
        if let Err(error) = state.journal.write() {
            state.journal.take_back(place);
            return Err(error);
        }
        state.begun_total += 1;
        self.finished(&mut state, row, place.segment);
        Ok(())
    }

    /// May another row begin?
    fn accepts(&self, state: &State) -> Result<(), SpoolError> {
        if state.stop {
            return Err(SpoolError::Closed);
        }
        if state.stored_full {
            let max = self.options.stored_bytes_max >> 20;
            return Err(SpoolError::Full(format!(
                "its blocks take more than {max} MiB; see why the sink does not take them, or allow more"
            )));
        }
        if state.waiting_bytes > self.options.waiting_bytes_max {
            let why =
                state.fold_error.as_ref().map_or(String::new(), |error| format!("; storing failed: {error}"));
            return Err(SpoolError::Behind(format!(
                "{} finished rows are not stored yet{why}",
                state.waiting_rows
            )));
        }
        if state.open.len() >= self.options.open_max {
            return Err(SpoolError::Behind(format!("{} operations are under way", state.open.len())));
        }
        Ok(())
    }

    /// A row has ended. Never fails: the row is in memory, and its beginning in the journal.
    pub(super) fn finish(&self, mut row: Box<Row>, slot: usize) {
        row.outcome.fit(self.options.row_bytes_max / 9);
        let mut state = self.state();
        state.journal.put_ended(&row);
        let segment = state.open.remove(slot).map_or(0, |place| place.segment);
        if state.ended || state.journal.buffered() > BUFFER_BYTES {
            // A failure shows in the next `begin`; until then the record stays in the buffer.
            let _ = state.journal.write();
        }
        self.finished(&mut state, row, segment);
    }

    fn finished(&self, state: &mut State, row: Box<Row>, segment: u64) {
        if state.ended {
            return;
        }
        let weight = row.weight() + ROW_BYTES;
        state.waiting_bytes += weight;
        state.waiting_rows += 1;
        state.finished.push(Finished { row, segment, weight });
        if state.fold_sleeps || state.finished.len() == self.options.block_rows {
            state.fold_sleeps = false;
            self.fold_signal.notify_one();
        }
    }

    /// The outcome of an operation that could not be made durable, and so was refused.
    pub(super) fn not_durable(error: &SpoolError) -> Outcome {
        Outcome { end: End::Refused, error: error.to_string(), ..Outcome::default() }
    }

    pub(super) fn flush(&self) -> Result<(), SpoolError> {
        let mut state = self.state();
        if state.ended {
            return Err(SpoolError::Closed);
        }
        state.flush_wanted += 1;
        let (wanted, failed) = (state.flush_wanted, state.fold_failed);
        state.fold_sleeps = false;
        self.fold_signal.notify_one();
        while state.flush_done < wanted && !state.ended {
            state = self.flush_signal.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match &state.fold_error {
            // A failure that began before this flush was asked for counts as well: its rows are still missing.
            Some(error) if state.fold_failed > failed => Err(error.clone()),
            _ if state.flush_done < wanted => Err(SpoolError::Closed),
            _ => Ok(()),
        }
    }
}

/// Locks the spool for this process; the lock ends with the process, however it ends.
fn lock(options: &SpoolOptions) -> Result<File, SpoolError> {
    let path = options.dir.join("lock");
    let doing = || format!("lock `{}`", path.display());
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|error| SpoolError::io(doing(), &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SpoolError::InUse { dir: options.dir.clone() }),
        Err(TryLockError::Error(error)) => Err(SpoolError::io(doing(), &error)),
    }
}

/// Ends the threads when the last handle goes.
pub(crate) struct Owner {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Owner {
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Self, SpoolError> {
        let spawn = |name: &str, body: fn(&Arc<Shared>)| {
            let shared = Arc::clone(shared);
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || body(&shared))
                .map_err(|error| SpoolError::io("start a thread of the spool", &error))
        };
        let mut owner = Self { shared: Arc::clone(shared), threads: Vec::new() };
        owner.threads.push(spawn("audit-commit", commit::run)?);
        owner.threads.push(spawn("audit-fold", fold::run)?);
        Ok(owner)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.commit_signal.notify_all();
        self.shared.fold_signal.notify_all();
        for thread in self.threads.drain(..) {
            // The last handle may go in a callback, on one of the threads themselves.
            if thread.thread().id() != thread::current().id() {
                // A panic of the thread was reported when it happened.
                let _ = thread.join();
            }
        }
        let mut state = self.shared.state();
        state.ended = true;
        let _ = state.journal.write();
        drop(state);
        self.shared.flush_signal.notify_all();
    }
}

/// Deletes a file that may be gone already.
pub(super) fn delete(path: &std::path::Path) -> Result<(), SpoolError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(SpoolError::io(format!("delete `{}`", path.display()), &error))
        }
        _ => Ok(()),
    }
}

/// Keeps a damaged segment for a person to look at.
pub(super) fn set_aside(path: &std::path::Path) -> Result<(), SpoolError> {
    let aside = path.with_extension("damaged");
    fs::rename(path, &aside)
        .map_err(|error| SpoolError::io(format!("rename `{}`", path.display()), &error))?;
    path.parent().map_or(Ok(()), |dir| {
        segment::sync_dir(dir).map_err(|error| SpoolError::io(format!("flush `{}`", dir.display()), &error))
    })
}
