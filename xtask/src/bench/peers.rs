//! Who takes part: each peer is how it is started, on which port it listens and which process does its work.

mod envoy;
mod haproxy;
mod interlock;
mod minihop;
mod pgbouncer;

pub use interlock::{Interlock, Way};

use super::pgbench::DATABASE;
use super::{Cpu, Options};
use anyhow::{Context, Result, anyhow};
use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;
use std::time::Duration;
use xtask::rack::child::{Child, SESSION};
use xtask::rack::postgres::{self, Postgres};
use xtask::rack::scratch::Scratch;
use xtask::rack::{free_port, wait_for};

/// Where load goes.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub name: String,
    pub host: String,
    pub port: u16,
    /// The process whose CPU time and memory count; none for the direct way.
    pub pid: Option<u32>,
    /// What the client is started under.
    pub under: Vec<String>,
}

/// A peer by name.
pub struct Peer {
    pub name: &'static str,
    /// Where it comes from; set-up installs it.
    pub install: &'static str,
    start: fn(&Place<'_>) -> Result<Child>,
}

/// What a peer is told to do.
pub struct Place<'a> {
    /// Port to listen on.
    pub port: u16,
    /// Port of the database to forward to.
    pub backend: u16,
    pub cpu: Cpu,
    pub scratch: &'a Scratch,
}

/// The peers, from the floor up.
pub const PEERS: &[Peer] = &[minihop::PEER, pgbouncer::PEER, haproxy::PEER, envoy::PEER];

/// A peer that somebody else started.
#[derive(Clone, Debug)]
pub struct External {
    name: String,
    host: String,
    port: u16,
    pid: u32,
}

impl FromStr for External {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = || -> Option<Self> {
            let (name, rest) = text.split_once('=')?;
            let (place, pid) = rest.rsplit_once(',')?;
            let (host, port) = place.rsplit_once(':')?;
            Some(Self {
                name: name.into(),
                host: host.into(),
                port: port.parse().ok()?,
                pid: pid.parse().ok()?,
            })
        };
        parts().ok_or_else(|| anyhow!("`{text}` is not NAME=HOST:PORT,PID"))
    }
}

/// The database and every contender, running.
pub struct Field {
    pub postgres: Postgres,
    pub interlock: Interlock,
    peers: Vec<(&'static str, u16, Child)>,
    external: Vec<External>,
    _scratch: Vec<Scratch>,
}

impl Field {
    /// Starts the database, the host agent and the named peers.
    pub fn start(options: &Options, cpu: Cpu, names: &[&str]) -> Result<Self> {
        let postgres = database(options.backend_port, cpu)?;
        let mut peers = Vec::new();
        let mut rooms = Vec::new();
        for name in names {
            let peer =
                PEERS.iter().find(|peer| peer.name == *name).with_context(|| format!("no peer `{name}`"))?;
            let room = Scratch::new(peer.name)?;
            let place = Place { port: free_port()?, backend: postgres.port(), cpu, scratch: &room };
            let port = place.port;
            let mut child = (peer.start)(&place)
                .with_context(|| format!("{} did not start; it comes from: {}", peer.name, peer.install))?;
            wait_for(peer.name, Duration::from_secs(20), || {
                child.check_alive()?;
                Ok(std::net::TcpStream::connect(("127.0.0.1", port)).ok())
            })?;
            peers.push((peer.name, port, child));
            rooms.push(room);
        }
        let interlock = Interlock::start(postgres.port(), &options.way(cpu))?;
        Ok(Self { postgres, interlock, peers, external: options.external.clone(), _scratch: rooms })
    }

    /// All ways to the database: direct, peers, ours.
    pub fn endpoints(&self) -> Result<Vec<Endpoint>> {
        let at = |name: &str, host: &str, port, pid| Endpoint {
            name: name.into(),
            host: host.into(),
            port,
            pid,
            under: Vec::new(),
        };
        let mut list = vec![at("direct", "127.0.0.1", self.postgres.port(), None)];
        list.extend(
            self.peers.iter().map(|(name, port, child)| at(name, "127.0.0.1", *port, Some(child.pid()))),
        );
        list.extend(self.external.iter().map(|one| at(&one.name, &one.host, one.port, Some(one.pid))));
        list.push(self.interlock.endpoint()?);
        Ok(list)
    }
}

/// The database under load, on that port or any free one.
pub fn database(port: Option<u16>, cpu: Cpu) -> Result<Postgres> {
    let mut settings = vec![("max_connections".to_owned(), "3000".to_owned())];
    if let Some(port) = port {
        settings.push(("port".to_owned(), port.to_string()));
    }
    let postgres =
        Postgres::start(&postgres::Options { settings, prefix: served(cpu), ..Default::default() })?;
    postgres.sql("postgres", &format!("create database {DATABASE}"))?;
    let mut init = Command::new(xtask::paths::postgres_bin().join("pgbench"));
    init.args([
        "-i",
        "-q",
        "-s",
        "1",
        "-h",
        "127.0.0.1",
        "-p",
        &postgres.port().to_string(),
        "-U",
        "postgres",
        DATABASE,
    ]);
    crate::cmd::read(&mut init)?;
    Ok(postgres)
}

/// What a server under measurement is started under: a session of its own, as a service has (the kernel shares the CPU
/// out among sessions first), and its CPU.
pub fn served(cpu: Cpu) -> Vec<String> {
    [vec![SESSION.to_owned()], pinned(cpu)].concat()
}

/// What pins a process, if it is to be pinned.
pub fn pinned(cpu: Cpu) -> Vec<String> {
    match cpu {
        Cpu::One => ["taskset", "-c", "1"].map(str::to_owned).to_vec(),
        Cpu::Two => Vec::new(),
    }
}

/// A server's command, to be started.
pub fn served_command(cpu: Cpu, program: PathBuf) -> Command {
    let mut command = Command::new(SESSION);
    command.args(pinned(cpu)).arg(program);
    command
}
