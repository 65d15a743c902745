//! Which cgroup the host agent itself runs in.
//!
//! The program that hands origins to accepted sockets runs for the cgroup that the *listening socket* was made in. That
//! should be a cgroup of ours alone: at the hierarchy's root it would run for every connection of the host.
use super::error::KernelError;
use crate::cgroup::{CgroupPath, Hierarchy};
use std::path::Path;

/// How our own cgroups are called, before the process id.
const PREFIX: &str = "host-agent-";

/// Which cgroup is ours.
#[derive(Clone, Debug, Default)]
pub enum Placement {
    /// Stay if this is a service of its own (systemd made a cgroup for us), else move this process into
    /// `<cgroup_base>/host-agent-<pid>`. Sockets made before that stay where they were made.
    #[default]
    Own,
    /// Stay in this one, which the caller has put the listening sockets' process into.
    Given(CgroupPath),
}

impl Placement {
    /// Makes it so, and says which cgroup it is.
    pub(super) fn settle(&self, hierarchy: &Hierarchy, base: &Path) -> Result<CgroupPath, KernelError> {
        match self {
            Self::Given(cgroup) => Ok(cgroup.clone()),
            Self::Own => {
                let current = hierarchy.own()?;
                let base = hierarchy.at(base)?;
                if is_service(&current) || is_ours(&base, &current) {
                    return Ok(current);
                }
                let pid = std::process::id();
                let own = base.child(&format!("{PREFIX}{pid}"))?;
                own.create()?;
                own.admit(pid)?;
                Ok(own)
            }
        }
    }
}

/// systemd gives each service a cgroup of its own, named after it, and would miss a main process that has left it.
fn is_service(cgroup: &CgroupPath) -> bool {
    cgroup.directory().extension().is_some_and(|extension| extension == "service")
}

/// Whether this process has moved already.
fn is_ours(base: &CgroupPath, cgroup: &CgroupPath) -> bool {
    cgroup.directory().parent() == Some(base.directory())
        && cgroup.directory().file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
}

/// Removes what dead host agents left below the base: their cgroups are empty, so removing them succeeds.
pub(super) fn sweep(hierarchy: &Hierarchy, base: &Path) {
    let Ok(base) = hierarchy.at(base) else { return };
    let Ok(entries) = std::fs::read_dir(base.directory()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(PREFIX)
            && let Err(error) = std::fs::remove_dir(entry.path())
        {
            // Its process lives.
            tracing::debug!(cgroup = %entry.path().display(), %error, "the cgroup of a host agent stays");
        }
    }
}
