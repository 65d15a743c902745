//! SHA-256 of executables, each computed once for as long as the file stays as it is.

use super::process::FileId;
use sha2::{Digest, Sha256};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

#[cfg(test)]
mod tests;

/// How many are read at a time: a process can change its program all the time, and others wait for this too.
const AT_A_TIME: usize = 2;
/// How many are remembered; then all are forgotten.
const FILES_MAX: usize = 1_024;
/// Larger files are not read: a program of that size would keep its connection waiting.
const BYTES_MAX: u64 = 256 << 20;

/// Remembers what was computed.
#[derive(Debug)]
pub struct Hashes {
    known: Mutex<HashMap<FileId, Arc<str>>>,
    turns: Semaphore,
}

impl Default for Hashes {
    fn default() -> Self {
        Self { known: Mutex::default(), turns: Semaphore::new(AT_A_TIME) }
    }
}

impl Hashes {
    /// The hash of a file in this state, if it was computed.
    pub fn known(&self, file: FileId) -> Option<Arc<str>> {
        self.lock().get(&file).cloned()
    }

    /// Waits for a turn to compute one.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    /// Reads a program and computes its hash: some milliseconds for each 10 MB. Empty if it is not the file in
    /// this state any more, or can't be read.
    pub fn compute<F: Borrow<File>>(&self, open: impl FnOnce() -> io::Result<F>, file: FileId) -> Arc<str> {
        let hash: Arc<str> = open().and_then(|open| digest(open.borrow(), file)).unwrap_or_default().into();
        let mut known = self.lock();
        if known.len() >= FILES_MAX {
            known.clear();
        }
        // Of a file that has just changed, another change within one tick of the clock would not show.
        if !hash.is_empty() && !file.is_fresh() {
            known.insert(file, Arc::clone(&hash));
        }
        hash
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FileId, Arc<str>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The program that a process runs: itself, whatever its path leads to by now.
pub fn open(pid: u32) -> io::Result<File> {
    File::open(format!("/proc/{pid}/exe"))
}

/// Reads from the start, wherever others are who read the same open file.
fn digest(file: &File, expected: FileId) -> io::Result<String> {
    let is_unchanged = |file: &File| Ok::<_, io::Error>(FileId::of(&file.metadata()?) == expected);
    if !is_unchanged(file)? || file.metadata()?.len() > BYTES_MAX {
        return Ok(String::new());
    }
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut at = 0;
    loop {
        match file.read_at(&mut buffer, at)? {
            0 => break,
            bytes => {
                hasher.update(buffer.get(..bytes).unwrap_or_default());
                at = at.saturating_add(bytes as u64);
            }
        }
    }
    // Written to while it was read: what was read is nobody's.
    if !is_unchanged(file)? {
        return Ok(String::new());
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
