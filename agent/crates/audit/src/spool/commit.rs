//! The committing thread: one flush for everyone who waits.

use super::SpoolError;
use super::shared::{Shared, Waiter};
use std::fs::File;
use std::sync::{Arc, PoisonError};

/// Serves [`crate::Spool::begin_durable`] until the spool is closed. While one flush runs, the next group gathers.
pub(super) fn run(shared: &Arc<Shared>) {
    loop {
        let mut state = shared.state();
        while state.waiters.is_empty() {
            if state.stop {
                return;
            }
            state.commit_sleeps = true;
            state = shared.commit_signal.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.commit_sleeps = false;
        let waiters = std::mem::take(&mut state.waiters);
        let files = state.journal.write_group().map(|()| state.journal.take_unsynced());
        drop(state);

        answer(waiters, files.and_then(|files| sync(&files)));
    }
}

/// Flushes the data of the files to disk.
pub(super) fn sync(files: &[Arc<File>]) -> Result<(), SpoolError> {
    files.iter().try_for_each(|file| {
        file.sync_data().map_err(|error| SpoolError::io("flush the journal to disk", &error))
    })
}

fn answer(waiters: Vec<Waiter>, synced: Result<(), SpoolError>) {
    for Waiter { begun, then } in waiters {
        then(match (begun, &synced) {
            (Ok(begun), Err(error)) => {
                // Its record may still reach the disk: say there that the operation was refused.
                begun.finish(Shared::not_durable(error));
                Err(error.clone())
            }
            (begun, _) => begun,
        });
    }
}
