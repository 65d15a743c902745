//! A governed process as a server: reached over loopback, from nowhere else.
use super::world::{AGENTS4, World};
use crate::kernel::scene::{client, kernel_or_skip, said};
use interlock::cgroup::CgroupPath;
use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

/// Listens on every address, says its port, and ends when told.
const SERVER: &str = "import socket, sys\n\
    s = socket.socket(socket.AF_INET6); s.listen(); print(s.getsockname()[1], flush=True); sys.stdin.readline()";

/// Whether the canary, and then a host process on loopback, get a connection to a server in that cgroup.
fn reached(world: &World, cgroup: Option<&CgroupPath>) -> [bool; 2] {
    let mut command = world.agents.command(cgroup, Path::new("/usr/bin/python3"));
    command.args(["-c", SERVER]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut server = command.spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let port: u16 = lines.next().unwrap().unwrap().parse().unwrap();
    let connects = |address: &str| {
        let address = SocketAddr::new(address.parse().unwrap(), port);
        TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok()
    };
    let reached = [world.canary.inside(|| connects(AGENTS4)), world.agents.inside(|| connects("127.0.0.1"))];
    server.stdin.take().unwrap().write_all(b"\n").unwrap();
    server.wait().unwrap();
    reached
}

#[test]
fn a_governed_server_is_reached_over_loopback_only() {
    kernel_or_skip!();
    let world = World::new();
    let scene = world.scene();
    let agent = scene.agent("planner");
    assert_eq!(reached(&world, None), [true, true], "control");
    world.captured();
    assert_eq!(reached(&world, Some(&agent)), [false, true]);
    assert_eq!(world.captured(), Vec::<String>::new(), "not even an answer to the SYN");
    assert!(scene.count("denied_interface") > 0);
}

#[test]
fn the_listeners_port_is_not_to_be_had() {
    kernel_or_skip!();
    let scene = crate::kernel::scene::Scene::new();
    let agent = scene.agent("planner");
    let (port4, port6) = (scene.port4(), scene.port6());
    let script = format!(
        "def bound(family, address, port, kind=SOCK_STREAM):\n\
         \x20   s = socket(family, kind); s.bind((address, port))\n\
         say([tried(lambda: bound(AF_INET, '127.3.3.3', {port4})), tried(lambda: bound(AF_INET6, '::ffff:127.3.3.3', {port4})),\n\
         tried(lambda: bound(AF_INET, '127.3.3.3', {port6})), tried(lambda: bound(AF_INET, '127.3.3.3', 0)),\n\
         tried(lambda: bound(AF_INET, '127.3.3.3', {port4}, SOCK_DGRAM))])"
    );
    assert_eq!(said(client(None, &script)), [serde_json::json!(["ok", "ok", "ok", "ok", "ok"])], "control");
    let governed = said(client(Some(&agent), &script));
    assert_eq!(governed, [serde_json::json!(["EPERM", "EPERM", "EPERM", "ok", "EPERM"])]);
    assert_eq!(scene.count("denied_bind"), 4);
}
