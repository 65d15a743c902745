//! Sockets from before their cgroup was governed.
use super::world::{CANARY_PORT, CANARY4, World};
use crate::kernel::scene::kernel_or_skip;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::Stdio,
};

/// Opens what it can while it is free, says so, and tries to use each when told.
const SCRIPT: &str = "import errno, socket, sys\n\
    to = ('192.0.2.2', 7)\n\
    connected = socket.create_connection(to); connected.settimeout(0.3); connected.setsockopt(6, 1, 1)\n\
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); datagram.connect(to)\n\
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253); raw.connect((to[0], 0))\n\
    print('open', flush=True)\n\
    for line in sys.stdin:\n\
    \x20   said = []\n\
    \x20   for s in connected, datagram, raw:\n\
    \x20       try: s.send(b'x'); said.append('ok')\n\
    \x20       except OSError as e: said.append(errno.errorcode[e.errno])\n\
    \x20   print(*said, flush=True)\n";

#[test]
fn nothing_leaves_by_them() {
    kernel_or_skip!();
    let world = World::new();
    let scene = world.scene();
    let cgroup = scene.cgroup("late");
    let mut command = world.agents.command(Some(&cgroup), Path::new("/usr/bin/python3"));
    let mut child =
        command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ask = |times: usize| {
        let mut stdin = child.stdin.as_ref().unwrap();
        stdin.write_all("go\n".repeat(times).as_bytes()).unwrap();
    };
    let mut heard = || lines.next().unwrap().unwrap();
    assert_eq!(heard(), "open");
    world.captured();
    ask(1);
    assert_eq!(heard(), "ok ok ok", "control");
    assert_eq!(world.captured().len(), 3, "control: to {CANARY4} port {CANARY_PORT}");
    let tagging = scene.kernel().govern(&cgroup, "planner").unwrap();
    // Not every kernel can close raw sockets from outside.
    let raw_is_left = tagging.foreign.left.iter().any(|left| left.contains("raw socket"));
    assert_eq!(tagging.foreign.closed, if raw_is_left { 2 } else { 3 }, "{:?}", tagging.foreign);
    assert_eq!(tagging.foreign.left.len(), usize::from(raw_is_left), "{:?}", tagging.foreign);
    assert_eq!(world.captured(), Vec::<String>::new(), "not even a reset");
    ask(1);
    let said = heard();
    assert!(said.starts_with("ECONNABORTED ") && !said.contains("ok"), "{said}");
    assert_eq!(world.captured(), Vec::<String>::new());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(world.captured(), Vec::<String>::new(), "also when the sockets are closed");
}
