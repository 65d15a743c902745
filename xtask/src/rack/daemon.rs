//! The real daemon, `interlock serve`, with a configuration, directories, cgroups and pins of its own.

mod config;

pub use config::{Setup, Target};

use crate::paths::{self, Profile};
use crate::rack::child::{Child, tail};
use crate::rack::scratch::Scratch;
use crate::rack::wait_for;
use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

/// How agents reach the daemon.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// The kernel takes their connections; listeners if it can't.
    #[default]
    Auto,
    /// The kernel takes their connections, or the start fails.
    Transparent,
    /// They connect to a listener of ours. Not transparent, not a boundary.
    Explicit,
}

/// A running daemon; dropping it ends it and everything it governed.
#[derive(Debug)]
pub struct Daemon {
    setup: Setup,
    child: Option<Child>,
    ready: UnixDatagram,
    scratch: Scratch,
    explicit: Option<String>,
    ports: Vec<(String, String, u16)>,
}

impl Daemon {
    /// Writes the configuration, starts the daemon and waits until it says it is ready.
    pub fn start(setup: Setup) -> Result<Self> {
        let binary = paths::binary("interlock", setup.profile);
        ensure!(binary.exists(), "`{}` is not built: `cargo build --bins`", binary.display());
        let scratch = Scratch::new("daemon")?;
        for name in ["run", "state", "policies"] {
            fs::create_dir(scratch.dir().join(name))?;
        }
        let ready = UnixDatagram::bind(scratch.dir().join("ready.sock"))?;
        ready.set_nonblocking(true)?;
        let ports = setup.listener_ports()?;
        let mut daemon = Self { setup, child: None, ready, scratch, explicit: None, ports };
        if daemon.setup.mode == Mode::Explicit {
            daemon.explicit = Some("asked for".into());
        }
        let started = daemon.resume();
        match started {
            Err(error) if daemon.setup.mode == Mode::Auto => {
                // Is it the kernel side? Then it starts without.
                daemon.explicit = Some(daemon.why_not());
                daemon.resume().map_err(|_same| error)?;
            }
            other => other?,
        }
        Ok(daemon)
    }

    /// Starts it again after [`Self::kill`] or [`Self::stop`], with the same files, and waits until it is ready.
    pub fn resume(&mut self) -> Result<()> {
        self.launch()?;
        let mut message = [0; 512];
        let ready = wait_for("the daemon to be ready", Duration::from_secs(60), || {
            let child = self.child.as_mut().context("not started")?;
            child.check_alive()?;
            let count = self.ready.recv(&mut message).unwrap_or(0);
            let text = String::from_utf8_lossy(message.get(..count).unwrap_or_default());
            Ok(text.lines().any(|line| line == "READY=1").then_some(()))
        });
        if ready.is_err() {
            self.child = None;
        }
        ready
    }

    /// Starts it without waiting: for a start that is expected to fail.
    pub fn launch(&mut self) -> Result<()> {
        if let Some(child) = self.child.as_mut()
            && child.poll()?.is_none()
        {
            bail!("the daemon runs already");
        }
        self.write_config()?;
        let mut line = self.setup.prefix.clone();
        line.push(paths::binary("interlock", self.setup.profile).display().to_string());
        let (program, arguments) = line.split_first().context("no command line")?;
        let mut command = Command::new(program);
        command.args(arguments).args(["serve", "--config"]).arg(self.config_path());
        command.env("NOTIFY_SOCKET", self.scratch.dir().join("ready.sock")).current_dir(self.scratch.dir());
        self.child = Some(Child::start("daemon", &mut command, Signal::SIGTERM, &self.scratch)?);
        Ok(())
    }

    fn write_config(&self) -> Result<()> {
        for (name, text) in &self.setup.policies {
            fs::write(self.scratch.dir().join("policies").join(name), text)?;
        }
        let label = self.scratch.label();
        if self.explicit.is_none() {
            self.scratch.owns_cgroup(&self.cgroup_base()?);
            self.scratch.owns_pins(&self.pins());
        }
        let text = self.setup.to_toml(self.scratch.dir(), &label, self.explicit.is_some(), &self.ports);
        fs::write(self.config_path(), text)?;
        Ok(())
    }

    fn why_not(&self) -> String {
        let log = self.log();
        let line = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
        line.trim_start_matches("error: ").trim_start_matches("Error: ").to_owned()
    }

    /// Its configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.scratch.dir().join("interlock.toml")
    }

    /// The folder with its configuration, policies, spool (`state`) and log.
    pub fn dir(&self) -> &Path {
        self.scratch.dir()
    }

    /// The cgroup under which it makes those of `interlock exec`; there only when transparent.
    pub fn cgroup_base(&self) -> Result<PathBuf> {
        Ok(cgroup_mount()?.join(format!("interlock-{}", self.scratch.label())))
    }

    /// Its pins in the BPF file system; there only when transparent.
    pub fn pins(&self) -> PathBuf {
        Path::new("/sys/fs/bpf").join(format!("interlock-{}", self.scratch.label()))
    }

    /// Does the kernel take the agents' connections?
    pub fn transparent(&self) -> bool {
        self.explicit.is_none()
    }

    /// Why it doesn't.
    pub fn not_transparent_because(&self) -> Option<&str> {
        self.explicit.as_deref()
    }

    /// Where `agent` connects to in order to reach `target`: its own address and port, or a listener's.
    pub fn address(&self, agent: &str, target: &str) -> Result<(String, u16)> {
        if self.transparent() {
            let found = self.setup.targets.iter().find(|one| one.name == target);
            return found.map(Target::address).with_context(|| format!("no target `{target}`"));
        }
        Ok(("127.0.0.1".into(), self.listener(agent, target)?))
    }

    /// Port of the explicit listener for `agent` and `target`; there when not transparent, or with [`Setup::listeners`].
    pub fn listener(&self, agent: &str, target: &str) -> Result<u16> {
        let found = self.ports.iter().find(|(who, what, _)| who == agent && what == target);
        let (_, _, port) = found.with_context(|| format!("no listener for `{agent}` and `{target}`"))?;
        Ok(*port)
    }

    /// A command that runs `program` as `agent`: under `interlock exec` (as the user `nobody` if we are root, as an agent
    /// should), or as it is when not transparent.
    pub fn exec(&self, agent: &str, program: impl AsRef<OsStr>) -> Command {
        let user: &[&str] = if nix::unistd::geteuid().is_root() { &["--user", "nobody"] } else { &[] };
        self.exec_with(agent, user, program.as_ref())
    }

    /// As [`Self::exec`], but as the user that we are.
    pub fn exec_as_we_are(&self, agent: &str, program: impl AsRef<OsStr>) -> Command {
        self.exec_with(agent, &[], program.as_ref())
    }

    fn exec_with(&self, agent: &str, more: &[&str], program: &OsStr) -> Command {
        if !self.transparent() {
            return Command::new(program);
        }
        let mut command = self.interlock(&["exec"]);
        command.args(["--agent", agent]).args(more).arg("--").arg(program);
        command
    }

    /// One of its own commands, with its configuration: `interlock <arguments> --config …`.
    pub fn interlock(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(paths::binary("interlock", self.setup.profile));
        command.args(arguments).arg("--config").arg(self.config_path());
        command
    }

    /// Runs one of its own commands and returns what it printed.
    pub fn read(&self, arguments: &[&str]) -> Result<String> {
        let out = self.interlock(arguments).output().context("cannot run interlock")?;
        if !out.status.success() {
            let said = String::from_utf8_lossy(&out.stderr);
            bail!("`interlock {}` failed: {}\n{}", arguments.join(" "), out.status, said.trim_end());
        }
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// The audit rows that `interlock audit query --json <filter>` finds, oldest first unless the filter says otherwise.
    pub fn audit_rows(&self, filter: &[&str]) -> Result<Vec<Value>> {
        let arguments = [&["audit", "query", "--json"], filter].concat();
        let text = self.read(&arguments)?;
        let mut rows = Vec::new();
        for value in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
            match value
                .with_context(|| format!("`audit query --json` printed no JSON:\n{}", tail(&text, 5)))?
            {
                Value::Array(many) => rows.extend(many),
                one => rows.push(one),
            }
        }
        Ok(rows)
    }

    /// Process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::pid)
    }

    /// kill -9.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
        }
        Ok(())
    }

    /// Ends it in good order.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().ok_or_else(|| anyhow!("the daemon does not run"))?;
        child.stop()
    }

    /// Waits for a start that is expected to fail.
    pub fn ended(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().ok_or_else(|| anyhow!("the daemon does not run"))?;
        child.wait(Duration::from_secs(30))
    }

    /// Sends it a signal, such as SIGHUP to read its files again.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.child.as_ref().context("the daemon does not run")?.signal(signal)
    }

    /// Replaces or adds a policy file; the daemon notices.
    pub fn write_policy(&mut self, name: &str, text: &str) -> Result<()> {
        self.setup.policies.retain(|(other, _)| other != name);
        self.setup.policies.push((name.to_owned(), text.to_owned()));
        // Renamed into place: the daemon never sees half a file.
        let draft = self.scratch.dir().join(".draft");
        fs::write(&draft, text)?;
        fs::rename(draft, self.scratch.dir().join("policies").join(name))?;
        Ok(())
    }

    /// Everything it logged, over all its starts.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.scratch.dir().join("daemon.log")).unwrap_or_default())
            .into_owned()
    }
}

/// Where the cgroup v2 hierarchy is mounted, alone or beside v1.
pub fn cgroup_mount() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 ")).context("no cgroup v2 is mounted")?;
    Ok(line.split_whitespace().nth(4).context("mountinfo has no mount point")?.into())
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            agents: Vec::new(),
            targets: Vec::new(),
            policies: Vec::new(),
            policy_paths: Vec::new(),
            mode: Mode::Auto,
            listeners: false,
            clickhouse: None,
            default_deny: Vec::new(),
            more: String::new(),
            profile: Profile::Debug,
            prefix: Vec::new(),
        }
    }
}
