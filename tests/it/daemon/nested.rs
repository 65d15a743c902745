//! Cgroups inside cgroups: what is inside can only do less, and what has no name can do nothing.

use crate::support::{ALLOW_ALL, Ran, Rig, clients, postgres, wait_for, wait_until};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A cgroup of the test's own, gone at its end.
struct Cgroup(PathBuf);

impl Cgroup {
    fn name() -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        format!("interlock-nested-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn make(name: &str) -> Self {
        let directory = xtask::rack::daemon::cgroup_mount().unwrap().join(name);
        std::fs::create_dir(&directory).unwrap();
        Self(directory)
    }

    fn child(&self, name: &str) -> Self {
        Self::make(self.0.join(name).to_str().unwrap())
    }

    /// psql in it.
    fn psql(&self, rig: &Rig, script: &str) -> Ran {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\""]).arg(&self.0).arg("psql");
        clients::place(&mut command, "127.0.0.1", postgres().port(), &rig.database);
        Ran::run_with(clients::psql(&mut command), script)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // The last process may be on its way out.
        wait_until("the cgroup to be empty", || std::fs::remove_dir(&self.0).is_ok() || !self.0.exists());
    }
}

fn tag(rig: &Rig, agent: &str, cgroup: &Cgroup) {
    rig.daemon.read(&["tag", "--agent", agent, "--cgroup", cgroup.0.to_str().unwrap()]).unwrap();
}

#[test]
fn an_agent_inside_another_can_only_do_less() {
    let policy = "@id(\"connect\")\npermit (principal, action == Action::\"connect\", resource);\n\
        @id(\"executor-all\")\npermit (principal == Agent::\"executor\", action, resource);\n\
        @id(\"planner-reads\")\npermit (principal == Agent::\"planner\", action in [Action::\"read\", Action::\"execute\"], resource);\n";
    let rig = Rig::transparent(&[("nested.cedar", policy)]);
    let outer = Cgroup::make(&Cgroup::name());
    let inner = outer.child("inner");
    let script = "select 'read ' || count(*) from orders;\nupdate orders set status = status where id = 1;\n";
    // Control: by itself it may do both.
    tag(&rig, "executor", &inner);
    let alone = inner.psql(&rig, script);
    assert!(alone.stdout.contains("read 6") && alone.stderr.is_empty(), "{alone:?}");
    tag(&rig, "planner", &outer);
    let inside = inner.psql(&rig, script);
    assert!(inside.stdout.contains("read 6"), "what both may: {inside:?}");
    assert!(inside.stderr.contains("no policy permits `planner` to write"), "{inside:?}");
    let denied = rig.rows(&["--verdict", "deny"]);
    assert!(
        denied.iter().all(|row| row.text("agent") == "executor"),
        "the row is the inner one's: {denied:#?}"
    );
    assert_eq!(denied.len(), 1);
    // And what only the outer one may, the inner one may not either.
    rig.daemon.read(&["untag", "--cgroup", inner.0.to_str().unwrap()]).unwrap();
    assert!(inner.psql(&rig, script).stderr.contains("no policy permits `planner` to write"));
}

#[test]
fn what_has_no_name_has_no_network() {
    let name = Cgroup::name();
    let rig = Rig::start_with(&[("all.cedar", ALLOW_ALL)], |setup| xtask::rack::daemon::Setup {
        default_deny: vec![format!("/{name}")],
        ..setup.mode(xtask::rack::daemon::Mode::Transparent)
    });
    // It appears when the daemon is there.
    let closed = Cgroup::make(&name);
    let agents = || rig.daemon.read(&["agents", "--json"]).unwrap();
    wait_until("it is closed", || agents().contains("(unnamed)"));
    let agent = closed.child("agent");
    for cgroup in [&closed, &agent] {
        let ran = cgroup.psql(&rig, "select 'too early';");
        assert!(!ran.status.success(), "{ran:?}");
    }
    let row = wait_for("its row", || rig.rows(&["--verdict", "deny"]).into_iter().next());
    assert_eq!(row.text("agent"), "(unnamed)");
    assert!(row.text("reason").contains("has no network before"), "{}", row.text("reason"));
    assert!(!rig.server_saw("too early"));
    // Lookups neither, though a policy permits everything.
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec dig +tries=1 @127.53.53.53 www.shop.test"])
        .arg(&agent.0);
    assert!(Ran::run(&mut command).stdout.contains("status: NXDOMAIN"));
    tag(&rig, "planner", &agent);
    assert_eq!(agent.psql(&rig, "select 'named';").ok(), "named\n");
    assert!(!closed.psql(&rig, "select 'still not';").status.success());
    rig.daemon.read(&["untag", "--cgroup", agent.0.to_str().unwrap()]).unwrap();
    assert!(
        !agent.psql(&rig, "select 'not any more';").status.success(),
        "what loses its name is closed again"
    );
    // What is unnamed itself can be given a name in place.
    tag(&rig, "planner", &closed);
    assert_eq!(closed.psql(&rig, "select 'named in place';").ok(), "named in place\n");
    rig.daemon.read(&["untag", "--cgroup", closed.0.to_str().unwrap()]).unwrap();
    assert_eq!(closed.psql(&rig, "select 'let go';").ok(), "let go\n");
}

/// The name of a cgroup is whatever its maker says: an agent's own cgroups, inside its governed one, change nothing.
#[test]
fn a_cgroup_of_the_agents_own_making_is_no_container_and_no_unit() {
    let policy = "@id(\"container\")\npermit (principal, action, resource) when { principal has container };\n\
        @id(\"unit\")\npermit (principal, action, resource) when { principal.unit like \"*trusted*\" };\n";
    let rig = Rig::transparent(&[("spoofed.cedar", policy)]);
    let outer = Cgroup::make(&Cgroup::name());
    tag(&rig, "planner", &outer);
    for name in [format!("docker-{}.scope", "0123456789abcdef".repeat(4)), "trusted.service".to_owned()] {
        let inner = outer.child(&name);
        let ran = inner.psql(&rig, "select 'spoofed';");
        assert!(ran.stderr.contains("refused by Interlock"), "{name}: {ran:?}");
    }
    let rows = rig.rows(&["--verdict", "deny"]);
    assert!(
        rows.iter().all(|row| row.text("container").is_empty() && !row.text("cgroup").contains("trusted"))
    );
    assert!(!rig.server_saw("spoofed"));
}
