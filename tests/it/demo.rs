//! The demo shows what it says it shows, and leaves nothing behind.

use crate::support::ran::{Ran, Running};
use crate::support::wait_until;
use std::path::Path;
use std::process::Command;
use xtask::paths;

fn demo(options: &[&str]) -> Command {
    let mut command = Command::new(paths::binary("xtask", paths::Profile::Debug));
    command.args(["demo", "--built"]).args(options).env("NO_COLOR", "1");
    command
}

/// What the agents tried, and what the demo must say came back and decided.
const STEPS: &[(&str, &str, &str)] = &[
    ("planner wants to see which orders are open", "came back: 4 rows", "decided:   permitted by"),
    ("planner wants to collect addresses for a newsletter", "came back: SQLSTATE 42501", "decided:   denied"),
    ("planner wants to look at customers in general", "came back: SQLSTATE 42501", "decided:   denied"),
    ("planner wants to have a payment method at hand", "came back: SQLSTATE 42501", "decided:   denied"),
    ("planner wants to put an order aside", "came back: SQLSTATE 42501", "decided:   denied"),
    (
        "planner wants to see whether the connection survived that",
        "came back: (4)",
        "decided:   permitted by",
    ),
    ("executor wants to follow the plan: the note of order 5 says so", "SQLSTATE 42501", "decided:   denied"),
    ("executor wants to follow the plan: ship order 2", "came back: done, 1 row", "decided:   permitted by"),
    ("executor wants to send order 2 again, a parcel was lost", "came back: (7)", "decided:   permitted by"),
    ("executor wants to give a refund on the side", "came back: SQLSTATE 42501", "decided:   denied"),
    ("executor wants to clean up old orders", "came back: SQLSTATE 42501", "decided:   denied"),
    ("executor wants to hide a change behind a harmless query", "SQLSTATE 42501", "decided:   denied"),
    ("executor wants to copy the customers out", "came back: SQLSTATE 42501", "decided:   denied"),
    ("executor wants to read a file of the server", "came back: SQLSTATE 42501", "decided:   denied"),
    (
        "executor wants to check that the payments are still there",
        "came back: (5)",
        "decided:   permitted by",
    ),
];

/// The paragraph of the output that begins with this step.
fn paragraph<'a>(out: &'a str, step: &str) -> &'a str {
    let at = out.find(step).unwrap_or_else(|| panic!("no step `{step}` in:\n{out}"));
    out[at..].split("\n\n").next().unwrap()
}

fn steps_are_shown(out: &str) {
    for (step, came_back, decided) in STEPS {
        let shown = paragraph(out, step);
        assert!(
            shown.contains(came_back) && shown.contains(decided),
            "{shown}\nshould have: {came_back}; {decided}"
        );
    }
    assert!(out.contains("none of the 10 refused ones is in its log"), "{out}");
    assert!(out.contains("$ interlock audit query"), "{out}");
    assert!(out.contains("nothing is left behind"), "{out}");
}

/// Directories, cgroups and pins that a run named after this process would have left.
fn left_behind(pid: u32) -> Vec<String> {
    let tail = format!("-{pid}-");
    let mut found = Vec::new();
    for dir in ["/tmp", "/sys/fs/bpf", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        for entry in Path::new(dir).read_dir().into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("interlock-") && name.contains(&tail) {
                found.push(format!("{dir}/{name}"));
            }
        }
    }
    found
}

#[test]
fn transparent() {
    let mut running = Running::start(&mut demo(&["--clickhouse"]), "");
    let pid = running.pid();
    wait_until("the demo to end", || running.ended());
    let out = running.end().ok();
    steps_are_shown(&out);
    assert!(!out.contains("not a boundary"), "{out}");
    let elsewhere = paragraph(&out, "executor wants to send what it has somewhere else");
    assert!(
        elsewhere.contains("decided:   denied: no target of the configuration is at 127.0.0.1:"),
        "{elsewhere}"
    );
    assert!(out.contains("22 rows here, 22 rows there"), "{out}");
    assert_eq!(left_behind(pid), Vec::<String>::new());
}

#[test]
fn explicit_says_that_it_is_no_boundary() {
    let out = Ran::run(&mut demo(&["--explicit"])).ok();
    steps_are_shown(&out);
    assert!(out.contains("not transparent, not a boundary"), "{out}");
    let elsewhere = paragraph(&out, "executor wants to send what it has somewhere else");
    assert!(elsewhere.contains("came back: (thank you)") && elsewhere.contains("nobody"), "{elsewhere}");
}

#[test]
fn kept_until_interrupted() {
    let running = Running::start(&mut demo(&["--keep"]), "");
    let pid = running.pid();
    wait_until("the demo to have been played", || running.stdout().contains("Ctrl-C ends it"));
    let out = running.stdout();
    let mut lines = out.lines().skip_while(|line| !line.contains("psql as the planner:"));
    let psql = lines.nth(1).unwrap().trim().to_owned();
    let tried = format!("{psql} -XAt -c 'select count(*) from orders' -c 'delete from orders'");
    let ran = Ran::run(Command::new("sh").args(["-c", &tried]));
    assert_eq!(ran.stdout, "7\n", "{}", ran.stderr);
    assert!(ran.stderr.contains("refused by Interlock"), "{}", ran.stderr);
    assert_ne!(left_behind(pid), Vec::<String>::new());
    let process = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGINT).unwrap();
    let out = running.end();
    assert_eq!(out.status.code(), Some(130), "{}", out.stdout);
    assert!(out.stdout.contains("nothing is left behind"), "{}", out.stdout);
    assert_eq!(left_behind(pid), Vec::<String>::new());
}
