//! What the command line says and does with a running daemon.

use crate::support::{ALLOW_ALL, Ran, Rig, clients, wait_until};

#[test]
fn status_and_doctor_say_how_it_is() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    rig.psql("planner", "select 1;").ok();
    let status: serde_json::Value =
        serde_json::from_str(&rig.daemon.read(&["status", "--json"]).unwrap()).unwrap();
    assert!(status["operations"]["forward"].as_u64().unwrap() >= 2, "{status:#}");
    let text = rig.daemon.read(&["status"]).unwrap();
    assert!(text.contains("not transparent, not a boundary"), "explicit listeners are marked: {text}");
    let doctor = Ran::run(&mut rig.daemon.interlock(&["doctor", "--json"]));
    for line in ["kernel", "cgroup v2", "BTF", "listener", "policies", "lookups", "spool"] {
        assert!(doctor.stdout.contains(line), "{line}: {}", doctor.stdout);
    }
}

#[test]
fn exec_runs_in_a_cgroup_of_its_own_and_leaves_nothing() {
    let rig = Rig::transparent(&[("all.cedar", ALLOW_ALL)]);
    let ran = Ran::run(rig.daemon.exec("planner", "sh").args(["-c", "grep ^0:: /proc/self/cgroup; exit 7"]));
    assert_eq!(ran.status.code(), Some(7), "{ran:?}");
    let cgroup = ran.stdout.trim().strip_prefix("0::").unwrap().to_owned();
    assert!(cgroup.contains("planner-"), "{cgroup}");
    let directory = xtask::rack::daemon::cgroup_mount().unwrap().join(cgroup.trim_start_matches('/'));
    wait_until("the cgroup to be removed", || !directory.exists());
    let unknown = Ran::run(&mut rig.daemon.exec("nobody-configured", "true"));
    assert!(unknown.fails().contains("planner"), "it says which agents there are");
}

#[test]
fn exec_without_a_daemon_runs_nothing() {
    let mut rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    rig.daemon.stop().unwrap();
    let ran =
        Ran::run(rig.daemon.interlock(&["exec", "--agent", "planner", "--", "echo", "ran"]).env("X", "1"));
    assert_eq!((ran.stdout.as_str(), ran.status.code()), ("", Some(3)), "{ran:?}");
}

#[test]
fn tagging_and_untagging_a_running_cgroup() {
    let rig = Rig::transparent(&[("all.cedar", ALLOW_ALL)]);
    let mount = xtask::rack::daemon::cgroup_mount().unwrap();
    let directory = rig.daemon.cgroup_base().unwrap().join("tagged");
    std::fs::create_dir_all(&directory).unwrap();
    let name = format!("/{}", directory.strip_prefix(&mount).unwrap().display());
    let inside = |script: &str| {
        let enter =
            format!("echo $$ > {}/cgroup.procs && exec psql -XqAt -c \"{script}\"", directory.display());
        Ran::run(rig.direct("sh").args(["-c", &enter]))
    };
    assert_eq!(inside("select 'free'").ok(), "free\n");
    rig.daemon.read(&["tag", "--agent", "planner", "--cgroup", &name]).unwrap();
    assert!(rig.daemon.read(&["agents"]).unwrap().contains("tagged"));
    assert_eq!(inside("select 'governed'").ok(), "governed\n");
    assert_eq!(rig.row_when(&["--text", "'governed'"]).text("cgroup"), name);
    rig.daemon.read(&["untag", "--cgroup", &name]).unwrap();
    assert_eq!(inside("select 'free again'").ok(), "free again\n");
    assert!(rig.rows(&["--text", "free"]).is_empty());
    std::fs::remove_dir(&directory).unwrap();
}

#[test]
fn a_cgroup_that_a_glob_names_is_governed_when_it_appears() {
    let rig = Rig::transparent(&[("all.cedar", ALLOW_ALL)]);
    let base = rig.daemon.cgroup_base().unwrap();
    let mount = xtask::rack::daemon::cgroup_mount().unwrap();
    let name = format!("/{}/globbed-*", base.strip_prefix(&mount).unwrap().display());
    let path = rig.daemon.config_path();
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replacen("name = \"planner\"", &format!("name = \"planner\"\ncgroups = [\"{name}\"]"), 1);
    std::fs::write(&path, text).unwrap();
    rig.daemon.read(&["reload"]).unwrap();
    let directory = base.join("globbed-1");
    std::fs::create_dir_all(&directory).unwrap();
    wait_until("the new cgroup to be governed", || {
        rig.daemon.read(&["agents"]).unwrap().contains("globbed-1")
    });
    std::fs::remove_dir(&directory).unwrap();
    wait_until("it to be forgotten", || !rig.daemon.read(&["agents"]).unwrap().contains("globbed-1"));
}

#[test]
fn an_agent_cannot_reach_the_control_socket() {
    let rig = Rig::transparent(&[("all.cedar", ALLOW_ALL)]);
    let config = rig.daemon.config_path();
    let binary = rig.daemon.interlock(&[]).get_program().to_owned();
    let free =
        Ran::run(rig.direct(binary.to_str().unwrap()).args(["--config", config.to_str().unwrap(), "agents"]));
    assert!(free.ok().contains("planner"));
    // As root, whom the socket's mode lets in, and with the Unix sockets that the filter would take away.
    let mut command = rig.daemon.interlock(&["exec", "--agent", "planner", "--allow", "unix-sockets"]);
    let ran = Ran::run(command.arg("--").arg(&binary).args(["--config", config.to_str().unwrap(), "agents"]));
    let told = ran.fails();
    assert!(told.contains("governed"), "it says why: {told}");
}

#[test]
fn audit_rows_are_followed_live_and_asked_in_every_form() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    let tail =
        crate::support::ran::Running::start(&mut rig.daemon.interlock(&["audit", "tail", "--json"]), "");
    wait_until("the tail to follow", || {
        clients::psql(&mut rig.command("planner", "psql")).args(["-c", "select 'watched'"]).output().unwrap();
        tail.stdout().contains("watched")
    });
    for (form, shows) in
        [("--json", "\"statement\""), ("--csv", "statement,"), ("--verdict=forward", "planner")]
    {
        assert!(rig.daemon.read(&["audit", "query", form]).unwrap().contains(shows), "{form}");
    }
    assert!(rig.rows(&["--resource", "no-such-resource"]).is_empty());
    assert!(!rig.rows(&["--since", "10m", "--target", "shop-db", "--action", "read"]).is_empty());
}
