//! A temporary directory with a watchman: a small shell that clears up when we drop it, exit, crash or are killed.
//!
//! The watchman reads what to clear up from a pipe whose other end only we hold. However this process ends, the kernel
//! closes the pipe, and the watchman stops the registered processes, kills and removes the registered cgroups, removes
//! the registered pin directories, and last the directory itself. There is one way to clear up, and `Drop` takes it too.

use anyhow::{Context, Result};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What the watchman runs. Lines: `pid N SIGNAL` and `gone N` (SIGNAL is sent first, KILL five seconds later),
/// `cgroup DIR`, `pins DIR`.
const WATCHMAN: &str = include_str!("scratch/watchman.sh");

/// All scratch directories alive in this process, for [`end_all`].
static ALIVE: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

/// A temporary directory and everything that must not outlive it. Cheap to clone; the last clone clears up.
#[derive(Clone, Debug)]
pub struct Scratch {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    watchman: Mutex<Option<Child>>,
}

impl Scratch {
    /// Makes `/tmp/interlock-<what>-<pid>-<n>` (readable by all, so that a server may run as another user).
    pub fn new(what: &str) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("interlock-{what}-{}-{number}", std::process::id()));
        fs::create_dir(&dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755))?;
        let watchman = Command::new("/bin/sh")
            .args(["-c", WATCHMAN, "interlock-watchman"])
            .arg(&dir)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0) // a Ctrl-C meant for us must not take the watchman with it
            .spawn()
            .context("cannot start /bin/sh")?;
        let inner = Arc::new(Inner { dir, watchman: Mutex::new(Some(watchman)) });
        let mut alive = ALIVE.lock().unwrap_or_else(PoisonError::into_inner);
        alive.retain(|other| other.strong_count() > 0);
        alive.push(Arc::downgrade(&inner));
        Ok(Self { inner })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// The part that tells this directory from all others: `<what>-<pid>-<n>`. For names of cgroups and pins.
    pub fn label(&self) -> String {
        let name = self.inner.dir.file_name().unwrap_or_default().to_string_lossy();
        name.strip_prefix("interlock-").unwrap_or(&name).to_owned()
    }

    /// Has the process group led by `pid` ended with `signal` (a name without SIG) at the latest when this goes.
    pub fn owns_process(&self, pid: u32, signal: &str) {
        self.tell(&format!("pid {pid} {signal}\n"));
    }

    /// Takes back [`Self::owns_process`]: `pid` has been reaped, its number may be somebody else's soon.
    pub fn process_ended(&self, pid: u32) {
        self.tell(&format!("gone {pid}\n"));
    }

    /// Has every process in this cgroup and below killed, and the cgroups removed.
    pub fn owns_cgroup(&self, dir: &Path) {
        self.tell(&format!("cgroup {}\n", dir.display()));
    }

    /// Has this directory of pinned kernel objects removed.
    pub fn owns_pins(&self, dir: &Path) {
        self.tell(&format!("pins {}\n", dir.display()));
    }

    fn tell(&self, line: &str) {
        let mut watchman = self.inner.watchman.lock().unwrap_or_else(PoisonError::into_inner);
        // A watchman that was killed from outside cannot be told anything; the directory then stays.
        if let Some(pipe) = watchman.as_mut().and_then(|child| child.stdin.as_mut()) {
            let _ended = pipe.write_all(line.as_bytes());
        }
    }
}

impl Inner {
    fn end(&self) {
        let watchman = self.watchman.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut child) = watchman {
            drop(child.stdin.take());
            let _reaped = child.wait();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}

/// Clears up everything this process still holds, and returns when it is gone. For the way out after a signal.
pub fn end_all() {
    let alive: Vec<Arc<Inner>> = {
        let list = ALIVE.lock().unwrap_or_else(PoisonError::into_inner);
        list.iter().filter_map(Weak::upgrade).collect()
    };
    // Newest first: servers were started before what talks to them.
    for scratch in alive.iter().rev() {
        scratch.end();
    }
}
