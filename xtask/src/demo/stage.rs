//! What the demo runs on: PostgreSQL with the shop, the host agent, ClickHouse if asked for, and somewhere else to go.

use anyhow::{Context, Result};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::thread;
use xtask::rack::clickhouse::ClickHouse;
use xtask::rack::daemon::{Daemon, Mode, Setup, Target};
use xtask::rack::postgres::{Options, Postgres};
use xtask::rack::scratch::Scratch;
use xtask::{paths, say};

const SHOP: &str = include_str!("../../../tests/demo/shop.sql");

/// Name of the target in policies and audit rows.
pub const TARGET: &str = "shop-db";

/// Everything that runs. Dropped in this order.
pub struct Stage {
    pub daemon: Daemon,
    pub postgres: Postgres,
    pub clickhouse: Option<ClickHouse>,
    /// A service that is nobody's target.
    pub elsewhere: String,
    /// For the plan that the planner hands to the executor.
    pub scratch: Scratch,
}

impl Stage {
    /// Starts it all.
    pub fn set(explicit: bool, clickhouse: bool) -> Result<Self> {
        say::step("PostgreSQL");
        let postgres = Postgres::start(&Options { log_statements: true, ..Options::default() })?;
        postgres.sql("postgres", "create role shop login superuser")?;
        postgres.sql("postgres", "create database shop owner shop")?;
        postgres.sql("shop", &format!("set role shop;\n{SHOP}"))?;
        say::line(&format!(
            "PostgreSQL 15 on 127.0.0.1:{}, with customers, orders, payments, products",
            postgres.port()
        ));
        let clickhouse = if clickhouse {
            say::step("ClickHouse");
            let server = ClickHouse::start()?;
            say::line(&format!("ClickHouse's engine, as shipped by chDB, on {}", server.url()));
            Some(server)
        } else {
            None
        };
        say::step("The host agent");
        let daemon = Daemon::start(setup(&postgres, clickhouse.as_ref(), explicit))?;
        let scratch = Scratch::new("demo")?;
        // Agents run as `nobody`, who may not be able to look into the repository.
        fs::copy(paths::root().join("tests/demo/agent.py"), scratch.dir().join("agent.py"))?;
        fs::write(scratch.dir().join("plan.json"), "[]")?;
        fs::set_permissions(scratch.dir().join("plan.json"), fs::Permissions::from_mode(0o666))?;
        Ok(Self { daemon, postgres, clickhouse, elsewhere: elsewhere()?, scratch })
    }

    /// Says what was started.
    pub fn introduce(&self) -> Result<()> {
        let pid = self.daemon.pid().context("the daemon ended")?;
        say::line(&format!(
            "`interlock serve` runs as process {pid}, its rows go to its own store on this host"
        ));
        match self.daemon.not_transparent_because() {
            None => say::line(
                "the kernel takes every connection of a governed cgroup to it: nothing is reconfigured",
            ),
            Some(why) => {
                say::warn(&format!("{}: {why}", say::bad("not transparent, not a boundary")));
                say::warn(
                    "the same engine runs behind a listener per agent, and the scripts are pointed at these",
                );
            }
        }
        say::line(&format!("configuration: {}", self.daemon.config_path().display()));
        say::line(&format!("policies:      {}", policies().display()));
        Ok(())
    }

    /// The connection string that an agent is given: PostgreSQL's own address if transparent.
    pub fn dsn(&self, agent: &str) -> Result<String> {
        let (host, port) = self.daemon.address(agent, TARGET)?;
        Ok(format!("host={host} port={port} user=shop dbname=shop"))
    }
}

fn policies() -> std::path::PathBuf {
    paths::root().join("policies/demo")
}

fn setup(postgres: &Postgres, clickhouse: Option<&ClickHouse>, explicit: bool) -> Setup {
    let mut setup = Setup::default().agent("planner", &["planners"]).agent("executor", &["executors"]);
    let tag =
        |column: &str, tags: &[&str]| (column.to_owned(), tags.iter().map(|&tag| tag.to_owned()).collect());
    setup.targets.push(Target {
        labels: vec!["shop".into()],
        tags: vec![
            tag("public.customers.email", &["pii"]),
            tag("public.customers.card_number", &["pii", "card"]),
        ],
        ..Target::local(TARGET, postgres.port())
    });
    setup.policy_paths.push(policies());
    setup.clickhouse = clickhouse.map(ClickHouse::url);
    setup.mode(if explicit { Mode::Explicit } else { Mode::Auto })
}

/// A port of this host that takes any connection, and that no target names.
fn elsewhere() -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || listener.incoming().for_each(drop));
    Ok(address.to_string())
}
