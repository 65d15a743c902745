//! The configuration file of a daemon on the rack.

use super::Mode;
use crate::paths::Profile;
use crate::rack::free_port;
use anyhow::Result;
use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What a daemon is started with. Fill in what differs: `Setup { targets: vec![..], ..Setup::default() }`.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Names of agents, each with its roles.
    pub agents: Vec<(String, Vec<String>)>,
    /// What they may be allowed to reach.
    pub targets: Vec<Target>,
    /// Policy files by name; written to a folder of the daemon's own.
    pub policies: Vec<(String, String)>,
    /// Policy files and folders that are there already.
    pub policy_paths: Vec<PathBuf>,
    /// How agents reach the daemon.
    pub mode: Mode,
    /// Have a listener for every agent and target even when transparent: for clients inside a test program.
    pub listeners: bool,
    /// Ship rows to this server, given as the URL of its HTTP interface.
    pub clickhouse: Option<String>,
    /// Cgroups that are closed to what is not named. Other than the daemon's own default, none: daemons run side by side.
    pub default_deny: Vec<String>,
    /// Further TOML, put at the end.
    pub more: String,
    /// Which build to run.
    pub profile: Profile,
    /// Put before the daemon's command line, such as `taskset -c 1`.
    pub prefix: Vec<String>,
}

impl Setup {
    /// One agent more, with its roles.
    #[must_use]
    pub fn agent(mut self, name: &str, roles: &[&str]) -> Self {
        self.agents.push((name.to_owned(), roles.iter().map(|&role| role.to_owned()).collect()));
        self
    }

    /// One PostgreSQL target more, on a port of 127.0.0.1.
    #[must_use]
    pub fn target(mut self, name: &str, port: u16) -> Self {
        self.targets.push(Target::local(name, port));
        self
    }

    /// One policy file more.
    #[must_use]
    pub fn policy(mut self, name: &str, text: &str) -> Self {
        self.policies.push((name.to_owned(), text.to_owned()));
        self
    }

    /// The agents' ways of reaching the daemon.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// A free port for every agent and target: (agent, target, port).
    pub(super) fn listener_ports(&self) -> Result<Vec<(String, String, u16)>> {
        let mut ports = Vec::new();
        if self.mode == Mode::Transparent && !self.listeners {
            return Ok(ports);
        }
        for (agent, _) in &self.agents {
            for target in &self.targets {
                ports.push((agent.clone(), target.name.clone(), free_port()?));
            }
        }
        Ok(ports)
    }

    /// The file's text.
    pub(super) fn to_toml(
        &self,
        dir: &Path,
        label: &str,
        explicit: bool,
        ports: &[(String, String, u16)],
    ) -> String {
        let mut text = String::new();
        let mut line = |words: std::fmt::Arguments<'_>| {
            let _written = text.write_fmt(format_args!("{words}\n")); // a String takes everything
        };
        line(format_args!(
            "[paths]\nrun = {}\nstate = {}",
            quoted(&dir.join("run")),
            quoted(&dir.join("state"))
        ));
        line(format_args!("bpf = \"/sys/fs/bpf/interlock-{label}\"\n"));
        let enabled = if explicit { "off" } else { "require" };
        line(format_args!(
            "[intercept]\nenabled = \"{enabled}\"\nport = 0\ncgroup_base = \"interlock-{label}\"\ndefault_deny = {}\n",
            words(&self.default_deny)
        ));
        let own = dir.join("policies");
        let paths: Vec<String> = if self.policy_paths.is_empty() || !self.policies.is_empty() {
            self.policy_paths.iter().chain([&own]).map(|path| quoted(path)).collect()
        } else {
            self.policy_paths.iter().map(|path| quoted(path)).collect()
        };
        line(format_args!("[policies]\npaths = [{}]\n", paths.join(", ")));
        for (name, roles) in &self.agents {
            line(format_args!("[[agent]]\nname = {}\nroles = {}\n", word(name), words(roles)));
        }
        for target in &self.targets {
            line(format_args!("{}", target.to_toml()));
        }
        for (agent, target, port) in ports.iter().filter(|_| explicit || self.listeners) {
            let (target, agent) = (word(target), word(agent));
            line(format_args!(
                "[[listener]]\naddress = \"127.0.0.1:{port}\"\ntarget = {target}\nagent = {agent}\n"
            ));
        }
        if let Some(url) = &self.clickhouse {
            line(format_args!("[sink.clickhouse]\nurl = {}\nbatch_wait = \"100ms\"\n", word(url)));
        }
        if !self.more.contains("[limits]") {
            line(format_args!("[limits]\ndrain_timeout = \"1s\"\n"));
        }
        line(format_args!("{}", self.more));
        text
    }
}

/// A PostgreSQL server that agents may be allowed to reach.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Its name in policies and rows.
    pub name: String,
    /// `address:port`; the first is what [`super::Daemon::address`] names.
    pub addresses: Vec<String>,
    /// Labels for policies.
    pub labels: Vec<String>,
    /// Tags of tables and columns: (`public.customers.email`, `["pii"]`).
    pub tags: Vec<(String, Vec<String>)>,
}

impl Target {
    /// One on a port of 127.0.0.1.
    pub fn local(name: &str, port: u16) -> Self {
        Self { name: name.to_owned(), addresses: vec![format!("127.0.0.1:{port}")], ..Self::default() }
    }

    /// Its first address and port.
    pub(super) fn address(&self) -> (String, u16) {
        let first = self.addresses.first().map_or("", String::as_str);
        let (host, port) = first.rsplit_once(':').unwrap_or((first, "0"));
        (host.to_owned(), port.parse().unwrap_or(0))
    }

    fn to_toml(&self) -> String {
        let tags: Vec<String> =
            self.tags.iter().map(|(what, tags)| format!("{} = {}", word(what), words(tags))).collect();
        format!(
            "[[target]]\nname = {}\nprotocol = \"postgres\"\naddresses = {}\nlabels = {}\ntags = {{ {} }}\n",
            word(&self.name),
            words(&self.addresses),
            words(&self.labels),
            tags.join(", "),
        )
    }
}

fn word(text: &str) -> String {
    Value::from(text).to_string() // a JSON string is a TOML string
}

fn words(list: &[String]) -> String {
    Value::from(list.to_vec()).to_string()
}

fn quoted(path: &Path) -> String {
    word(&path.display().to_string())
}
