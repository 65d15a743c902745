//! The statements that one session ran last, so that the next like one is known without a look into what all sessions
//! share: most sessions run the same few again and again.

use super::{Reading, Scope, shape};
use std::sync::Arc;

/// Statements remembered: more than most loops have, few enough to compare with one after the other.
const ENTRIES_MAX: usize = 8;
/// Longer ones are not remembered: a session must not hold much.
const BYTES_MAX: usize = 4 << 10;
/// Nor those of which there is more to say than so many accesses and effects.
const PARTS_MAX: usize = 64;

/// Statements by text or shape, with their readings. Starts empty and small.
#[derive(Debug, Default)]
pub struct Recent {
    entries: Vec<Entry>,
    /// The one that was found or remembered last.
    last: usize,
}

#[derive(Debug)]
struct Entry {
    scope: Arc<Scope>,
    key: Arc<[u8]>,
    reading: Arc<Reading>,
}

impl Recent {
    /// The reading of that text, or of another of its shape, in that very scope.
    pub(super) fn find(&mut self, scope: &Arc<Scope>, text: &[u8]) -> Option<Arc<Reading>> {
        // The same again, or what follows in a loop.
        let (before, from) = self.entries.split_at_checked(self.last)?;
        let fits = |entry: &&Entry| Arc::ptr_eq(&entry.scope, scope) && shape::fits(&entry.key, text);
        let (ahead, entry) = from.iter().chain(before).enumerate().find(|(_, entry)| fits(entry))?;
        self.last = (self.last + ahead) % self.entries.len();
        Some(Arc::clone(&entry.reading))
    }

    /// Remembers the reading of `text` by the key that all sessions know it by, in place of the one that would be
    /// looked at last.
    pub(super) fn remember(
        &mut self,
        scope: &Arc<Scope>,
        (key, text): (Arc<[u8]>, &[u8]),
        reading: &Arc<Reading>,
    ) {
        let parts = reading.meaning.accesses.len() + reading.effects.len();
        // A text that does not fit its own key would not be found again; one of its own with a mark in it would be taken
        // for a shape.
        if key.len() > BYTES_MAX || parts > PARTS_MAX || !shape::fits(&key, text) {
            return;
        }
        let entry = Entry { scope: Arc::clone(scope), key, reading: Arc::clone(reading) };
        if self.entries.len() < ENTRIES_MAX {
            self.last = self.entries.len();
            return self.entries.push(entry);
        }
        self.last = (self.last + ENTRIES_MAX - 1) % ENTRIES_MAX;
        if let Some(place) = self.entries.get_mut(self.last) {
            *place = entry;
        }
    }
}

#[cfg(test)]
mod tests;
