//! Notices that the configuration or the policies changed: inotify on their folders, and `SIGHUP`.
//!
//! Files are watched through their folders, so that an editor's rename over the old file is seen, and through every
//! symbolic link on the way, so that a swapped link is seen (Kubernetes renames `..data`). What is reported is a changed
//! content: a burst of events, a touched or an equal file wake nobody.

#[cfg(test)]
mod tests;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

/// How long it must be quiet before a change is reported.
const QUIET: Duration = Duration::from_millis(200);
/// How long a change is held back at most while events go on.
const PATIENCE: Duration = Duration::from_secs(2);
/// Symbolic links followed on one path, as in Linux (`MAXSYMLINKS`).
const LINKS_MAX: usize = 40;
/// Policy files of one folder that are followed.
const FILES_MAX: usize = 4_096;
/// Bytes of one file that are compared.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Why to read everything again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// Something that is followed has other content than before.
    Files,
    /// `SIGHUP`: somebody asked.
    Signal,
}

/// Follows files and folders. Made and used within a tokio runtime with IO and time.
pub struct Watch {
    watcher: RecommendedWatcher,
    events: mpsc::Receiver<()>,
    hangup: Signal,
    followed: Vec<PathBuf>,
    /// Watched folders with device and inode, to see that another folder took the name.
    watched: BTreeMap<PathBuf, (u64, u64)>,
    seen: u64,
}

impl Watch {
    /// Follows these files, and the `*.cedar` files of these folders. What does not exist is noticed when it appears.
    pub fn new(paths: Vec<PathBuf>) -> io::Result<Self> {
        // One slot: an event that waits already stands for all that come after it.
        let (sender, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Opening and reading are events too, and our own: reacting to them would never end.
            if !event
                .is_ok_and(|event| matches!(event.kind, EventKind::Access(_)) && !is_write_end(event.kind))
            {
                sender.try_send(()).ok();
            }
        })
        .map_err(io::Error::other)?;
        let hangup = signal(SignalKind::hangup())?;
        let mut watch =
            Self { watcher, events, hangup, followed: Vec::new(), watched: BTreeMap::new(), seen: 0 };
        watch.follow(paths);
        Ok(watch)
    }

    /// Follows other paths from now on, such as those a new configuration names.
    pub fn follow(&mut self, mut paths: Vec<PathBuf>) {
        paths.sort();
        paths.dedup();
        self.followed = paths;
        self.arm();
        self.seen = fingerprint(&self.followed);
    }

    /// Waits for the next change. Cancel-safe: what was noticed stays noticed.
    pub async fn next(&mut self) -> Change {
        loop {
            tokio::select! {
                _ = self.hangup.recv() => {
                    self.arm();
                    self.seen = fingerprint(&self.followed);
                    return Change::Signal;
                }
                Some(()) = self.events.recv() => {}
            }
            self.settle().await;
            // First the watches, then the look: what changes after the look is an event again.
            self.arm();
            let now = fingerprint(&self.followed);
            if now != self.seen {
                self.seen = now;
                return Change::Files;
            }
        }
    }

    /// Waits until a burst of events is over.
    async fn settle(&mut self) {
        let end = Instant::now() + PATIENCE;
        loop {
            let quiet_at = (Instant::now() + QUIET).min(end);
            match timeout_at(quiet_at, self.events.recv()).await {
                Ok(Some(())) if Instant::now() < end => {}
                _ => return,
            }
        }
    }

    /// Brings the watched folders in line with where the paths lead now.
    fn arm(&mut self) {
        let mut wanted = BTreeSet::new();
        for path in &self.followed {
            folders(path, &mut wanted);
            for file in policy_files(path) {
                folders(&file, &mut wanted);
            }
        }
        let stale: Vec<_> = self
            .watched
            .iter()
            .filter(|(folder, id)| !wanted.contains(*folder) || identity(folder) != Some(**id))
            .map(|(folder, _)| folder.clone())
            .collect();
        for folder in stale {
            // Fails for a folder that is gone, whose watch went with it.
            drop(self.watcher.unwatch(&folder));
            self.watched.remove(&folder);
        }
        for folder in wanted {
            if self.watched.contains_key(&folder) {
                continue;
            }
            let Some(id) = identity(&folder) else { continue };
            match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(folder, id);
                }
                Err(error) => warn!(
                    folder = %folder.display(), %error,
                    "can't watch for changes; send SIGHUP after a change"
                ),
            }
        }
    }
}

fn is_write_end(kind: EventKind) -> bool {
    use notify::event::{AccessKind, AccessMode};
    kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
}

fn identity(folder: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(folder).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Adds the folders in which an event can change what a path leads to: that of every symbolic link on the way, that of the
/// file, and for a folder itself and its parent. Where the path ends early, the last folder that exists.
fn folders(path: &Path, into: &mut BTreeSet<PathBuf>) {
    let mut rest: VecDeque<OsString> = components(path);
    let mut here = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&part);
        let Ok(metadata) = next.symlink_metadata() else {
            into.insert(here);
            return;
        };
        if metadata.is_symlink() {
            into.insert(here.clone());
            links += 1;
            let Ok(target) = std::fs::read_link(&next) else { return };
            if links > LINKS_MAX {
                return;
            }
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            for part in components(&target).into_iter().rev() {
                rest.push_front(part);
            }
            continue;
        }
        if rest.is_empty() {
            into.insert(here.clone());
            if metadata.is_dir() {
                into.insert(next.clone());
            }
        }
        here = next;
    }
}

fn components(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

/// The `*.cedar` files of a folder in order of name; empty for anything else.
fn policy_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.extension().is_some_and(|extension| extension == "cedar"))
        .take(FILES_MAX)
        .collect();
    files.sort();
    files
}

/// A hash of everything that is followed. What can't be read counts by its error.
fn fingerprint(paths: &[PathBuf]) -> u64 {
    let mut hash = DefaultHasher::new();
    for path in paths {
        let files = policy_files(path);
        let single = if path.is_dir() { &[][..] } else { std::slice::from_ref(path) };
        for file in single.iter().chain(&files) {
            file.hash(&mut hash);
            match content(file) {
                Ok(bytes) => bytes.hash(&mut hash),
                Err(error) => format!("{:?}", error.kind()).hash(&mut hash),
            }
        }
        path.is_dir().hash(&mut hash);
    }
    hash.finish()
}

fn content(file: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(file)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
