//! What `/proc` knows of the process that connected, while it is there.
//!
//! A number may be another process's by the time it is looked up: only one that had started before the call is taken for
//! the caller. Nothing here is taken from the process's own words but its command line, which policies don't see.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[cfg(test)]
mod tests;

/// Bytes of a command line that are kept.
const ARGV_BYTES_MAX: usize = 512;
/// How many processes above are told.
const PARENTS_MAX: usize = 8;
/// Ticks of `/proc/PID/stat`, a second: fixed on every architecture (`USER_HZ`).
const TICKS: u64 = 100;
const SECOND: u64 = 1_000_000_000;

/// A process, as far as it could be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// The path of its program.
    pub exe: Arc<str>,
    /// Device, inode, size and time of change of that file, by which its hash is remembered.
    pub file: Option<FileId>,
    /// Its command line.
    pub argv: Arc<str>,
    /// What it descends from, the nearest first.
    pub parents: Arc<str>,
    /// Who logged in; `None` if nobody did, or it could not be read.
    pub login_uid: Option<u32>,
}

/// Tells one state of one file from every other.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct FileId {
    /// The device that it is on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    size: u64,
    /// When its content or its inode last changed.
    changed: (i64, i64),
}

impl FileId {
    /// Of a file as it is now.
    pub(super) fn of(file: &fs::Metadata) -> Self {
        let changed = (file.ctime(), file.ctime_nsec());
        Self { device: file.dev(), inode: file.ino(), size: file.size(), changed }
    }

    /// Whether it changed within the last seconds, or in the future.
    pub(super) fn is_fresh(&self) -> bool {
        const SECONDS: u64 = 2;
        let changed = Duration::from_secs(u64::try_from(self.changed.0).unwrap_or(0));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now.checked_sub(changed).is_none_or(|age| age.as_secs() < SECONDS)
    }
}

impl Process {
    /// Looks a process up. `called_at` is when it made its call, in ns since boot by the kernel's monotonic clock; 0 takes
    /// whoever has the number now.
    pub fn look_up(pid: u32, called_at: u64) -> Self {
        let Some(stat) = Stat::read(pid) else { return Self::default() };
        if called_at != 0 && stat.started_at() > called_at.saturating_add(asleep()) {
            return Self::default();
        }
        let exe = PathBuf::from(format!("/proc/{pid}/exe"));
        let path = fs::read_link(&exe).map(|path| path.display().to_string()).unwrap_or_default();
        let found = Self {
            exe: path.into(),
            file: fs::metadata(&exe).ok().map(|file| FileId::of(&file)),
            argv: argv(pid).into(),
            parents: parents(&stat).into(),
            login_uid: login_uid(pid),
        };
        // The same process at the end as at the start: nothing of another one is mixed in.
        match Stat::read(pid).is_some_and(|again| again.start == stat.start) {
            true => found,
            false => Self::default(),
        }
    }
}

/// Some of `/proc/PID/stat` (proc_pid_stat(5)).
struct Stat {
    name: String,
    pid: u32,
    parent: u32,
    /// Ticks since boot.
    start: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name is in parentheses and may hold any, so it ends at the last one.
    fn parse(text: &str) -> Option<Self> {
        let (pid, rest) = text.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let parent = fields.nth(1)?.parse().ok()?;
        let start = fields.nth(17)?.parse().ok()?;
        Some(Self { name: name.to_owned(), pid: pid.parse().ok()?, parent, start })
    }

    /// In ns since boot, rounded down.
    fn started_at(&self) -> u64 {
        self.start.saturating_mul(SECOND / TICKS)
    }
}

/// `/proc` counts the time that the host was suspended, the kernel programs' clock does not.
fn asleep() -> u64 {
    use nix::time::{ClockId, clock_gettime};
    let now = |clock| {
        clock_gettime(clock).map_or(0, |time| {
            u64::try_from(time.tv_sec()).unwrap_or(0).saturating_mul(SECOND)
                + u64::try_from(time.tv_nsec()).unwrap_or(0)
        })
    };
    now(ClockId::CLOCK_BOOTTIME).saturating_sub(now(ClockId::CLOCK_MONOTONIC))
}

fn argv(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let near = bytes.get(..bytes.len().min(ARGV_BYTES_MAX)).unwrap_or_default();
    let text = without_passwords(&String::from_utf8_lossy(near).replace(|c: char| c.is_control(), " "));
    let cut = if bytes.len() > ARGV_BYTES_MAX { "…" } else { "" };
    format!("{}{cut}", text.trim_end())
}

/// A password in an address (`scheme://user:password@host`) is everybody's who sees the process, but not every row's.
fn without_passwords(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let word = after.split(' ').next().unwrap_or_default();
        rest = after;
        if let Some((login, _)) = word.rsplit_once('@')
            && let Some((user, password)) = login.split_once(':')
        {
            out.push_str(user);
            out.push_str(":***");
            rest = after.get(user.len() + 1 + password.len()..).unwrap_or_default();
        }
    }
    out + rest
}

fn parents(of: &Stat) -> String {
    let mut list = Vec::new();
    let mut next = of.parent;
    while next != 0 && list.len() < PARENTS_MAX {
        let Some(parent) = Stat::read(next) else { break };
        list.push(format!("{}({})", parent.name.replace(|c: char| c.is_control(), " "), parent.pid));
        next = parent.parent;
    }
    list.join(" ")
}

fn login_uid(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/loginuid")).ok()?;
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}
