//! How the clients are called. All are ordinary installations that know nothing of us.

use std::path::PathBuf;
use std::process::Command;
use xtask::paths;

/// The Python that has psycopg2.
pub const PYTHON: &str = "/usr/bin/python3";

/// Tells a client where the database is, the way all of them understand.
pub fn place(command: &mut Command, host: &str, port: u16, database: &str) {
    command
        .env("PGHOST", host)
        .env("PGPORT", port.to_string())
        .env("PGUSER", "postgres")
        .env("PGDATABASE", database)
        .env("PGSSLMODE", "disable")
        .env("PGCONNECT_TIMEOUT", "20")
        .env("NODE_PATH", paths::node_clients().join("node_modules"));
}

/// psql: unaligned, reads standard input, shows SQLSTATEs, goes on after errors.
pub fn psql(command: &mut Command) -> &mut Command {
    command.args(["-XqAt", "-v", "VERBOSITY=verbose"])
}

/// Python: the script comes on standard input.
pub fn python(command: &mut Command) -> &mut Command {
    command.args(["-I", "-"])
}

/// What precedes every Python script.
pub fn python_script(script: &str) -> String {
    format!("import psycopg2, sys\n{script}\n")
}

/// Where a client of this name is: node may be one that set-up brought.
pub fn program(name: &str) -> PathBuf {
    if name == "node" { paths::node() } else { name.into() }
}

/// Node: the script comes on standard input.
pub fn node(command: &mut Command) -> &mut Command {
    command.arg("-")
}

/// What surrounds every node script.
pub fn node_script(script: &str) -> String {
    format!(
        "const {{ Client }} = require('pg');
(async () => {{
  const client = new Client();
  await client.connect();
  try {{ {script} }} finally {{ await client.end(); }}
}})().catch((error) => {{ console.error(error); process.exit(1); }});
"
    )
}
