//! A row that has begun and must end.

use super::shared::Shared;
use crate::row::{Outcome, Row};
use std::fmt;
use std::sync::Arc;

/// An operation that is recorded and not finished. Dropping it records that its end was not seen.
#[must_use = "dropping it records the operation as interrupted"]
pub struct Begun {
    /// Taken when it ends.
    row: Option<Box<Row>>,
    slot: usize,
    shared: Arc<Shared>,
}

impl Begun {
    pub(super) fn new(row: Box<Row>, slot: usize, shared: &Arc<Shared>) -> Self {
        Self { row: Some(row), slot, shared: Arc::clone(shared) }
    }

    /// The row, without its outcome.
    pub fn row(&self) -> Option<&Row> {
        self.row.as_deref()
    }

    /// Records how it ended, as [`crate::Spool::finish`].
    pub fn finish(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(mut row) = self.row.take() {
            row.outcome = outcome;
            self.shared.finish(row, self.slot);
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.end(Outcome::default());
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").field("id", &self.row.as_ref().map(|row| row.id)).finish_non_exhaustive()
    }
}
