//! What the demo runs on: PostgreSQL with the shop, the host agent, ClickHouse if asked for, and somewhere else to go.

use super::Options;
use anyhow::{Context, Result};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use xtask::rack::clickhouse::ClickHouse;
use xtask::rack::daemon::{Daemon, Mode, Setup, Target};
use xtask::rack::postgres::{self, Postgres};
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
    /// Bytes that PostgreSQL had logged before the agents came: the shop's own making.
    pub log_before: usize,
    /// For the plan that the planner hands to the executor.
    pub scratch: Scratch,
}

impl Stage {
    /// Starts it all.
    pub fn set(options: &Options) -> Result<Self> {
        say::step("PostgreSQL");
        let postgres = Postgres::start(&postgres::Options { log_statements: true, ..Default::default() })?;
        postgres.sql("postgres", "create role shop login superuser")?;
        postgres.sql("postgres", "create database shop owner shop")?;
        postgres.sql("shop", &format!("set role shop;\n{SHOP}"))?;
        say::line(&format!(
            "PostgreSQL 15 on 127.0.0.1:{}, with customers, orders, payments, products",
            postgres.port()
        ));
        let clickhouse = if options.clickhouse {
            say::step("ClickHouse");
            let server = ClickHouse::start()?;
            say::line(&format!("ClickHouse's engine, as shipped by chDB, on {}", server.url()));
            Some(server)
        } else {
            None
        };
        say::step("The host agent");
        let daemon = Daemon::start(setup(options, &postgres, clickhouse.as_ref()))?;
        let scratch = Scratch::new("demo")?;
        // Agents run as `nobody`, who may not be able to look into the repository.
        fs::copy(paths::root().join("tests/demo/agent.py"), scratch.dir().join("agent.py"))?;
        fs::write(scratch.dir().join("plan.json"), "[]")?;
        fs::set_permissions(scratch.dir().join("plan.json"), fs::Permissions::from_mode(0o666))?;
        let log_before = postgres.log().len();
        Ok(Self { daemon, postgres, clickhouse, elsewhere: elsewhere()?, log_before, scratch })
    }

    /// Says what was started.
    pub fn introduce(&self, policies: &Path) -> Result<()> {
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
        say::line(&format!("policies:      {}", policies.display()));
        Ok(())
    }

    /// The connection string that an agent is given: PostgreSQL's own address if transparent.
    pub fn dsn(&self, agent: &str) -> Result<String> {
        let (host, port) = self.daemon.address(agent, TARGET)?;
        Ok(format!("host={host} port={port} user=shop dbname=shop"))
    }
}

fn setup(options: &Options, postgres: &Postgres, clickhouse: Option<&ClickHouse>) -> Setup {
    let mut setup = Setup::default()
        .agent("planner", &["agents", "planners"])
        .agent("executor", &["agents", "executors"]);
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
    setup.policy_paths.push(options.policies.clone());
    setup.clickhouse = clickhouse.map(ClickHouse::url);
    setup.mode(if options.explicit { Mode::Explicit } else { Mode::Auto })
}

/// A port of this host where somebody takes whatever comes, and that no target names.
fn elsewhere() -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut taken = [0; 100];
            if connection.read(&mut taken).is_ok_and(|count| count > 0) {
                let _answered = connection.write_all(b"thank you\n");
            }
        }
    });
    Ok(address.to_string())
}
