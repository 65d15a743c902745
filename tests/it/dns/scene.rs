//! A name server, a daemon that asks it, and an agent.

use crate::support::{Ran, Row, postgres, wait_for};
use std::process::Command;
use xtask::rack::daemon::{Daemon, Mode, Setup, Target};
use xtask::rack::nameserver::NameServer;

/// Where agents think that their name server is. Nobody listens there: no lookup gets to an address that an agent names.
pub const ASKED: &str = "127.53.53.53";

/// What the name server knows.
pub const RECORDS: &[&str] = &[
    "host-record=db.shop.test,127.0.0.1,::1,300",
    "host-record=www.shop.test,127.0.7.1,300",
    "host-record=secret.test,127.0.7.9,300",
    "cname=alias.shop.test,db.shop.test",
    "txt-record=text.shop.test,some words",
    "srv-host=_pg._tcp.shop.test,db.shop.test,5432,1",
    "ptr-record=1.7.0.127.in-addr.arpa,www.shop.test",
    "address=/wild.test/127.0.7.7",
];

/// Permits `planner` the names of shop.test and wild.test, and whatever it wants of PostgreSQL.
pub const NAMES: &str = "@id(\"shop-names\")\n\
    permit (principal, action == Action::\"read\", resource in Name::\"dns/host/test/shop\");\n\
    @id(\"wild-names\")\n\
    permit (principal, action == Action::\"read\", resource in Name::\"dns/host/test/wild\");\n\
    @id(\"all-of-it\")\n\
    permit (principal, action, resource in Protocol::\"postgres\");\n";

pub struct Scene {
    pub server: NameServer,
    pub daemon: Daemon,
}

impl Scene {
    pub fn start() -> Self {
        Self::with(NAMES, "", |setup| setup)
    }

    /// With these policies, more of `[dns]`, and whatever else the test wants.
    pub fn with(policy: &str, more: &str, change: impl FnOnce(Setup) -> Setup) -> Self {
        let server = NameServer::start(RECORDS).unwrap();
        let more = format!("[dns]\nservers = [\"{}\"]\n{more}\n", server.address());
        let setup = Setup { mode: Mode::Transparent, more, ..Setup::default() };
        let setup = change(setup.agent("planner", &[]).agent("executor", &[]).policy("names.cedar", policy));
        let daemon = Daemon::start(setup).unwrap_or_else(|error| panic!("{error:#}"));
        Self { server, daemon }
    }

    /// A target that agents reach by a name only.
    pub fn shop(setup: Setup) -> Setup {
        let address = format!("db.shop.test:{}", postgres().port());
        let target = Target { name: "shop-db".into(), addresses: vec![address], ..Target::default() };
        Setup { targets: vec![target], ..setup }
    }

    /// dig as an agent, asking [`ASKED`].
    pub fn dig(&self, arguments: &[&str]) -> Ran {
        let mut command = self.daemon.exec("planner", "dig");
        Ran::run(command.arg(format!("@{ASKED}")).args(["+tries=1", "+timeout=10"]).args(arguments))
    }

    /// Python as an agent.
    pub fn python(&self, script: &str) -> Ran {
        Ran::run_with(self.daemon.exec("planner", "python3").arg("-"), script)
    }

    /// A command as an agent, where `/etc/resolv.conf` names [`ASKED`].
    pub fn where_resolv_conf_names_it(&self, program: &str) -> Command {
        // The mount is made before the command is governed.
        let file = self.daemon.dir().join("resolv.conf");
        std::fs::write(&file, format!("nameserver {ASKED}\n")).unwrap();
        let inner = self.daemon.exec("planner", program);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c"]);
        command.arg("mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"").arg(file);
        command.arg(inner.get_program()).args(inner.get_args());
        command
    }

    /// The rows that this filter finds, once there are so many.
    pub fn rows(&self, count: usize, filter: &[&str]) -> Vec<Row> {
        let filter = [&["--limit", "0"], filter].concat();
        wait_for(&format!("{count} rows with {filter:?}"), || {
            let rows = self.daemon.audit_rows(&filter).unwrap();
            (rows.len() >= count).then(|| rows.into_iter().map(Row).collect())
        })
    }

    /// The only row of a lookup of this text, such as `A www.shop.test`.
    pub fn row(&self, text: &str) -> Row {
        let mut rows = self.rows(1, &["--text", text]);
        rows.retain(|row| row.text("statement") == text);
        assert_eq!(rows.len(), 1, "{text}: {rows:#?}");
        rows.remove(0)
    }

    /// How often the name server was asked for a name.
    pub fn asked(&self, name: &str) -> usize {
        let log = self.server.log();
        log.lines().filter(|line| line.contains("query[") && line.contains(&format!(" {name} from"))).count()
    }
}
