//! An agent as the kernel side keeps it.
use super::{error::KernelError, unix};
use crate::config::UNNAMED;
use interlock_common::{AGENT_INSIDE, AGENT_NAME_BYTES_MAX, AGENT_UNNAMED, Agent};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// An agent as the hot path needs it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) generation: u64,
    pub(super) name: Arc<str>,
    /// Where its cgroup is; `None` if it was gone when it was adopted.
    path: Option<PathBuf>,
    /// As the kernel has it.
    value: Agent,
}

impl Known {
    pub(super) fn new(value: &Agent, path: Option<PathBuf>) -> Self {
        Self { generation: value.generation, name: name_of(value).into(), path, value: *value }
    }
}

/// The cgroups at or below `changed` whose flags are not what they should be, as they should be.
pub(super) fn other_flags(known: &HashMap<u64, Known>, changed: &Path) -> Vec<(u64, Agent)> {
    let by_path = by_path(known);
    let below = known.iter().filter_map(|(id, it)| Some((*id, it, it.path.as_deref()?)));
    let below = below.filter(|(_, _, path)| path.starts_with(changed));
    let wanted =
        below.map(|(id, it, path)| (id, Agent { flags: flags(&by_path, &it.name, path), ..it.value }));
    wanted.filter(|(id, wanted)| known.get(id).is_some_and(|it| it.value.flags != wanted.flags)).collect()
}

/// As an agent of that name at that place is written down.
pub(super) fn placed(known: &HashMap<u64, Known>, value: Agent, path: &Path) -> Agent {
    Agent { flags: flags(&by_path(known), &name_of(&value), path), ..value }
}

fn by_path(known: &HashMap<u64, Known>) -> HashMap<&Path, &str> {
    known.values().filter_map(|it| Some((it.path.as_deref()?, &*it.name))).collect()
}

fn flags(by_path: &HashMap<&Path, &str>, name: &str, path: &Path) -> u64 {
    let mut above = path.ancestors().skip(1).filter_map(|above| by_path.get(above));
    let is_inside = above.any(|above| *above != name && *above != UNNAMED);
    u64::from(is_inside) * AGENT_INSIDE + u64::from(name == UNNAMED) * AGENT_UNNAMED
}

impl Known {
    /// With other flags.
    pub(super) fn flagged(&mut self, flags: u64) {
        self.value.flags = flags;
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

/// An agent's name out of the kernel's form.
pub(super) fn name_of(agent: &Agent) -> String {
    let name = agent.name.get(..usize::from(agent.name_len)).unwrap_or(&agent.name);
    String::from_utf8_lossy(name).into_owned()
}

/// The kernel's form of an agent's name; the generation is still to be set.
pub(super) fn encode(name: &str) -> Result<Agent, KernelError> {
    let refuse = || KernelError::Name(name.chars().take(AGENT_NAME_BYTES_MAX).collect());
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(refuse());
    }
    let mut agent =
        Agent { generation: 0, key: unix::key(name), name_len: 0, name: [0; AGENT_NAME_BYTES_MAX], flags: 0 };
    agent.name.get_mut(..name.len()).ok_or_else(refuse)?.copy_from_slice(name.as_bytes());
    agent.name_len = u8::try_from(name.len()).map_err(|_| refuse())?;
    Ok(agent)
}
