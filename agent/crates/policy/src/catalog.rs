//! What a policy set is made from.

/// One policy file.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name to show in diagnostics, usually its path.
    pub name: String,
    /// Its text, in Cedar's syntax. At most [`crate::Source::BYTES_MAX`] bytes.
    pub text: String,
}

impl Source {
    /// Longest policy file, in bytes.
    pub const BYTES_MAX: usize = 4 << 20;
}

/// What the configuration says about agents and targets.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Every agent that can ask.
    pub agents: Vec<AgentFacts>,
    /// Every target that can be asked.
    pub targets: Vec<TargetFacts>,
}

/// One agent.
#[derive(Clone, Debug)]
pub struct AgentFacts {
    /// Its name: `Agent::"name"` in policies.
    pub name: String,
    /// Its roles: `Role::"role"` in policies.
    pub roles: Vec<String>,
}

/// One target.
#[derive(Clone, Debug)]
pub struct TargetFacts {
    /// Its name: `Target::"name"` in policies.
    pub name: String,
    /// The protocol it speaks, as the protocol registry names it.
    pub protocol: String,
    /// Its labels: `Label::"label"` in policies.
    pub labels: Vec<String>,
    /// Tags of tables (`schema.table`) and columns (`schema.table.column`). A part with a dot in it is put in double
    /// quotes.
    pub tags: Vec<(String, Vec<String>)>,
}
