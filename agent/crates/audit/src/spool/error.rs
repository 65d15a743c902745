//! Why the spool could not do it.

use crate::native::NativeError;
use crate::native::frame::FrameError;
use std::io;
use std::path::PathBuf;

/// An error of the spool. After any error of `begin` the row is not recorded and its operation must be refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SpoolError {
    /// Another process owns the spool.
    #[error("the spool `{}` is in use by another process; stop it, or give this one a directory of its own", .dir.display())]
    InUse {
        /// Its directory.
        dir: PathBuf,
    },
    /// There is no room for more.
    #[error("the spool is full: {0}")]
    Full(String),
    /// Rows come faster than they can be stored, or the store fails.
    #[error("the spool is behind: {0}")]
    Behind(String),
    /// A file can't be read or written.
    #[error("can't {doing}: {error}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the system said.
        error: String,
    },
    /// SQLite refused.
    #[error("the spool's store failed: {0}")]
    Store(String),
    /// A block can't be read.
    #[error("block {id} of the spool can't be read: {why}")]
    Block {
        /// Its number.
        id: i64,
        /// Why.
        why: String,
    },
    /// There is no spool to read.
    #[error("there is no spool in `{}`; is it the state directory of a host agent that has run?", .dir.display())]
    Missing {
        /// The directory.
        dir: PathBuf,
    },
    /// The spool is being closed.
    #[error("the spool is closed")]
    Closed,
}

impl SpoolError {
    /// An IO error, or [`Self::Full`] where the system says that there is no room.
    pub(crate) fn io(doing: impl Into<String>, error: &io::Error) -> Self {
        let doing = doing.into();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full(format!("can't {doing}: {error}; free some disk space"))
            }
            _ => Self::Io { doing, error: error.to_string() },
        }
    }

    /// A block that can't be unpacked.
    pub(crate) fn frame(id: i64, error: FrameError) -> Self {
        Self::Block { id, why: error.to_string() }
    }

    /// A block that can't be read.
    pub(crate) fn block(id: i64, error: &NativeError) -> Self {
        Self::Block { id, why: error.to_string() }
    }
}

impl From<rusqlite::Error> for SpoolError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full(format!("{error}; free some disk space")),
            _ => Self::Store(error.to_string()),
        }
    }
}
