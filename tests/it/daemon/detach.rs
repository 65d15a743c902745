//! Letting everything go.

use crate::support::{ALLOW_ALL, Ran, Rig};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Stdio;

#[test]
fn everything_is_let_go_when_the_daemon_is_stopped_and_somebody_says_yes() {
    let mut rig = Rig::transparent(&[("all.cedar", ALLOW_ALL)]);
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = service.local_addr().unwrap();
    let script = format!(
        "import socket, sys\n\
         for line in sys.stdin:\n\
         \x20   try: socket.create_connection(('127.0.0.1', {})); print('connected', flush=True)\n\
         \x20   except OSError as e: print(e.errno, flush=True)",
        address.port()
    );
    let mut command = rig.daemon.exec("planner", "python3");
    let mut child =
        command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut input = child.stdin.take().unwrap();
    let mut tries = || {
        input.write_all(b"go\n").unwrap();
        lines.next().unwrap().unwrap()
    };
    let detach = |rig: &Rig, more: &[&str]| Ran::run(rig.daemon.interlock(&["detach", "--all"]).args(more));
    assert_eq!(tries(), "connected", "to the daemon");
    let running = detach(&rig, &["--yes"]).fails();
    assert!(running.contains("the daemon runs"), "{running}");
    rig.daemon.kill().unwrap();
    let unasked = detach(&rig, &[]).fails();
    assert!(unasked.contains("nobody to ask"), "{unasked}");
    assert_eq!(tries(), libc::EPERM.to_string(), "still governed");
    let done = detach(&rig, &["--yes"]).ok();
    assert!(done.contains("(agent planner)") && done.contains("1 let go"), "{done}");
    assert_eq!(tries(), "connected", "to the service itself");
    service.set_nonblocking(true).unwrap();
    assert!(service.accept().is_ok());
    assert!(!rig.daemon.pins().exists());
    assert!(detach(&rig, &["--yes"]).ok().contains("nothing is governed"));
    rig.daemon.launch().unwrap();
    let rows = rig.rows_when(1, &["--action", "admin"]);
    assert_eq!(
        (rows[0].text("verb"), rows[0].text("verdict"), rows[0].text("end")),
        ("DETACH", "forward", "done")
    );
    child.kill().unwrap();
    child.wait().unwrap();
}
