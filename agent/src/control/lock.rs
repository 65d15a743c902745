//! One daemon per run directory: the directory, and the lock in it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why the run directory can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// A daemon has it.
    #[error("another interlock daemon (pid {pid}) is running with this run directory (`{}`); stop it, or give this one \
             its own `paths.run`", run.display())]
    Running {
        /// Its process id as it noted it, or `unknown`.
        pid: String,
        /// The directory.
        run: PathBuf,
    },
    /// Others could put files into it.
    #[error("run directory `{}` belongs to user {owner} with mode {mode:04o}; it must belong to root or to this user, \
             writable by nobody else", run.display())]
    Unsafe {
        /// The directory.
        run: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Its mode.
        mode: u32,
    },
    /// The system says no.
    #[error("run directory `{}` can't be used", run.display())]
    Io {
        /// The directory.
        run: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The right to be the one daemon of a run directory; given up when dropped, and by the kernel when the process dies.
#[derive(Debug)]
pub struct RunLock {
    run: PathBuf,
    /// Holds the lock (`flock`) while it is open.
    _file: File,
}

impl RunLock {
    /// Makes the directory (mode 0700) where it is missing, and takes the lock.
    pub fn take(run: &Path) -> Result<Self, LockError> {
        let io = |source| LockError::Io { run: run.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(run).map_err(io)?;
        let metadata = std::fs::metadata(run).map_err(io)?;
        let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
        let ours = nix::unistd::geteuid().as_raw();
        if (owner != 0 && owner != ours) || mode & 0o022 != 0 {
            return Err(LockError::Unsafe { run: run.to_owned(), owner, mode });
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(run.join("lock"))
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Running { pid: noted_pid(&mut file), run: run.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
        writeln!(file, "{}", std::process::id()).map_err(io)?;
        Ok(Self { run: run.to_owned(), _file: file })
    }

    /// The directory.
    pub fn run(&self) -> &Path {
        &self.run
    }
}

/// What the holder wrote; it may be about to.
fn noted_pid(file: &mut File) -> String {
    const BYTES_MAX: u64 = 32;
    let mut text = String::new();
    match file.take(BYTES_MAX).read_to_string(&mut text).ok().and_then(|_| text.trim().parse::<u32>().ok()) {
        Some(pid) => pid.to_string(),
        None => "unknown".to_owned(),
    }
}
