//! A database and a daemon for one test.

use super::ran::{Ran, Running};
use super::{Row, clients, wait_for};
use std::process::Command;
use std::sync::OnceLock;
use xtask::rack::daemon::{Daemon, Mode, Setup, Target};
use xtask::rack::postgres::{Options, Postgres};

/// A policy that permits everything that was understood, and everything that was not.
pub const ALLOW_ALL: &str = "@id(\"all\")\npermit (principal, action, resource);\n";

/// Tables and rows of the demo's shop.
pub const SHOP: &str = include_str!("../../demo/shop.sql");

/// The PostgreSQL that all tests share; every test has a database of its own in it. Logs every statement.
pub fn postgres() -> &'static Postgres {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(|| Postgres::start(&Options { log_statements: true, ..Options::default() }).unwrap())
}

/// A database of its own with the shop in it, and a daemon with the agents `planner` (role `planners`) and `executor`
/// (role `executors`) and the target `shop-db`, which is [`postgres`].
#[derive(Debug)]
pub struct Rig {
    pub daemon: Daemon,
    pub database: String,
    /// How long the server's log was when the database was ready.
    log_from: usize,
}

impl Rig {
    /// Starts one with these policy files.
    #[track_caller]
    pub fn start(policies: &[(&str, &str)]) -> Self {
        Self::start_with(policies, |setup| setup)
    }

    /// As [`Self::start`], and fails where the kernel does not take the agents' connections.
    #[track_caller]
    pub fn transparent(policies: &[(&str, &str)]) -> Self {
        Self::start_with(policies, |setup| setup.mode(Mode::Transparent))
    }

    /// As [`Self::start`], with whatever else the test wants in the daemon's setup.
    #[track_caller]
    pub fn start_with(policies: &[(&str, &str)], change: impl FnOnce(Setup) -> Setup) -> Self {
        let database = postgres().database("rig", SHOP).unwrap();
        let log_from = postgres().log().len();
        let mut setup = Setup::default().agent("planner", &["planners"]).agent("executor", &["executors"]);
        setup
            .targets
            .push(Target { labels: vec!["shop".into()], ..Target::local("shop-db", postgres().port()) });
        setup.listeners = true;
        for (name, text) in policies {
            setup = setup.policy(name, text);
        }
        let daemon = Daemon::start(change(setup)).unwrap_or_else(|error| panic!("{error:#}"));
        Self { daemon, database, log_from }
    }

    /// A command for `agent`: `program`, with the database's place in `PGHOST`, `PGPORT`, `PGUSER` and `PGDATABASE`.
    pub fn command(&self, agent: &str, program: &str) -> Command {
        let mut command = self.daemon.exec(agent, clients::program(program));
        let (host, port) = self.daemon.address(agent, "shop-db").unwrap();
        clients::place(&mut command, &host, port, &self.database);
        command
    }

    /// The same command, straight to PostgreSQL and governed by nobody: what the result must equal.
    pub fn direct(&self, program: &str) -> Command {
        let mut command = Command::new(clients::program(program));
        clients::place(&mut command, "127.0.0.1", postgres().port(), &self.database);
        command
    }

    /// psql, reading `script`; stops at nothing, unaligned output.
    #[track_caller]
    pub fn psql(&self, agent: &str, script: &str) -> Ran {
        Ran::run_with(clients::psql(&mut self.command(agent, "psql")), script)
    }

    /// Python with psycopg2 imported; `psycopg2.connect("")` connects.
    #[track_caller]
    pub fn python(&self, agent: &str, script: &str) -> Ran {
        Ran::run_with(
            clients::python(&mut self.command(agent, clients::PYTHON)),
            &clients::python_script(script),
        )
    }

    /// Node, in an async function with a connected `client` of `pg`.
    #[track_caller]
    pub fn node(&self, agent: &str, script: &str) -> Ran {
        Ran::run_with(clients::node(&mut self.command(agent, "node")), &clients::node_script(script))
    }

    /// psql in the background, for clients that are still there when something happens.
    #[track_caller]
    pub fn psql_running(&self, agent: &str, script: &str) -> Running {
        Running::start(clients::psql(&mut self.command(agent, "psql")), script)
    }

    /// A tokio-postgres configuration for a client inside the test program. It goes through `agent`'s explicit listener:
    /// the test program itself is governed by nobody.
    pub fn tokio_postgres(&self, agent: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.daemon.listener(agent, "shop-db").unwrap());
        config.user("postgres").dbname(&self.database);
        config
    }

    /// Runs a script as the superuser, past the daemon.
    #[track_caller]
    pub fn setup_sql(&self, script: &str) -> String {
        postgres().sql(&self.database, script).unwrap()
    }

    /// The part of PostgreSQL's log that is about this test's database.
    pub fn server_log(&self) -> String {
        let ours = format!("@{} ", self.database);
        let mut keep = false;
        let mut lines = String::new();
        let log = postgres().log();
        for line in log.get(self.log_from..).unwrap_or_default().lines() {
            if !line.starts_with('\t') {
                keep = line.contains(&ours); // a line that starts with a tab goes on with the one before
            }
            if keep {
                lines.push_str(line);
                lines.push('\n');
            }
        }
        lines
    }

    /// Did PostgreSQL get to see this text, as a statement or a Parse, in this test's database?
    pub fn server_saw(&self, text: &str) -> bool {
        self.server_log().contains(text)
    }

    /// The audit rows that these options of `interlock audit query` find now, oldest first.
    #[track_caller]
    pub fn rows(&self, filter: &[&str]) -> Vec<Row> {
        let filter = [&["--limit", "0"], filter].concat();
        let rows = self.daemon.audit_rows(&filter).unwrap_or_else(|error| panic!("{error:#}"));
        rows.into_iter().map(Row).collect()
    }

    /// The rows, once there are as many as `count`.
    #[track_caller]
    pub fn rows_when(&self, count: usize, filter: &[&str]) -> Vec<Row> {
        wait_for(&format!("{count} audit rows with {filter:?}"), || {
            let rows = self.rows(filter);
            (rows.len() >= count).then_some(rows)
        })
    }

    /// The only row that the filter finds, once it is there.
    #[track_caller]
    pub fn row_when(&self, filter: &[&str]) -> Row {
        let mut rows = self.rows_when(1, filter);
        assert_eq!(rows.len(), 1, "{rows:#?}");
        rows.remove(0)
    }
}
