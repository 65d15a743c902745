//! Rulings of operations seen before.
//!
//! Two levels. *Near*: small tables, one for each of a few groups of threads, found by the address of the shared
//! meaning; a hit compares pointers and a principal, and allocates nothing. *Far*: shared, found by content, so that
//! statements that differ only in constants share a ruling; bounded in entries, oldest half dropped at a time. An entry
//! holds its meaning, so that an address can't come to stand for another one. The cache is part of its policy set: new
//! policies have an empty one.

use crate::asked::{Asked, Place, Principal};
use crate::ruling::Ruling;
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use std::cell::Cell;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wire::Meaning;

/// Near tables; threads are spread over them.
const STRIPES: usize = 16;
/// Places in one near table.
const NEAR: usize = 512;
/// Far tables.
const SHARDS: usize = 16;
/// Entries in one half (young or old) of a far table.
const HALF: usize = 256;
/// Largest meaning that is kept, in bytes of names; a larger one is decided anew each time. Together with the counts above
/// this bounds the cache: 16,384 meanings, at worst 64 MiB, usually less than a tenth of that.
const MEANING_BYTES_MAX: usize = 4 << 10;

/// The cache of one policy set.
pub(crate) struct Cache {
    keys: RandomState,
    near: Box<[Mutex<Box<[Option<Near>]>>]>,
    far: Box<[Mutex<Shard>]>,
}

struct Near {
    meaning: Arc<Meaning>,
    entry: Arc<Entry>,
}

struct Entry {
    hash: u64,
    who: Principal,
    at: Place,
    meaning: Arc<Meaning>,
    /// The hour that it is for; `None` if the hour does not matter.
    hour: Option<u8>,
    ruling: Arc<Ruling>,
}

struct Shard {
    young: HashTable<Arc<Entry>>,
    old: HashTable<Arc<Entry>>,
}

impl Default for Cache {
    fn default() -> Self {
        let near = || Mutex::new((0..NEAR).map(|_| None).collect());
        let far = || {
            Mutex::new(Shard { young: HashTable::with_capacity(HALF), old: HashTable::with_capacity(HALF) })
        };
        Self {
            keys: RandomState::default(),
            near: (0..STRIPES).map(|_| near()).collect(),
            far: (0..SHARDS).map(|_| far()).collect(),
        }
    }
}

impl Cache {
    /// The ruling for an equal question.
    pub(crate) fn get(&self, asked: &Asked<'_>) -> Option<Arc<Ruling>> {
        let slot = self.slot(asked);
        if let Some(stripe) = self.stripe()
            && let Some(Some(near)) = lock(stripe).get(slot)
            && Arc::ptr_eq(&near.meaning, asked.meaning)
            && near.entry.is_for(asked)
        {
            return Some(Arc::clone(&near.entry.ruling));
        }
        let entry = self.far(asked)?;
        let ruling = Arc::clone(&entry.ruling);
        self.remember(asked, slot, entry);
        Some(ruling)
    }

    /// Keeps a ruling; `hourly` if it holds for this hour only.
    pub(crate) fn put(&self, asked: &Asked<'_>, hourly: bool, ruling: &Arc<Ruling>) {
        if bytes(asked.meaning) > MEANING_BYTES_MAX {
            return;
        }
        let entry = Arc::new(Entry {
            hash: self.hash(asked),
            who: asked.who.clone(),
            at: asked.at.clone(),
            meaning: Arc::clone(asked.meaning),
            hour: hourly.then_some(asked.hour),
            ruling: Arc::clone(ruling),
        });
        if let Some(shard) = self.shard(entry.hash) {
            lock(shard).insert(Arc::clone(&entry));
        }
        self.remember(asked, self.slot(asked), entry);
    }

    fn far(&self, asked: &Asked<'_>) -> Option<Arc<Entry>> {
        let hash = self.hash(asked);
        let mut shard = lock(self.shard(hash)?);
        let same =
            |entry: &Arc<Entry>| entry.hash == hash && entry.is_for(asked) && entry.means(asked.meaning);
        if let Some(entry) = shard.young.find(hash, same) {
            return Some(Arc::clone(entry));
        }
        let entry = Arc::clone(shard.old.find(hash, same)?);
        shard.insert(Arc::clone(&entry));
        Some(entry)
    }

    fn remember(&self, asked: &Asked<'_>, slot: usize, entry: Arc<Entry>) {
        let near = Near { meaning: Arc::clone(asked.meaning), entry };
        let replaced = self.stripe().and_then(|stripe| lock(stripe).get_mut(slot)?.replace(near));
        drop(replaced); // after the lock
    }

    fn hash(&self, asked: &Asked<'_>) -> u64 {
        self.keys.hash_one((asked.who.hash(), asked.at.hash(), asked.meaning.cache_hash(&self.keys)))
    }

    fn shard(&self, hash: u64) -> Option<&Mutex<Shard>> {
        self.far.get((hash >> 32) as usize % SHARDS)
    }

    fn slot(&self, asked: &Asked<'_>) -> usize {
        let address = Arc::as_ptr(asked.meaning) as usize as u64;
        let mixed = (address ^ asked.who.hash() ^ asked.at.hash().rotate_left(32))
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 40) as usize % NEAR
    }

    fn stripe(&self) -> Option<&Mutex<Box<[Option<Near>]>>> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static MINE: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        self.near.get(MINE.get() % STRIPES)
    }
}

impl Entry {
    fn is_for(&self, asked: &Asked<'_>) -> bool {
        self.hour.is_none_or(|hour| hour == asked.hour) && self.who == *asked.who && self.at == *asked.at
    }

    /// Equal in everything that a ruling is made from; fingerprints may differ.
    fn means(&self, other: &Meaning) -> bool {
        let mine = &*self.meaning;
        mine.certainty == other.certainty
            && mine.action == other.action
            && mine.verb == other.verb
            && mine.facts == other.facts
            && mine.doubt == other.doubt
            && mine.accesses == other.accesses
    }
}

impl Shard {
    fn insert(&mut self, entry: Arc<Entry>) {
        if self.young.len() >= HALF {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        let same = |other: &Arc<Entry>| {
            other.hash == entry.hash
                && other.who == entry.who
                && other.at == entry.at
                && other.means(&entry.meaning)
        };
        match self.young.find_mut(entry.hash, same) {
            Some(other) => *other = entry, // for another hour
            None => {
                self.young.insert_unique(entry.hash, entry, |entry| entry.hash);
            }
        }
    }
}

/// About as many bytes as the names in it have.
fn bytes(meaning: &Meaning) -> usize {
    let names = meaning.accesses.iter().flat_map(|access| &access.resource.path).map(|part| part.len());
    meaning.verb.len()
        + meaning.doubt.len()
        + size_of_val(&*meaning.accesses)
        + names.map(|len| len + 16).sum::<usize>()
}

/// A panic elsewhere leaves a table of finished entries, which can still be used.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
