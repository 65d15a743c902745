//! Prepared statements, portals and cursors: what a name may stand for.
//!
//! Requests are decided before the target has replied to earlier ones, so a name can have several possible meanings
//! for a while: the definition may have failed, or been skipped because something before it failed. A [`Names`] table
//! keeps all that are still possible; a use is judged as all of them at once. Replies narrow it down again.

use bytes::Bytes;
use foldhash::quality::RandomState;
use hashbrown::HashMap;

/// Names of one kind and their possible definitions, oldest first.
#[derive(Debug)]
pub(super) struct Names<T> {
    table: HashMap<Bytes, Vec<Definition<T>>, RandomState>,
    max: usize,
}

#[derive(Debug)]
struct Definition<T> {
    /// The requests that made it: the first and the last of several equal ones in a row.
    first: u64,
    seq: u64,
    /// The pipeline segment (requests up to one Sync) that the request was part of.
    segment: u64,
    what: T,
}

/// No room for another name.
#[derive(Debug)]
pub(super) struct TooMany;

/// Definitions of one name that are possible at once; more means a client that never waits for replies.
const POSSIBLE_MAX: usize = 1_024;

impl<T: PartialEq> Names<T> {
    pub(super) fn new(max: usize) -> Self {
        Self { table: HashMap::with_hasher(RandomState::default()), max }
    }

    /// Adds a definition made by request `seq`.
    pub(super) fn define(&mut self, name: &Bytes, seq: u64, segment: u64, what: T) -> Result<(), TooMany> {
        if self.table.len() >= self.max && !self.table.contains_key(name) {
            return Err(TooMany);
        }
        // A copy: the key must not keep the whole message alive.
        let possible = match self.table.get_mut(name) {
            Some(possible) => possible,
            None => self.table.entry(Bytes::copy_from_slice(name)).or_default(),
        };
        // A batch defines the same again and again.
        if let Some(last) = possible.last_mut().filter(|last| last.what == what && last.segment == segment) {
            last.seq = seq;
            return Ok(());
        }
        if possible.len() >= POSSIBLE_MAX {
            return Err(TooMany);
        }
        possible.push(Definition { first: seq, seq, segment, what });
        Ok(())
    }

    /// Everything that `name` may stand for in `segment`. A definition without a name (`""`) replaces the one before,
    /// and if it is skipped then so is everything after it in its segment: there, only the last counts.
    pub(super) fn possible(&self, name: &[u8], segment: u64) -> impl Iterator<Item = &T> {
        let all = self.table.get(name).map_or(&[][..], Vec::as_slice);
        let last_counts = name.is_empty() && all.last().is_some_and(|last| last.segment == segment);
        let from = if last_counts { all.len() - 1 } else { 0 };
        all.iter().skip(from).map(|definition| &definition.what)
    }

    /// Definitions of `name` that were made before request `seq`.
    pub(super) fn older(&self, name: &[u8], seq: u64) -> impl Iterator<Item = &T> {
        let all = self.table.get(name).map_or(&[][..], Vec::as_slice);
        all.iter().filter(move |definition| definition.seq < seq).map(|definition| &definition.what)
    }

    /// The sum of something over all definitions.
    pub(super) fn sum(&self, of: impl Fn(&T) -> usize) -> usize {
        self.table.values().flatten().map(|definition| of(&definition.what)).sum()
    }

    pub(super) fn is_full(&self) -> bool {
        self.table.len() >= self.max
    }

    /// The target took the definition that request `seq` made: older ones are gone.
    pub(super) fn confirm(&mut self, name: &[u8], seq: u64) {
        if let Some(possible) = self.table.get_mut(name) {
            possible.retain(|definition| definition.seq >= seq);
        }
    }

    /// The target did not take the definition that request `seq` made.
    pub(super) fn fail(&mut self, name: &[u8], seq: u64) {
        self.retain(name, |definition| definition.seq != seq || definition.first != seq);
    }

    /// The target let go of the name when it came to request `seq`.
    pub(super) fn release(&mut self, name: &[u8], seq: u64) {
        self.retain(name, |definition| definition.seq > seq);
    }

    /// The target let go of all names when it came to request `seq`.
    pub(super) fn release_all(&mut self, seq: u64) {
        // At the end of every statement outside a transaction: most often there is nothing.
        if self.table.is_empty() {
            return;
        }
        self.table.retain(|_, possible| {
            possible.retain(|definition| definition.seq > seq);
            !possible.is_empty()
        });
    }

    fn retain(&mut self, name: &[u8], keep: impl FnMut(&Definition<T>) -> bool) {
        if let Some(possible) = self.table.get_mut(name) {
            possible.retain(keep);
            if possible.is_empty() {
                self.table.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests;
