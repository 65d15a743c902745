//! The real daemon, governing two agents that may do everything at a target that is not there.
use crate::support::{ALLOW_ALL, Ran, Row, wait_for};
use xtask::rack::daemon::{Daemon, Mode, Setup};

pub struct Host {
    pub daemon: Daemon,
}

impl Host {
    pub fn start() -> Self {
        let setup = Setup::default()
            .agent("planner", &["planners"])
            .agent("executor", &["executors"])
            .target("shop-db", 5_432)
            .policy("all.cedar", ALLOW_ALL)
            .mode(Mode::Transparent);
        Self { daemon: Daemon::start(setup).unwrap_or_else(|error| panic!("{error:#}")) }
    }

    /// Whether the second layer is there and complete.
    pub fn has_security_hooks(&self) -> bool {
        let doctor = Ran::run(&mut self.daemon.interlock(&["doctor", "--json"]));
        let checks: serde_json::Value = serde_json::from_str(&doctor.stdout).unwrap();
        let text = checks.to_string();
        let checks = checks.as_array().or_else(|| checks["checks"].as_array()).expect(&text);
        let line = checks.iter().find(|check| check["name"] == "security hooks in use").expect(&text);
        line["state"] == "ok"
    }

    /// The rows that the filter finds, once there are as many as `count`.
    pub fn rows_when(&self, count: usize, filter: &[&str]) -> Vec<Row> {
        let filter = [&["--limit", "0"], filter].concat();
        wait_for(&format!("{count} audit rows with {filter:?}"), || {
            let rows = self.daemon.audit_rows(&filter).unwrap_or_else(|error| panic!("{error:#}"));
            (rows.len() >= count).then(|| rows.into_iter().map(Row).collect())
        })
    }
}
