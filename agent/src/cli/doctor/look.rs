//! The single checks of `interlock doctor`.

use crate::config::{Config, Dns, Enabled, default_paths};
use crate::control::Client;
use crate::control::message::{BoundaryKind, Status};
use crate::intercept::{Check, Paths, checks};
use nix::sys::statvfs::statvfs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

/// How long a sink may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The configuration file.
pub(super) fn config(file: &Path) -> (Check, Option<Config>) {
    match Config::load(file) {
        Ok(config) => {
            let (agents, targets) = (config.agents.len(), config.targets.len());
            let detail = format!("{}: {agents} agents, {targets} targets", config.file.display());
            (Check::ok("configuration", detail), Some(config))
        }
        Err(error) => {
            let remedy = "correct it; `interlock config check` shows the lines";
            (Check::broken("configuration", error.to_string(), remedy), None)
        }
    }
}

/// Everything the kernel side needs.
pub(super) fn kernel(config: Option<&Config>) -> Vec<Check> {
    if config.is_some_and(|config| config.intercept.enabled == Enabled::Off) {
        let detail = "`intercept.enabled` is `off`: agents are not governed by the kernel";
        return vec![Check::degraded("kernel side", detail, "set `intercept.enabled` to `require`")];
    }
    let (paths, intercept) = match config {
        Some(config) => (config.paths.clone(), config.intercept.clone()),
        None => match default_paths() {
            Some(defaults) => defaults,
            None => return Vec::new(),
        },
    };
    checks(&Paths { bpffs: paths.bpf, cgroup_base: Path::new("/").join(intercept.cgroup_base) })
}

/// What becomes of agents' lookups, and who is asked. Nobody is, here.
pub(super) fn lookups(config: &Config) -> Option<Check> {
    const NAME: &str = "lookups";
    if config.intercept.enabled == Enabled::Off {
        return None;
    }
    Some(match config.intercept.dns {
        Dns::Refuse => Check::ok(NAME, "refused: agents reach targets by address or /etc/hosts"),
        Dns::Direct => {
            let detail = "agents ask any name server, unread: data can leave that way";
            Check::degraded(NAME, detail, "set `intercept.dns` to `answer`")
        }
        Dns::Answer if !config.dns.servers.is_empty() => {
            let servers: Vec<_> = config.dns.servers.iter().map(ToString::to_string).collect();
            Check::ok(NAME, format!("answered by the daemon, which asks {}", servers.join(", ")))
        }
        Dns::Answer => match crate::dns::system_servers() {
            Ok(servers) if !servers.is_empty() => Check::ok(
                NAME,
                format!("answered by the daemon, which asks {} (/etc/resolv.conf)", servers.join(", ")),
            ),
            Ok(_) => Check::degraded(NAME, "/etc/resolv.conf names no server to ask", "give `dns.servers`"),
            Err(error) => {
                Check::degraded(NAME, format!("there is no server to ask: {error}"), "give `dns.servers`")
            }
        },
    })
}

/// The policy files.
pub(super) fn policies(config: &Config) -> Check {
    match crate::live::load_policies(config) {
        Ok(policies) if policies.is_empty() => {
            let detail = "there are none: everything is refused";
            Check::degraded("policies", detail, "write some into a folder of `policies.paths`")
        }
        Ok(policies) if policies.warnings().is_empty() => {
            Check::ok("policies", format!("{} in force or ready", policies.len()))
        }
        Ok(policies) => {
            let warnings: Vec<_> = policies.warnings().iter().map(ToString::to_string).collect();
            let detail = format!("{}, with warnings:\n{}", policies.len(), warnings.join("\n"));
            Check::degraded("policies", detail, "see `interlock policy check`")
        }
        Err(error) => {
            Check::broken("policies", error.to_string(), "correct them; see `interlock policy check`")
        }
    }
}

/// What a running daemon says of itself.
pub(super) fn daemon(mut daemon: Client) -> Vec<Check> {
    let mut found = Vec::new();
    match daemon.status() {
        Ok(status) => found.push(of_status(&status)),
        Err(error) => {
            found.push(Check::broken("daemon", error.to_string(), "look at its log, and restart it"));
            return found;
        }
    }
    match daemon.doctor() {
        Ok(checks) => found.extend(checks),
        Err(error) => found.push(Check::broken("daemon's own checks", error.to_string(), "look at its log")),
    }
    found
}

fn of_status(status: &Status) -> Check {
    let version = env!("CARGO_PKG_VERSION");
    let detail = format!("{}, pid {}, since {}", status.version, status.pid, status.started);
    if status.version == version {
        Check::ok("daemon", detail)
    } else {
        Check::degraded("daemon", format!("{detail}; this command is {version}"), "restart the daemon")
    }
}

fn explicit(address: &str) -> Check {
    let detail = format!("{address}: {}", BoundaryKind::Explicit);
    Check::degraded("listener", detail, "govern agents by the kernel: `interlock exec` or `agent.cgroups`")
}

/// Whether a daemon could listen where it is configured to.
pub(super) fn listeners(config: &Config) -> Vec<Check> {
    let mut found = Vec::new();
    let intercept = &config.intercept;
    if intercept.enabled != Enabled::Off {
        found.push(can_listen(
            "listener",
            SocketAddr::new(intercept.address, intercept.port),
            "intercept.port",
        ));
    }
    for listener in &config.listeners {
        found.push(can_listen("listener", listener.address, "listener.address"));
        found.push(explicit(&listener.address.to_string()));
    }
    found
}

fn can_listen(name: &str, address: SocketAddr, key: &str) -> Check {
    // `SO_REUSEADDR` is set by std, as the daemon does: connections of a former one that linger don't count.
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(name, format!("{address} is free")),
        Err(error) => {
            let remedy = match error.kind() {
                io::ErrorKind::AddrInUse => format!("stop what listens there, or give `{key}` another port"),
                io::ErrorKind::PermissionDenied => "run this as root".to_owned(),
                _ => format!("give `{key}` an address of this host"),
            };
            Check::broken(name, format!("{address}: {error}"), remedy)
        }
    }
}

/// The spool of a daemon that is not running, and the room for it.
pub(super) fn spool(config: &Config) -> Check {
    let directory = config.spool_directory();
    let shown = directory.display();
    let existing = directory.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let free = statvfs(existing).map(|room| room.blocks_available().saturating_mul(room.fragment_size()));
    let rows = match audit::SpoolReader::open(&directory).and_then(|spool| spool.count()) {
        Ok(rows) => format!("{rows} rows"),
        Err(audit::SpoolError::Missing { .. }) => "none yet; made at the first start".to_owned(),
        Err(error) => {
            let remedy =
                "run this as root; if it is damaged, move it away: a new one is made at the next start";
            return Check::broken("spool", format!("{shown}: {error}"), remedy);
        }
    };
    match free {
        Ok(free) if free < config.audit.spool_bytes_max => {
            let (free, max) = (super::output::size(free), super::output::size(config.audit.spool_bytes_max));
            let detail = format!("{shown}: {rows}; {free} free, but it may grow to {max}");
            Check::degraded("spool", detail, "free space, or lower `audit.spool_bytes_max`")
        }
        Ok(_) => Check::ok("spool", format!("{shown}: {rows}")),
        Err(error) => Check::degraded("spool", format!("{shown}: {rows}; free space unknown: {error}"), ""),
    }
}

/// Whether somebody answers where the sink is configured to be.
pub(super) fn sink(url: &str) -> Check {
    const NAME: &str = "sink's server";
    let remedy = "start the server, or correct `sink.clickhouse.url`; rows wait in the spool";
    match ping(url) {
        Ok(detail) => Check::ok(NAME, format!("{url}: {detail}")),
        Err(error) => Check::degraded(NAME, format!("{url}: {error}"), remedy),
    }
}

/// Asks a ClickHouse server whether it is there (`GET /ping`); over TLS only whether the port is open.
fn ping(url: &str) -> io::Result<&'static str> {
    let url = url::Url::parse(url).map_err(io::Error::other)?;
    let host = url.host_str().ok_or_else(|| io::Error::other("no host"))?;
    let port = url.port_or_known_default().unwrap_or(80);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut last = io::Error::other("the name has no address");
    let mut stream = None;
    for address in (bare, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(connected) => {
                stream = Some(connected);
                break;
            }
            Err(error) => last = error,
        }
    }
    let Some(mut stream) = stream else { return Err(last) };
    if url.scheme() == "https" {
        return Ok("takes connections (TLS is not tried here)");
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /ping HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    if answer.starts_with(b"HTTP/") && answer.ends_with(b" 200") {
        Ok("answers")
    } else {
        Err(io::Error::other("answers, but not as a ClickHouse server"))
    }
}
