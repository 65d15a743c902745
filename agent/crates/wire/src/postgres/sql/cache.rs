//! Readings kept for the next time, by exact text and by shape.
//!
//! A hit means that scope and text are equal byte for byte: the hash, whose keys are random, only finds the place.
//! Each shard has two generations: entries start young, all young ones become old when they are too many, and an old
//! one that is used becomes young again. What is not used is forgotten, and nothing grows beyond its bound.

use super::shape::{self, Shape};
use super::{Reading, Scope};
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

const SHARDS: usize = 16;
/// Entries of one generation of one shard: 32,768 readings in all shards and generations of one kind.
const ENTRIES_MAX: usize = 1_024;
/// Bytes of one generation of one shard: 32 MiB in all shards and generations of one kind.
const BYTES_MAX: usize = 1 << 20;
/// Bytes of one entry; larger ones are not kept.
const ENTRY_BYTES_MAX: usize = BYTES_MAX / 4;
/// Bytes that one access takes, roughly.
const ACCESS_BYTES: usize = 128;

/// What a look-up found.
#[derive(Debug)]
pub(super) enum Found {
    /// A reading made earlier, and the text or the key of the shape that it is kept by.
    Reading(Arc<Reading>, Arc<[u8]>),
    /// Nothing; the shape is where the reading may be stored for its like.
    Missing(Option<Shape>),
}

#[derive(Debug)]
pub(super) struct Cache {
    keys: RandomState,
    exact: Vec<RwLock<Shard>>,
    shapes: Vec<RwLock<Shard>>,
}

#[derive(Debug, Default)]
struct Shard {
    young: HashTable<Entry>,
    old: HashTable<Entry>,
    young_bytes: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    hash: u64,
    scope: Arc<Scope>,
    text: Arc<[u8]>,
    reading: Arc<Reading>,
}

impl Entry {
    fn is(&self, scope: &Arc<Scope>, text: &[u8]) -> bool {
        *self.text == *text && (Arc::ptr_eq(&self.scope, scope) || self.scope == *scope)
    }

    fn bytes(&self) -> usize {
        let inner = self.reading.effects.len() + self.reading.meaning.accesses.len();
        self.text.len() + self.reading.meaning.verb.len() + inner.saturating_mul(ACCESS_BYTES)
    }
}

impl Cache {
    pub(super) fn new() -> Self {
        let shards = || (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { keys: RandomState::default(), exact: shards(), shapes: shards() }
    }

    /// A reading of exactly this text in an equal scope, or of another text of its shape.
    pub(super) fn find(&self, scope: &Arc<Scope>, text: &[u8]) -> Found {
        if let Some((reading, key)) = lookup(&self.exact, self.hash(scope, text), scope, text) {
            return Found::Reading(reading, key);
        }
        let Some(shape) = shape::of(text) else { return Found::Missing(None) };
        match lookup(&self.shapes, self.hash(scope, &shape.key), scope, &shape.key) {
            Some((reading, key)) => Found::Reading(reading, key),
            None => Found::Missing(Some(shape)),
        }
    }

    /// Keeps a reading, if it is not too large: by its shape where it has one, else by its text.
    pub(super) fn store(
        &self,
        scope: &Arc<Scope>,
        text: &[u8],
        shape: Option<Shape>,
        reading: &Arc<Reading>,
    ) {
        let (shards, text) = match &shape {
            Some(shape) => (&self.shapes, &*shape.key),
            None => (&self.exact, text),
        };
        let hash = self.hash(scope, text);
        let entry = Entry { hash, scope: Arc::clone(scope), text: text.into(), reading: Arc::clone(reading) };
        if entry.bytes() > ENTRY_BYTES_MAX {
            return;
        }
        if let Some(shard) = shard(shards, hash) {
            shard.write().unwrap_or_else(PoisonError::into_inner).insert(entry);
        }
    }

    fn hash(&self, scope: &Scope, text: &[u8]) -> u64 {
        let mut state = self.keys.build_hasher();
        for schema in &scope.search_path {
            state.write(schema.as_bytes());
        }
        state.write(text);
        state.finish()
    }

    /// Entries held: by text, by shape.
    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        let count = |shards: &[RwLock<Shard>]| {
            shards
                .iter()
                .map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner))
                .map(|shard| shard.young.len() + shard.old.len())
                .sum()
        };
        (count(&self.exact), count(&self.shapes))
    }
}

fn shard(shards: &[RwLock<Shard>], hash: u64) -> Option<&RwLock<Shard>> {
    // The table inside uses the lowest and highest bits.
    shards.get((hash >> 32) as usize % SHARDS)
}

fn lookup(
    shards: &[RwLock<Shard>],
    hash: u64,
    scope: &Arc<Scope>,
    text: &[u8],
) -> Option<(Arc<Reading>, Arc<[u8]>)> {
    let lock = shard(shards, hash)?;
    let old = {
        let shard = lock.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = shard.young.find(hash, |entry| entry.is(scope, text)) {
            return Some((Arc::clone(&entry.reading), Arc::clone(&entry.text)));
        }
        shard.old.find(hash, |entry| entry.is(scope, text))?.clone()
    };
    let found = (Arc::clone(&old.reading), Arc::clone(&old.text));
    // Whoever holds the lock will not mind; the next use tries again.
    if let Ok(mut shard) = lock.try_write() {
        shard.insert(old);
    }
    Some(found)
}

impl Shard {
    fn insert(&mut self, entry: Entry) {
        let same = |held: &Entry| held.is(&entry.scope, &entry.text);
        if self.young.find(entry.hash, same).is_some() {
            return;
        }
        if let Ok(held) = self.old.find_entry(entry.hash, same) {
            held.remove();
        }
        if self.young.len() >= ENTRIES_MAX || self.young_bytes >= BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += entry.bytes();
        self.young.insert_unique(entry.hash, entry, |held| held.hash);
    }
}

#[cfg(test)]
mod tests;
