//! A real PostgreSQL 15 on a free port of 127.0.0.1.

use crate::paths;
use crate::rack::child::{Child, tail};
use crate::rack::scratch::Scratch;
use crate::rack::{free_port, wait_for};
use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, User, chown};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Changes when [`make_template`] would make something else.
const TEMPLATE: &str = "postgres-15-template-2";

/// Roles in every server: each may log in by the method it is named for, with the password `secret`; everybody else
/// (`postgres` is the superuser) is trusted.
const ROLES: &str = "
set password_encryption = 'md5'; create role md5_user login password 'secret';
set password_encryption = 'scram-sha-256'; create role scram_user login password 'secret';
create role plain_user login password 'secret';
create role app login;
";

const HBA: &str = "\
host all md5_user all md5
host all scram_user all scram-sha-256
host all plain_user all password
host all all all trust
host replication all all trust
local all all trust
";

/// How a server differs from an ordinary one.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Write every statement to the server's log, and every Parse that runs nothing: [`Postgres::log`] then proves what
    /// did and did not arrive.
    pub log_statements: bool,
    /// Flush to disk as a server in production does. Off: much faster, and a crash of the machine may lose data.
    pub durable: bool,
    /// Further settings, as `postgresql.conf` has them.
    pub settings: Vec<(String, String)>,
    /// Put before the server's command line, such as `taskset -c 1`.
    pub prefix: Vec<String>,
}

/// A running server; dropping it ends it.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    child: Child,
    scratch: Scratch,
}

impl Postgres {
    /// Starts one and waits until it answers.
    pub fn start(options: &Options) -> Result<Self> {
        let scratch = Scratch::new("postgres")?;
        let owner = Owner::find()?;
        let data = scratch.dir().join("data");
        let template = template(&owner)?;
        let copied = Command::new("cp").args(["-a", "--reflink=auto"]).arg(&template).arg(&data).status()?;
        ensure!(copied.success(), "cannot copy `{}`", template.display());
        fs::write(data.join("pg_hba.conf"), HBA)?;
        owner.takes(scratch.dir())?;
        let mut last = None;
        for _attempt in 0..3 {
            match Self::launch(options, &scratch, &owner, &data) {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error), // the port was taken in the meantime
            }
        }
        Err(last.context("PostgreSQL did not start")?)
    }

    fn launch(options: &Options, scratch: &Scratch, owner: &Owner, data: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut line: Vec<String> = options.prefix.clone();
        line.push(paths::postgres_bin().join("postgres").display().to_string());
        line.extend(["-D".to_owned(), data.display().to_string()]);
        for (name, value) in settings(options, port, scratch.dir()) {
            line.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        let (program, arguments) = line.split_first().context("no command line")?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(data).env_remove("PGDATA");
        owner.becomes(&mut command);
        // SIGQUIT: at once, yet in good order; what is left of such a server is to be removed anyway.
        let child = Child::start("postgres", &mut command, Signal::SIGQUIT, scratch)?;
        let mut server = Self { port, child, scratch: scratch.clone() };
        wait_for("PostgreSQL to answer", Duration::from_secs(30), || {
            server.child.check_alive()?;
            Ok(server.log().contains("database system is ready to accept connections").then_some(()))
        })?;
        Ok(server)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The postmaster's process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Directory that its sockets, data and log are in.
    pub fn dir(&self) -> &Path {
        self.scratch.dir()
    }

    /// A connection string that names this server directly.
    pub fn dsn(&self, user: &str, database: &str) -> String {
        format!("host=127.0.0.1 port={} user={user} dbname={database}", self.port)
    }

    /// The server's own log. Statements are in it only with [`Options::log_statements`].
    pub fn log(&self) -> String {
        self.child.log()
    }

    /// Runs a script as the superuser, past everything under test; returns psql's unaligned output.
    pub fn sql(&self, database: &str, script: &str) -> Result<String> {
        let out = Command::new("psql")
            .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-h"])
            .arg(self.dir())
            .args(["-p", &self.port.to_string(), "-U", "postgres", "-d", database, "-c", script])
            .env("PGOPTIONS", "-c client_min_messages=warning")
            .output()
            .context("cannot run psql; `cargo xtask setup` installs it")?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        if !out.status.success() {
            bail!("psql: {}\nin: {script}", String::from_utf8_lossy(&out.stderr));
        }
        Ok(text)
    }

    /// Makes a database of its own for a test, named after `what` and a number, and loads `script` into it.
    pub fn database(&self, what: &str, script: &str) -> Result<String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{what}_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("create database {name} template template0"))?;
        if !script.is_empty() {
            self.sql(&name, script)?;
        }
        Ok(name)
    }

    /// Ends it in good order.
    pub fn stop(mut self) -> Result<()> {
        self.child.stop()?;
        Ok(())
    }

    /// The end of its log, for messages.
    pub fn log_tail(&self) -> String {
        tail(&self.log(), 30)
    }
}

fn settings(options: &Options, port: u16, sockets: &Path) -> Vec<(String, String)> {
    let mut list = vec![
        ("port", port.to_string()),
        ("listen_addresses", "127.0.0.1".to_owned()),
        ("unix_socket_directories", sockets.display().to_string()),
        ("shared_buffers", "64MB".to_owned()),
        ("max_connections", "200".to_owned()),
        ("timezone", "UTC".to_owned()),
        ("log_timezone", "UTC".to_owned()),
        ("log_line_prefix", "%m [%p] %u@%d ".to_owned()),
    ];
    if options.log_statements {
        list.push(("log_statement", "all".to_owned()));
        list.push(("log_connections", "on".to_owned()));
        list.push(("log_min_messages", "debug2".to_owned())); // tells of each Parse and Bind
    }
    if !options.durable {
        list.extend(["fsync", "synchronous_commit", "full_page_writes"].map(|name| (name, "off".to_owned())));
    }
    let mut list: Vec<(String, String)> =
        list.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    list.extend(options.settings.iter().cloned());
    list
}

/// Who runs the server: PostgreSQL refuses to run as root.
struct Owner(Option<(Uid, Gid)>);

impl Owner {
    fn find() -> Result<Self> {
        if !nix::unistd::geteuid().is_root() {
            return Ok(Self(None));
        }
        let user =
            User::from_name("postgres")?.context("no user `postgres`; `cargo xtask setup` makes it")?;
        Ok(Self(Some((user.uid, user.gid))))
    }

    fn takes(&self, path: &Path) -> Result<()> {
        if let Some((uid, gid)) = self.0 {
            chown(path, Some(uid), Some(gid))?;
        }
        Ok(())
    }

    fn becomes(&self, command: &mut Command) {
        if let Some((uid, gid)) = self.0 {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
    }
}

/// The cluster that all servers start as a copy of, made once and kept in the cache.
fn template(owner: &Owner) -> Result<PathBuf> {
    let cache = paths::cache();
    fs::create_dir_all(&cache).with_context(|| format!("cannot make `{}`", cache.display()))?;
    let template = cache.join(TEMPLATE);
    let lock = File::create(cache.join(format!("{TEMPLATE}.lock")))?;
    lock.lock()?; // tests start servers side by side
    if !template.is_dir() {
        let draft = cache.join(format!("{TEMPLATE}.draft"));
        let _leftover = fs::remove_dir_all(&draft);
        fs::create_dir(&draft)?;
        owner.takes(&draft)?;
        make_template(owner, &draft)?;
        fs::rename(&draft, &template)?;
    }
    Ok(template)
}

fn make_template(owner: &Owner, dir: &Path) -> Result<()> {
    let mut initdb = Command::new(paths::postgres_bin().join("initdb"));
    initdb
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
        .args(["--wal-segsize=1", "-D"])
        .arg(dir)
        .current_dir(dir);
    owner.becomes(&mut initdb);
    let out = initdb.output().context("cannot run initdb; `cargo xtask setup` installs it")?;
    ensure!(out.status.success(), "initdb: {}", String::from_utf8_lossy(&out.stderr));
    // One statement a line, as the single-user mode wants it.
    let roles: String = ROLES.replace('\n', " ").replace("; ", ";\n");
    let script = dir.join("roles.sql");
    fs::write(&script, roles)?;
    let mut single = Command::new(paths::postgres_bin().join("postgres"));
    single
        .args(["--single", "-F", "-D"])
        .arg(dir)
        .arg("postgres")
        .current_dir(dir)
        .stdin(File::open(&script)?);
    owner.becomes(&mut single);
    let out = single.output()?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success() && !said.contains("ERROR"), "cannot make the roles: {said}");
    fs::remove_file(script)?;
    Ok(())
}
