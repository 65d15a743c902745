//! Programs of governed processes, looked at when they begin to run: a process may end, or run another, before its
//! connection arrives.

use super::hash::Hashes;
use super::process::FileId;
use crate::intercept::Executed;
use interlock_common::Program as Key;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(test)]
mod tests;

/// How many are remembered; then all are forgotten.
const PROGRAMS_MAX: usize = 4_096;

/// One program.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its path, as the process that ran it saw it.
    pub path: Arc<str>,
    /// Its file in the state that it had.
    pub file: FileId,
    /// Its SHA-256, or the file to compute it from. Files are not kept open: that would keep their file systems mounted.
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Hashed(Arc<str>),
    Open(Arc<File>),
}

/// Remembers them.
#[derive(Debug, Default)]
pub struct Programs {
    known: Mutex<HashMap<Key, Program>>,
}

impl Programs {
    /// Looks at a program that a process has begun to run. True if it is new: then have it [hashed](Self::hash).
    pub fn learn(&self, executed: &Executed) -> bool {
        let Some(program) = look_at(executed).filter(|_| executed.program.inode != 0) else { return false };
        let mut known = self.lock();
        if known
            .get(&executed.program)
            .is_some_and(|known| known.file == program.file && !program.file.is_fresh())
        {
            return false;
        }
        if known.len() >= PROGRAMS_MAX {
            known.clear();
        }
        known.insert(executed.program, program);
        true
    }

    /// Computes the hash of a new program.
    pub fn hash(&self, key: Key, hashes: &Hashes) {
        let Some(Program { file, content: Content::Open(open), .. }) = self.known(key) else { return };
        let hash = hashes.known(file).unwrap_or_else(|| hashes.compute(|| Ok(open), file));
        if let Some(program) = self.lock().get_mut(&key)
            && program.file == file
        {
            program.content = Content::Hashed(hash);
        }
    }

    /// Forgets all: something may have been missed.
    pub fn forget(&self) {
        self.lock().clear();
    }

    /// The program, if it was looked at.
    pub fn known(&self, key: Key) -> Option<Program> {
        self.lock().get(&key).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Program>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Program {
    /// Its SHA-256, if it is computed.
    pub fn hash(&self) -> Option<Arc<str>> {
        match &self.content {
            Content::Hashed(hash) => Some(Arc::clone(hash)),
            Content::Open(_) => None,
        }
    }

    /// The file, if its hash is not computed yet.
    pub fn open(&self) -> Option<Arc<File>> {
        match &self.content {
            Content::Hashed(_) => None,
            Content::Open(open) => Some(Arc::clone(open)),
        }
    }
}

/// By the process while it is there, else by the path: if that leads to the same file.
fn look_at(executed: &Executed) -> Option<Program> {
    let link = PathBuf::from(format!("/proc/{}/exe", executed.pid));
    let by_process = || Some((fs::read_link(&link).ok()?, open_if(&link, executed.program)?));
    let by_path = || {
        let path = Some(&executed.path).filter(|path| path.is_absolute())?;
        Some((path.clone(), open_if(path, executed.program)?))
    };
    let (path, open) = by_process().or_else(by_path)?;
    let file = FileId::of(&open.metadata().ok()?);
    let content = Content::Open(Arc::new(open));
    Some(Program { path: path.display().to_string().into(), file, content })
}

/// Opens a path of somebody else's choosing: looks first, because opening a device or a FIFO does something, or waits.
fn open_if(path: &Path, expected: Key) -> Option<File> {
    let seen = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path).ok()?;
    let found = seen.metadata().ok()?;
    let is_it = found.is_file() && found.ino() == expected.inode && found.dev() == device(expected);
    is_it.then(|| File::open(format!("/proc/self/fd/{}", seen.as_raw_fd())).ok()).flatten()
}

/// The device as `stat` tells it of most file systems; what tells of another one stays unknown.
pub(super) fn device(program: Key) -> u64 {
    /// `MINORBITS`, include/linux/kdev_t.h.
    const MINOR_BITS: u32 = 20;
    libc::makedev(program.device >> MINOR_BITS, program.device & ((1 << MINOR_BITS) - 1))
}
