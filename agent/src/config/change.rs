//! What differs between the configuration in force and a new one, and what of it needs a restart.

use super::schema::ClickHouse;
use super::section::{Reload, Section};
use super::{Config, schema};
use std::fmt;

/// The keys in which a new configuration differs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Changes {
    /// Keys and tables that take effect at once, such as `agent` or `log.level`.
    pub live: Vec<String>,
    /// Keys that keep their old value until the daemon is restarted.
    pub restart: Vec<String>,
}

impl Changes {
    /// Whether nothing differs.
    pub const fn is_empty(&self) -> bool {
        self.live.is_empty() && self.restart.is_empty()
    }

    fn section<S: Section>(&mut self, old: &S, new: &S) {
        for (key, reload) in old.differences(new) {
            let path = format!("{}.{key}", S::HEADING);
            match reload {
                Reload::Live => self.live.push(path),
                Reload::Restart => self.restart.push(path),
            }
        }
    }

    fn list<S: PartialEq>(&mut self, heading: &str, old: &[S], new: &[S]) {
        if old != new {
            self.live.push(heading.to_owned());
        }
    }
}

/// One line for the log and `interlock status`.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted =
            |keys: &[String]| keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        match (self.live.as_slice(), self.restart.as_slice()) {
            ([], []) => f.write_str("nothing changed"),
            (live, []) => write!(f, "changed: {}", quoted(live)),
            ([], restart) => write!(f, "needs a restart: {}", quoted(restart)),
            (live, restart) => write!(f, "changed: {}; needs a restart: {}", quoted(live), quoted(restart)),
        }
    }
}

impl Config {
    /// What differs in `new`.
    pub fn changes(&self, new: &Self) -> Changes {
        let mut changes = Changes::default();
        changes.section::<schema::Paths>(&self.paths, &new.paths);
        changes.section::<schema::Intercept>(&self.intercept, &new.intercept);
        changes.section::<schema::DnsConfig>(&self.dns, &new.dns);
        changes.list("agent", &self.agents, &new.agents);
        changes.list("target", &self.targets, &new.targets);
        changes.list("listener", &self.listeners, &new.listeners);
        changes.section::<schema::Policies>(&self.policies, &new.policies);
        changes.section::<schema::Audit>(&self.audit, &new.audit);
        match (&self.sink, &new.sink) {
            (Some(old), Some(new)) => changes.section::<ClickHouse>(old, new),
            (None, None) => {}
            _ => changes.live.push(ClickHouse::HEADING.to_owned()),
        }
        changes.section::<schema::Limits>(&self.limits, &new.limits);
        changes.section::<schema::Log>(&self.log, &new.log);
        changes
    }

    /// This configuration with everything that needs a restart as in `running`: what a reload puts in force.
    pub fn keeping(mut self, running: &Self) -> Self {
        self.paths.keep(&running.paths);
        self.intercept.keep(&running.intercept);
        self.dns.keep(&running.dns);
        self.policies.keep(&running.policies);
        self.audit.keep(&running.audit);
        self.limits.keep(&running.limits);
        self.log.keep(&running.log);
        self
    }
}
