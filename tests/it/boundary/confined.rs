//! What only the system call filter of `interlock exec` sees.
use super::{
    attacks::NOT_HERE,
    host::Host,
    world::{World, attack_program},
};
use crate::support::Ran;

/// A line of the list.
pub struct Confined {
    pub name: &'static str,
    arrives: bool,
    governed: &'static str,
    allow: &'static str,
    /// Whether security hooks refuse it all the same.
    hooked: bool,
}

pub fn list() -> Vec<Confined> {
    let text = include_str!("../../cases/boundary/confined.tsv");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [name, ungoverned @ ("arrives" | "works"), governed, allow] = fields[..] else {
                panic!("{line}")
            };
            let (allow, hooked) = allow.strip_suffix('*').map_or((allow, false), |allow| (allow, true));
            Confined { name, arrives: ungoverned == "arrives", governed, allow, hooked }
        })
        .collect()
}

/// Runs an attack as root in the agents' namespace under `interlock exec`; what it said.
fn governed(host: &Host, world: &World, attack: &str, allow: &[&str]) -> String {
    let exec = host.daemon.interlock(&["exec", "--agent", "planner"]);
    let mut command = world.agents.command(None, exec.get_program().as_ref());
    command.args(exec.get_args());
    for it in allow {
        command.args(["--allow", it]);
    }
    Ran::run(command.arg("--").arg(attack_program()).arg(attack)).ok().trim().to_owned()
}

#[test]
fn nothing_leads_around_or_out() {
    let host = Host::start();
    let world = World::new();
    let mut failures = Vec::new();
    let mut tried = 0;
    for attack in list() {
        match try_one(&host, &world, &attack) {
            Ok(Some(why)) => eprintln!("SKIPPED attack {}: this kernel says {why}", attack.name),
            Ok(None) => tried += 1,
            Err(why) => failures.push(format!("{}: {why}", attack.name)),
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(tried >= 18, "only {tried} could be tried");
}

/// `Some` says why this kernel can't.
fn try_one(host: &Host, world: &World, attack: &Confined) -> Result<Option<String>, String> {
    let control = world.attack(None, attack.name);
    if NOT_HERE.contains(&control.as_str()) {
        return Ok(Some(control));
    }
    if control != "ok" || world.captured().is_empty() == attack.arrives {
        return Err(format!("the control failed: {control}"));
    }
    let got = governed(host, world, attack.name, &[]);
    if got != attack.governed {
        return Err(format!("it got {got}, not {}", attack.governed));
    }
    let leaked = world.captured();
    if !leaked.is_empty() {
        return Err(format!("the canary received {leaked:?}"));
    }
    let others: Vec<&str> = ["ptrace", "namespaces", "io-uring", "keys", "unix-sockets"]
        .into_iter()
        .filter(|it| *it != attack.allow)
        .collect();
    let with_others = governed(host, world, attack.name, &others);
    if with_others != attack.governed {
        return Err(format!("with --allow {others:?} it got {with_others}"));
    }
    if attack.allow != "nothing" {
        let expected = if attack.hooked && host.has_security_hooks() { attack.governed } else { "ok" };
        let allowed = governed(host, world, attack.name, &[attack.allow]);
        if allowed != expected {
            return Err(format!("with --allow {} it got {allowed}", attack.allow));
        }
    }
    Ok(None)
}

#[test]
fn a_connection_is_not_passed_on_as_standard_input() {
    let host = Host::start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut command = host.daemon.exec("planner", "true");
    let output = command.stdin(std::os::fd::OwnedFd::from(connection)).output().unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("standard input is a network connection"), "{told}");
}
