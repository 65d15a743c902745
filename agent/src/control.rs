//! The control socket: how the command line asks the daemon.
//!
//! A Unix socket `<run>/control.sock` (mode 0600) speaks one JSON object a line, each with the version of the protocol.
//! Only root and the daemon's own user are answered, and nobody from within a governed cgroup: an agent must not be able
//! to untag itself.

mod admin;
pub mod client;
mod lock;
pub mod message;
pub mod server;
#[cfg(test)]
mod tests;

pub use admin::{Admin, Answering, Lease, TailItem};
pub use client::{Client, ClientError};
pub use lock::{LockError, RunLock};
pub use server::{Server, ServerLimits};

use std::path::{Path, PathBuf};

/// The socket of a daemon with that run directory.
pub fn socket_path(run: &Path) -> PathBuf {
    run.join("control.sock")
}
