//! The configuration file: read whole, checked whole, and either right or refused with everything that is wrong.
//!
//! `schema.rs` defines every key once. What follows from that one definition: the structs here, the messages, the page
//! `docs/configuration.md` and the sample file `agent/interlock.toml`.

pub mod change;
mod check;
pub mod document;
mod kind;
mod problem;
mod resolve;
mod schema;
mod section;
#[cfg(test)]
mod tests;
pub mod watch;

pub use change::Changes;
pub use problem::{ConfigError, Problem};
pub use resolve::{Address, HostPort, Offline, Resolve, System};
pub use schema::{
    AgentConfig, Audit, ClickHouse, DataLabels, Dns, DnsConfig, Durable, Enabled, Format, Intercept, Level,
    Limits, ListenerConfig, Log, PROTOCOLS, Paths, Policies, Refusal, Scrub, TargetConfig,
};

use problem::Problems;
use section::{Reader, Section};
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::de::DeTable;

/// Where the configuration is unless the command line or `INTERLOCK_CONFIG` says otherwise.
pub const DEFAULT_PATH: &str = "/etc/interlock/interlock.toml";

/// Who acts in a cgroup that is closed to what is not named (`intercept.default_deny`); no agent can have that name.
pub const UNNAMED: &str = "(unnamed)";

/// The target that lookups are operations of, in policies and rows.
pub const DNS_TARGET: &str = "dns";

/// Bytes of the largest configuration file.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Tables of one kind at most.
const AGENTS_MAX: usize = 4_096;
const TARGETS_MAX: usize = 4_096;
const LISTENERS_MAX: usize = 256;

/// A configuration that passed every check.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// Folders.
    pub paths: Paths,
    /// The kernel side.
    pub intercept: Intercept,
    /// The lookups of agents.
    pub dns: DnsConfig,
    /// Agents, names unique.
    pub agents: Vec<AgentConfig>,
    /// Targets, names and addresses unique.
    pub targets: Vec<TargetConfig>,
    /// Explicit listeners; not transparent and not a boundary.
    pub listeners: Vec<ListenerConfig>,
    /// Where policies are.
    pub policies: Policies,
    /// What is recorded.
    pub audit: Audit,
    /// Where rows go; `None` leaves them in the spool.
    pub sink: Option<ClickHouse>,
    /// Limits.
    pub limits: Limits,
    /// The daemon's own log.
    pub log: Log,
}

impl Config {
    /// Reads and checks a file, resolving host names with the system's resolver. Blocks while it does.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::load_with(path, &System)
    }

    /// Reads and checks a file.
    pub fn load_with(path: &Path, resolver: &dyn Resolve) -> Result<Self, ConfigError> {
        let whole = |message: String| ConfigError::whole(path, message);
        let path = std::path::absolute(path).map_err(|error| whole(format!("can't be found: {error}")))?;
        let bytes = read_file(&path).map_err(|why| ConfigError::whole(&path, why))?;
        let source = match String::from_utf8(bytes) {
            Ok(source) => source,
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let mut problems = Problems::default();
                problems.add(at..at, "", "the file is not UTF-8 here; save it as UTF-8".to_owned());
                return Err(problems.into_error(&path, &text));
            }
        };
        Self::parse(&source, &path, resolver)
    }

    /// Checks the text of a file. Looks at the files it names (policies, password), relative to the file's folder.
    pub fn parse(source: &str, file: &Path, resolver: &dyn Resolve) -> Result<Self, ConfigError> {
        let folder = file.parent().unwrap_or(Path::new("/"));
        let mut reader = Reader::new(folder, resolver);
        let (root, errors) = DeTable::parse_recoverable(source);
        for error in &errors {
            let message = format!("not valid TOML: {}", error.message().replace('\n', "; "));
            reader.problems.add(error.span().unwrap_or(0..0), "", message);
        }
        if !reader.problems.is_empty() {
            return Err(reader.problems.into_error(file, source));
        }
        match Self::read(root.get_ref(), file, &mut reader) {
            Some(config) if reader.problems.is_empty() => Ok(config),
            _ => Err(reader.problems.into_error(file, source)),
        }
    }

    /// Reads every table, so that all problems are found, and cross-checks what could be read.
    fn read(root: &DeTable<'_>, file: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        let known = [
            Paths::HEADING,
            Intercept::HEADING,
            DnsConfig::HEADING,
            AgentConfig::HEADING,
            TargetConfig::HEADING,
            ListenerConfig::HEADING,
            Policies::HEADING,
            Audit::HEADING,
            "sink",
            Limits::HEADING,
            Log::HEADING,
        ];
        reader.refuse_unknown(Some(root), "", &known);
        let paths = reader.one::<Paths>(root);
        let intercept = reader.one::<Intercept>(root);
        let dns = reader.one::<DnsConfig>(root);
        if let Some(dns) = &dns {
            reader.servers = (dns.servers.clone(), dns.timeout);
        }
        let agents = reader.each::<AgentConfig>(root);
        let targets = reader.each::<TargetConfig>(root);
        let listeners = reader.each::<ListenerConfig>(root);
        let policies = reader.one::<Policies>(root);
        let audit = reader.one::<Audit>(root);
        let sink = read_sink(root, reader);
        let limits = reader.one::<Limits>(root);
        let log = reader.one::<Log>(root);
        check::counts(reader, &[("agent", agents.len(), AGENTS_MAX), ("target", targets.len(), TARGETS_MAX)]);
        check::counts(reader, &[("listener", listeners.len(), LISTENERS_MAX)]);
        check::names(reader, &agents, &targets);
        check::addresses(reader, &targets);
        check::listeners(reader, &listeners, &agents, &targets, intercept.as_ref());
        check::policies(reader, policies.as_ref());
        check::password(reader, sink.as_ref().and_then(Option::as_ref));
        check::limits(reader, limits.as_ref());
        Some(Self {
            file: file.to_owned(),
            paths: paths?,
            intercept: intercept?,
            dns: dns?,
            agents: agents.into_iter().collect::<Option<_>>()?,
            targets: targets.into_iter().collect::<Option<_>>()?,
            listeners: listeners.into_iter().collect::<Option<_>>()?,
            policies: policies?,
            audit: audit?,
            sink: sink?,
            limits: limits?,
            log: log?,
        })
    }

    /// The targets that a connection to this address is for, where it has these host names: those whose address it is, and
    /// those that bear one of the names, on its port.
    pub fn targets_at(&self, destination: SocketAddr, names: &[Arc<str>]) -> Vec<&TargetConfig> {
        let is_named = |address: &Address| {
            address.port() == destination.port()
                && address.host_name().is_some_and(|host| names.iter().any(|name| **name == *host))
        };
        let is_meant = |address: &Address| address.contains(destination) || is_named(address);
        self.targets.iter().filter(|target| target.addresses.iter().any(is_meant)).collect()
    }

    /// The targets that have a host of that name (in lower case, without a final dot).
    pub fn targets_named<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a TargetConfig> {
        self.targets.iter().filter(move |target| {
            target.addresses.iter().any(|address| address.host_name().is_some_and(|name| name == host))
        })
    }

    /// The target of that name.
    pub fn target(&self, name: &str) -> Option<&TargetConfig> {
        self.targets.iter().find(|target| target.name == name)
    }

    /// The agent of that name.
    pub fn agent(&self, name: &str) -> Option<&AgentConfig> {
        self.agents.iter().find(|agent| agent.name == name)
    }

    /// The run directory that a file names, read leniently: a command must find a running daemon whatever was done to
    /// the file since. The default where the file names none or can't be read.
    pub fn run_directory(path: &Path) -> PathBuf {
        let source = read_file(path).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let run = |source: &str| {
            let (root, _) = DeTable::parse_recoverable(source);
            let run = root
                .get_ref()
                .get(Paths::HEADING)?
                .get_ref()
                .get("run")?
                .get_ref()
                .as_str()
                .map(PathBuf::from)?;
            run.is_absolute().then_some(run)
        };
        // An unclosed bracket before it swallows the table: look at its lines alone.
        let is_heading = |line: &&str| line.trim() == "[paths]";
        let lines = source.lines().skip_while(|line| !is_heading(line)).enumerate();
        let alone: Vec<_> = lines
            .take_while(|(index, line)| *index == 0 || !line.starts_with('['))
            .map(|(_, line)| line)
            .collect();
        let default = || default_paths().map(|(paths, _)| paths.run);
        run(&source).or_else(|| run(&alone.join("\n"))).or_else(default).unwrap_or_default()
    }

    /// The control socket.
    pub fn control_socket(&self) -> PathBuf {
        self.paths.run.join("control.sock")
    }

    /// The folder of the audit spool.
    pub fn spool_directory(&self) -> PathBuf {
        self.paths.state.join("spool")
    }

    /// The policy files in the order they are read: files as named, folders by their `*.cedar` in order of name.
    pub fn policy_files(&self) -> std::io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for path in &self.policies.paths {
            if !path.is_dir() {
                files.push(path.clone());
                continue;
            }
            let mut found = Vec::new();
            for entry in std::fs::read_dir(path)? {
                let file = entry?.path();
                if file.extension().is_some_and(|extension| extension == "cedar") {
                    found.push(file);
                }
            }
            found.sort();
            files.append(&mut found);
        }
        Ok(files)
    }
}

impl TargetConfig {
    /// Where a connection of an explicit listener goes: the upstream, or the first address.
    pub fn first_upstream(&self) -> Option<SocketAddr> {
        let upstream = self.upstream.iter().flat_map(HostPort::addresses);
        let addresses = self.addresses.iter().filter_map(|address| match address {
            Address::Host(host) => host.addresses().next(),
            Address::Network(..) => None,
        });
        upstream.chain(addresses).next()
    }

    /// Where an intercepted connection goes: the upstream, or what the agent asked for.
    pub fn upstream_for(&self, destination: SocketAddr) -> SocketAddr {
        self.upstream.iter().flat_map(HostPort::addresses).next().unwrap_or(destination)
    }
}

impl ClickHouse {
    /// The password, read anew so that a changed file needs no reload; empty where no file is named.
    pub fn password(&self) -> std::io::Result<String> {
        let Some(path) = &self.password_file else { return Ok(String::new()) };
        let mut text = String::new();
        File::open(path)?.take(check::PASSWORD_BYTES_MAX).read_to_string(&mut text)?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }
}

impl Limits {
    /// The limits of one connection, as the protocol machines take them.
    pub fn wire(&self) -> Arc<wire::Limits> {
        let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
        Arc::new(wire::Limits {
            message_bytes_max: bytes(self.message_bytes),
            startup_bytes_max: bytes(self.startup_bytes),
            names_max: self.names,
            pipeline_max: self.pipeline,
            statement_bytes_max: bytes(self.statement_bytes),
            nesting_max: self.nesting,
        })
    }
}

/// The folders and the kernel side of a configuration that says nothing of them: `Some`, as tests show.
pub fn default_paths() -> Option<(Paths, Intercept)> {
    let mut reader = Reader::new(Path::new("/"), &Offline);
    let paths = Paths::read(None, Paths::HEADING, &mut reader)?;
    Some((paths, Intercept::read(None, Intercept::HEADING, &mut reader)?))
}

/// Reads `[sink.clickhouse]`: `Some(None)` where there is none.
fn read_sink(root: &DeTable<'_>, reader: &mut Reader<'_>) -> Option<Option<ClickHouse>> {
    let Some(sink) = reader.table(root, "sink", "sink")? else { return Some(None) };
    reader.refuse_unknown(Some(sink), "sink", &["clickhouse"]);
    match reader.table(sink, "clickhouse", ClickHouse::HEADING)? {
        Some(table) => ClickHouse::read(Some(table), ClickHouse::HEADING, reader).map(Some),
        None => Some(None),
    }
}

/// The bytes of a regular file of acceptable size, or why not.
fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| format!("can't be read: {error}");
    // Opening a FIFO would wait for its writer: look before opening.
    if !std::fs::metadata(path).map_err(cannot)?.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(cannot)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}
