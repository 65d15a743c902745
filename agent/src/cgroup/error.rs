//! What can go wrong with cgroups.
use std::{io, path::PathBuf};

/// An error of the cgroup hierarchy; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// `/proc/self/mountinfo` lists no cgroup2 file system.
    #[error("no cgroup v2 hierarchy is mounted: mount one with `mount -t cgroup2 none /sys/fs/cgroup`")]
    NoHierarchy,
    /// A path that leaves the hierarchy, or is empty where a name is needed.
    #[error(
        "`{0}` is not a path inside the cgroup hierarchy: give it from the hierarchy's root, without `..`"
    )]
    OutOfHierarchy(PathBuf),
    /// No cgroup of this path.
    #[error("there is no cgroup `{0}`")]
    NotFound(PathBuf),
    /// A glob that can't be read.
    #[error("`{pattern}` is not a cgroup pattern: {reason}")]
    Pattern {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it, and where.
        reason: &'static str,
    },
    /// The process is gone, or in no cgroup of the hierarchy.
    #[error("process {0} is gone or in no cgroup of the v2 hierarchy")]
    NoProcess(u32),
    /// The system refused.
    #[error("can't {what} cgroup `{path}`")]
    System {
        /// A verb.
        what: &'static str,
        /// The cgroup's directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}
