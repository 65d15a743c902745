//! The cgroup v2 hierarchy: finding it, its paths and ids, making cgroups and moving processes.
//!
//! Everything is found by the mount, never by a fixed path: `/sys/fs/cgroup` on a unified host,
//! `/sys/fs/cgroup/unified` on a hybrid one, anything else in a container.

mod error;
mod hierarchy;
mod pattern;
mod sys;
#[cfg(test)]
mod tests;

pub use error::CgroupError;
pub use hierarchy::{CgroupId, CgroupPath, Hierarchy};
pub use pattern::Pattern;
