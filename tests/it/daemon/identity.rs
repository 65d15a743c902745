//! Who connected, in rows and for policies.

use crate::support::{ALLOW_ALL, Rig};
use std::os::unix::fs::MetadataExt;
use std::process::Command;

const PSQL: &str = "/usr/lib/postgresql/15/bin/psql";

fn sha256(path: &str) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn a_row_says_which_program_of_whom_it_was() {
    let rig = Rig::transparent(&[("all.cedar", ALLOW_ALL)]);
    rig.psql("planner", "select 'who';").ok();
    let row = rig.row_when(&["--text", "'who'"]);
    assert_eq!((row.text("exe"), row.text("exe_hash")), (PSQL, sha256(PSQL).as_str()));
    assert_eq!(row.number("exe_inode"), std::fs::metadata(PSQL).unwrap().ino());
    assert!(row.text("argv").contains("psql"), "{}", row.text("argv"));
    // psql connects by its only thread; the test program is above it, and whatever runs that.
    assert_eq!(row.number("thread"), row.number("pid"));
    assert!(row.text("parents").contains(&format!("({})", std::process::id())), "{}", row.text("parents"));
    let cgroup =
        xtask::rack::daemon::cgroup_mount().unwrap().join(row.text("cgroup").trim_start_matches('/'));
    assert!(row.number("cgroup_id") > 0 && !cgroup.as_os_str().is_empty());
    // Nobody logs in to a machine that tests run on, or somebody has.
    let own = std::fs::read_to_string("/proc/self/loginuid")
        .map_or(u64::from(u32::MAX), |it| it.trim().parse().unwrap());
    assert_eq!(row.number("login_uid"), own);
}

#[test]
fn a_policy_may_ask_for_the_program_itself() {
    let policy = format!(
        "@id(\"psql-only\")\npermit (principal, action, resource) when {{ principal.exe_hash == \"{}\" }};\n",
        sha256(PSQL)
    );
    let rig = Rig::transparent(&[("psql.cedar", &policy)]);
    assert_eq!(rig.psql("planner", "select 'by psql';").ok(), "by psql\n");
    let other = rig.python("planner", "psycopg2.connect('').cursor().execute(\"select 'by python'\")");
    let told = other.fails();
    assert!(told.contains("refused by Interlock: no policy permits `planner` to connect"), "{told}");
    assert!(!rig.server_saw("by python"));
    let denied = rig.rows(&["--verdict", "deny"]);
    assert!(denied.iter().all(|row| row.text("exe").contains("python")), "{denied:#?}");
    assert!(!denied.is_empty());
}

#[test]
fn a_copy_under_the_same_path_is_another_program() {
    let rig = Rig::transparent(&[("all.cedar", ALLOW_ALL)]);
    // Where the agent's user may read.
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let program = folder.path().join("client");
    let mut hashes = Vec::new();
    for addition in ["", "more"] {
        let mut bytes = std::fs::read(PSQL).unwrap();
        bytes.extend(addition.as_bytes());
        // Anew, as an upgrade does it: the old file may be running.
        std::fs::remove_file(&program).ok();
        std::fs::write(&program, bytes).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let text = format!("copy {}", hashes.len());
        let mut command = rig.command("planner", program.to_str().unwrap());
        crate::support::clients::psql(&mut command).args(["-c", &format!("select '{text}'")]);
        assert!(command.output().unwrap().status.success());
        let row = rig.row_when(&["--text", &text]);
        assert_eq!(row.text("exe"), program.display().to_string());
        hashes.push(row.text("exe_hash").to_owned());
        assert_eq!(hashes.last().unwrap(), &sha256(program.to_str().unwrap()));
    }
    assert_ne!(hashes[0], hashes[1]);
}

/// The daemon stands still while they connect, and until they have gone on: what it finds in `/proc` then is too late.
#[test]
fn who_has_gone_or_runs_another_program_by_then_is_known() {
    let rig = Rig::transparent(&[("all.cedar", ALLOW_ALL)]);
    let connect = "import os, socket, sys, time\n\
        def go(port): s = socket.create_connection(('127.9.9.9', port)); s.set_inheritable(True); return s\n\
        print(os.getpid(), flush=True); sys.stdin.readline()\n";
    let cases = [
        // Ends at once.
        (1, "go(1)"),
        // A child that ends at once, and has never begun to run a program of its own.
        (2, "child = os.fork()\nif child == 0: go(2); os._exit(0)\nos.waitpid(child, 0)"),
        // Another program, with the connection open.
        (3, "s = go(3); sys.stdout.close(); os.execv('/bin/sleep', ['sleep', '0'])"),
    ];
    let python = std::fs::canonicalize(crate::support::clients::PYTHON).unwrap();
    let mut running = Vec::new();
    for (port, then) in cases {
        let mut command = rig.command("planner", crate::support::clients::PYTHON);
        command.args(["-c", &format!("{connect}{then}\n")]);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut line)
            .unwrap();
        running.push((port, child));
    }
    rig.daemon.signal(nix::sys::signal::Signal::SIGSTOP).unwrap();
    for (_, child) in &mut running {
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"go\n").unwrap();
        assert!(child.wait().unwrap().success());
    }
    rig.daemon.signal(nix::sys::signal::Signal::SIGCONT).unwrap();
    for row in rig.rows_when(3, &["--verdict", "deny"]) {
        assert!(row.text("reason").contains("no target of the configuration is at 127.9.9.9"), "{row:?}");
        assert_eq!(row.text("exe"), python.display().to_string(), "{row:?}");
        assert_eq!(row.number("exe_inode"), std::fs::metadata(&python).unwrap().ino());
        assert_eq!(row.text("argv"), "", "nobody is there to ask");
    }
}
