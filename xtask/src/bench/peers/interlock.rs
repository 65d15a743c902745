//! Ours, as it would run: the kernel intercepts if it can, fifty policies, an audit row per operation.

use super::{Endpoint, served};
use crate::bench::Cpu;
use crate::bench::pgbench::DATABASE;
use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use xtask::paths::Profile;
use xtask::rack::daemon::{Daemon, Mode, Setup};
use xtask::say;

/// Policies in the measured set.
const POLICIES: usize = 50;

/// How it is run.
pub struct Way {
    pub cpu: Cpu,
    /// Behind a listener of its own, even if the kernel could intercept.
    pub explicit: bool,
    /// Which build of it.
    pub profile: Profile,
    /// What it is started under, besides.
    pub prefix: Vec<String>,
}

/// The running host agent.
pub struct Interlock {
    pub daemon: Daemon,
}

impl Interlock {
    /// Starts it in front of the database.
    pub fn start(backend: u16, way: &Way) -> Result<Self> {
        let mut setup = Setup::default().agent("bench", &["loaders"]).target("bench-db", backend);
        setup = setup.policy("bench.cedar", &policies(POLICIES));
        setup = setup.mode(if way.explicit { Mode::Explicit } else { Mode::Auto });
        setup.more =
            "[log]\nlevel = \"warn\"\n[limits]\nconnections_per_agent = 20000\nconnections = 20000\n".into();
        setup.profile = way.profile;
        setup.prefix = [served(way.cpu), way.prefix.clone()].concat();
        let daemon = Daemon::start(setup)?;
        match daemon.not_transparent_because() {
            None => say::line("interlock: transparent, 50 policies, audit on"),
            Some(why) => {
                say::warn(&format!("interlock: behind an explicit listener ({why}), 50 policies, audit on"))
            }
        }
        Ok(Self { daemon })
    }

    /// How clients get to it.
    pub fn endpoint(&self) -> Result<Endpoint> {
        let (host, port) = self.daemon.address("bench", "bench-db")?;
        let mut under = Vec::new();
        if self.daemon.transparent() {
            let command = self.daemon.exec_as_we_are("bench", "");
            under.push(command.get_program().to_string_lossy().into_owned());
            under.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
            under.pop(); // the empty program
        }
        let pid = self.daemon.pid().context("the daemon ended")?;
        Ok(Endpoint { name: "interlock".into(), host, port, pid: Some(pid), under })
    }

    /// How it was measured, as a sentence; fails if it did not record what passed.
    pub fn conditions(&self) -> Result<String> {
        ensure!(
            !self.daemon.audit_rows(&["--limit", "1"])?.is_empty(),
            "there is no audit row of all that traffic"
        );
        let way = if self.daemon.transparent() { "transparent" } else { "behind an explicit listener" };
        Ok(format!("interlock: {way}, {POLICIES} policies, an audit row per operation"))
    }
}

/// So many policies: one permits the load; half of the others are about the same agent and target and must be looked at,
/// the other half about others.
fn policies(count: usize) -> String {
    let mut text = "@id(\"load\")
permit (principal in Role::\"loaders\", action, resource in Target::\"bench-db\")
when { context.certainty == \"exact\" };
"
    .to_owned();
    for number in 1..count {
        let table = format!("Table::\"bench-db/{DATABASE}/public/secret_{number}\"");
        let _fits = match number % 2 {
            0 => write!(
                text,
                "@id(\"secret-{number}\")\nforbid (principal in Role::\"loaders\", action, resource in {table});\n"
            ),
            _ => write!(
                text,
                "@id(\"other-{number}\")\npermit (principal in Role::\"others-{number}\", action == Action::\"read\", \
                 resource in {table});\n"
            ),
        };
    }
    text
}
