//! What a cgroup's path says of where a process runs: its systemd unit, its container.

#[cfg(test)]
mod tests;

/// The unit and the container; empty where there is none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Runs<'a> {
    /// `planner.service`, `session-2.scope`.
    pub unit: &'a str,
    /// The id that docker, podman, containerd or CRI-O has given it.
    pub container: &'a str,
}

/// How many hexadecimal digits a container's id has.
const ID_DIGITS: usize = 64;

/// Reads the path of a cgroup. The deepest of each counts.
pub fn runs(cgroup: &str) -> Runs<'_> {
    let mut found = Runs::default();
    for part in cgroup.split('/') {
        if part.ends_with(".service") || part.ends_with(".scope") {
            found.unit = part;
        }
        if let Some(id) = container(part) {
            found.container = id;
        }
    }
    found
}

/// `docker-<id>.scope`, `cri-containerd-<id>.scope`, `libpod-<id>`, or the id alone.
fn container(part: &str) -> Option<&str> {
    let part = part.strip_suffix(".scope").unwrap_or(part);
    let id = part.rsplit('-').next()?;
    let is_id = id.len() == ID_DIGITS && id.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then_some(id)
}
