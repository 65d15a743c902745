//! An agent as the kernel side keeps it.
use super::{error::KernelError, unix};
use interlock_common::{AGENT_NAME_BYTES_MAX, Agent};
use std::sync::Arc;

/// An agent as the hot path needs it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) generation: u64,
    pub(super) name: Arc<str>,
}

impl From<&Agent> for Known {
    fn from(agent: &Agent) -> Self {
        Self { generation: agent.generation, name: name_of(agent).into() }
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
        Agent { generation: 0, key: unix::key(name), name_len: 0, name: [0; AGENT_NAME_BYTES_MAX] };
    agent.name.get_mut(..name.len()).ok_or_else(refuse)?.copy_from_slice(name.as_bytes());
    agent.name_len = u8::try_from(name.len()).map_err(|_| refuse())?;
    Ok(agent)
}
