//! PgBouncer: the pooler that everybody knows, with one server connection per client connection.

use super::{Peer, Place, served_command};
use crate::bench::pgbench::DATABASE;
use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use nix::unistd::{User, chown};
use std::fs;
use std::os::unix::process::CommandExt;
use xtask::rack::child::Child;

pub const PEER: Peer = Peer { name: "pgbouncer", install: "apt: pgbouncer", start };

fn start(place: &Place<'_>) -> Result<Child> {
    let config = format!(
        "[databases]
{DATABASE} = host=127.0.0.1 port={} user=postgres dbname={DATABASE}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {}
unix_socket_dir =
auth_type = any
pool_mode = session
default_pool_size = 1100
max_client_conn = 1200
server_idle_timeout = 1
log_connections = 0
log_disconnections = 0
",
        place.backend, place.port
    );
    let file = place.scratch.dir().join("pgbouncer.ini");
    fs::write(&file, config)?;
    let mut command = served_command(place.cpu, "/usr/sbin/pgbouncer".into());
    command.arg(file);
    if nix::unistd::geteuid().is_root() {
        // It refuses to be root.
        let user = User::from_name("postgres")?.context("no user `postgres`")?;
        chown(place.scratch.dir(), Some(user.uid), Some(user.gid))?;
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    Child::start("pgbouncer", &mut command, Signal::SIGTERM, place.scratch)
}
