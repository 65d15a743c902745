//! Every attack of the list, ungoverned and governed.
use super::world::{World, attack_program};
use crate::kernel::scene::{Scene, kernel_or_skip, wait_until};
use interlock::cgroup::CgroupPath;
use std::{collections::BTreeSet, process::Command};

/// A line of the list.
struct Attack {
    name: &'static str,
    arrives: bool,
    governed: &'static str,
    counter: &'static str,
}

fn list() -> Vec<Attack> {
    let text = include_str!("../../cases/boundary/attacks.tsv");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [name, ungoverned @ ("arrives" | "works"), governed, counter] = fields[..] else {
                panic!("{line}")
            };
            Attack { name, arrives: ungoverned == "arrives", governed, counter }
        })
        .collect()
}

/// Errors that say that this kernel does not have what the attack uses.
pub const NOT_HERE: [&str; 5] = ["EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "EAFNOSUPPORT", "ENXIO", "ENODEV"];

#[test]
fn the_list_has_every_attack_of_the_program() {
    let output = Command::new(attack_program()).arg("list").output().unwrap();
    let programs: BTreeSet<String> =
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    let hooks = list();
    let confined = super::confined::list();
    let listed = hooks.iter().map(|attack| attack.name).chain(confined.iter().map(|attack| attack.name));
    assert_eq!(programs, listed.map(str::to_owned).collect());
}

#[test]
fn nothing_gets_out() {
    kernel_or_skip!();
    let world = World::new();
    let scene = world.scene();
    let agent = scene.agent("planner");
    let mut failures = Vec::new();
    let mut tried = 0;
    for attack in list() {
        match try_one(&world, &scene, &agent, &attack) {
            Ok(Tried::Closed) => tried += 1,
            Ok(Tried::NotHere(why)) => eprintln!("SKIPPED attack {}: this kernel says {why}", attack.name),
            Err(why) => failures.push(format!("{}: {why}", attack.name)),
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(tried >= 35, "only {tried} could be tried");
}

/// The hooks that see calls are taken away, then also the one that marks sockets: what is left, packets alone, must do.
#[test]
fn the_packet_hooks_alone_let_nothing_out() {
    kernel_or_skip!();
    let world = World::new();
    let scene = world.scene();
    let agent = scene.agent("planner");
    let links = scene.options.paths.bpffs.join("cgroups").join(agent.id().unwrap().to_string());
    let take_away =
        |hooks: &[&str]| hooks.iter().for_each(|hook| std::fs::remove_file(links.join(hook)).unwrap());
    // A link is gone some time after its pin.
    take_away(&["setsockopt", "connect4", "connect6", "sendmsg4", "sendmsg6"]);
    wait_until("options pass", || world.attack(Some(&agent), "mark") == "ok");
    for stream in ["tcp4", "tcp6"] {
        wait_until("connections are not redirected", || world.attack(Some(&agent), stream) != "ok");
    }
    for datagram in ["udp_sendto", "udp6_sendto"] {
        // A refused packet has no socket family, a refused call has.
        wait_until("datagrams get to the packet hook", || {
            scene.refused();
            world.attack(Some(&agent), datagram);
            scene.refused().iter().any(|it| it.family == 0)
        });
    }
    none_arrives(
        &world,
        &scene,
        &agent,
        &["denied_interface", "denied_unredirected", "denied_header", "denied_datagram"],
    );
    take_away(&["sock_create"]);
    wait_until("raw sockets are made", || {
        let before = scene.count("denied_protocol");
        world.attack(Some(&agent), "raw_packet");
        scene.count("denied_protocol") == before
    });
    none_arrives(&world, &scene, &agent, &["denied_foreign_socket"]);
}

fn none_arrives(world: &World, scene: &Scene, agent: &CgroupPath, counters: &[&str]) {
    let sum = || counters.iter().map(|counter| scene.count(counter)).sum::<u64>();
    world.captured();
    let before = sum();
    for attack in list().iter().filter(|attack| attack.arrives) {
        world.attack(Some(agent), attack.name);
        assert_eq!(world.captured(), Vec::<String>::new(), "{}", attack.name);
    }
    assert!(sum() > before, "{counters:?} did not go up");
}

enum Tried {
    Closed,
    NotHere(String),
}

fn try_one(world: &World, scene: &Scene, agent: &CgroupPath, attack: &Attack) -> Result<Tried, String> {
    world.captured();
    let control = world.attack(None, attack.name);
    if NOT_HERE.contains(&control.as_str()) {
        return Ok(Tried::NotHere(control));
    }
    if control != "ok" {
        return Err(format!("the control failed: {control}"));
    }
    if world.captured().is_empty() && attack.arrives {
        return Err("the control did not reach the canary".to_owned());
    }
    scene.refused();
    let before = scene.count(attack.counter);
    let governed = world.attack(Some(agent), attack.name);
    if governed != attack.governed {
        return Err(format!("it got {governed}, not {}", attack.governed));
    }
    let leaked = world.captured();
    if !leaked.is_empty() {
        return Err(format!("the canary received {leaked:?}"));
    }
    if scene.count(attack.counter) == before {
        return Err(format!("{} did not go up: {:?}", attack.counter, scene.kernel().stats()));
    }
    match attack.governed {
        "ok" => Ok(Tried::Closed),
        _ => told(scene, agent, attack),
    }
}

/// The refusal is told with its agent and process.
fn told(scene: &Scene, agent: &CgroupPath, attack: &Attack) -> Result<Tried, String> {
    let refused = scene.refused();
    // The hook for devices can't ask for more than the cgroup on every kernel.
    let by_cgroup = attack.counter == "denied_device";
    let told = refused.iter().any(|it| {
        it.reason.name() == attack.counter
            && it.cgroup_id == agent.id().unwrap()
            && (by_cgroup || it.agent.as_deref() == Some("planner") && it.pid != 0)
    });
    match told {
        true => Ok(Tried::Closed),
        false => Err(format!("it was not told: {refused:?}")),
    }
}
