//! What is in force now: one configuration, one policy set, replaced together or not at all.

use crate::config::{Config, ConfigError, DNS_TARGET, TargetConfig};
use arc_swap::ArcSwap;
use policy::{AgentFacts, Catalog, Diagnostic, PolicySet, Source, TargetFacts};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// A configuration and the policies that go with it.
#[derive(Debug)]
pub struct Live {
    /// Counts reloads, from 1.
    pub generation: u64,
    /// When it came into force.
    pub since: SystemTime,
    /// The configuration.
    pub config: Config,
    /// The policies.
    pub policies: PolicySet,
    /// Machine options made from the configuration's limits.
    pub options: wire::Options,
}

/// The place where the newest [`Live`] is found. Sessions look here at every operation.
pub type Current = Arc<ArcSwap<Live>>;

/// Why a configuration did not come into force.
#[derive(Debug)]
pub enum LiveError {
    /// The configuration file is wrong.
    Config(ConfigError),
    /// A policy file can't be read.
    Read(PathBuf, std::io::Error),
    /// The policies are wrong.
    Policies(Vec<Diagnostic>),
}

impl fmt::Display for LiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}"),
            Self::Read(path, error) => write!(f, "{}: can't be read: {error}", path.display()),
            Self::Policies(diagnostics) => {
                for (index, diagnostic) in diagnostics.iter().enumerate() {
                    if index > 0 {
                        writeln!(f)?;
                    }
                    write!(f, "{diagnostic}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for LiveError {}

impl Live {
    /// Reads the configuration and all its policies.
    ///
    /// # Errors
    /// Anything wrong in any file: nothing comes into force by halves.
    pub fn load(file: &Path, generation: u64) -> Result<Self, LiveError> {
        let config = Config::load(file).map_err(LiveError::Config)?;
        let policies = load_policies(&config)?;
        let options = wire::Options::new(config.limits.wire());
        Ok(Self { generation, since: SystemTime::now(), config, policies, options })
    }
}

/// Reads the policies that a configuration names.
///
/// # Errors
/// A file that can't be read, or diagnostics for all files.
pub fn load_policies(config: &Config) -> Result<PolicySet, LiveError> {
    let unreadable = |path: &Path, error| LiveError::Read(path.to_owned(), error);
    let folder = config.policies.paths.first().map_or(Path::new("policies"), PathBuf::as_path);
    let files = config.policy_files().map_err(|error| unreadable(folder, error))?;
    let mut sources = Vec::with_capacity(files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, error))?;
        sources.push(Source { name: file.display().to_string(), text });
    }
    PolicySet::load(&sources, &catalog(config)).map_err(LiveError::Policies)
}

/// What the policies may know of agents and targets.
pub fn catalog(config: &Config) -> Catalog {
    let agents =
        config.agents.iter().map(|agent| AgentFacts { name: agent.name.clone(), roles: agent.roles.clone() });
    // What lookups are operations of.
    let lookups = TargetFacts {
        name: DNS_TARGET.to_owned(),
        protocol: DNS_TARGET.to_owned(),
        labels: Vec::new(),
        tags: Vec::new(),
    };
    let targets = config.targets.iter().map(target_facts).chain([lookups]);
    Catalog { agents: agents.collect(), targets: targets.collect() }
}

fn target_facts(target: &TargetConfig) -> TargetFacts {
    TargetFacts {
        name: target.name.clone(),
        protocol: target.protocol.to_owned(),
        labels: target.labels.clone(),
        tags: target.tags.iter().map(|(path, tags)| (path.clone(), tags.clone())).collect(),
    }
}
