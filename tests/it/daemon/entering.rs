//! Processes that are moved into governed cgroups, with what they have open.

use crate::support::{ALLOW_ALL, Rig, clients, wait_for};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

#[test]
fn a_process_that_is_moved_in_does_not_keep_its_connections() {
    let rig = Rig::transparent(&[("all.cedar", ALLOW_ALL)]);
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let script = "import socket, sys\n\
        old = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n\
        def tell(*what): print(*what, flush=True); sys.stdin.readline()\n\
        def tried(act):\n\
        \ttry: return act()\n\
        \texcept OSError as error: return error.errno\n\
        tell(old.send(b'out'))\n\
        new = tried(lambda: socket.create_connection(('127.9.9.9', 9)))\n\
        listens = socket.create_server(('127.0.0.1', 0))\n\
        tell('inside', tried(lambda: old.send(b'still')))\n\
        tell('moved', listens.fileno() >= 0, tried(lambda: socket.create_connection(listens.getsockname()) and 'own'))\n";
    let port = service.local_addr().unwrap().port().to_string();
    let mut command = Command::new(clients::PYTHON);
    command.args(["-c", script, &port]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut out, mut stdin) = (BufReader::new(child.stdout.take().unwrap()), child.stdin.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        line
    };
    let (stream, _) = service.accept().unwrap();
    assert_eq!(line(), "3\n", "control: it sends what it wants");
    let directory = rig.daemon.cgroup_base().unwrap().join("entered");
    let below = directory.join("below");
    std::fs::create_dir_all(&below).unwrap();
    rig.daemon.read(&["tag", "--agent", "planner", "--cgroup", directory.to_str().unwrap()]).unwrap();
    let enter = |cgroup: &std::path::Path| {
        std::fs::write(cgroup.join("cgroup.procs"), child.id().to_string()).unwrap()
    };
    enter(&directory);
    let row = wait_for("the row of what was closed", || {
        rig.rows(&["--verdict", "deny"]).into_iter().find(|row| row.text("verb") == "ENTER")
    });
    assert_eq!((row.text("agent"), row.number("pid")), ("planner", u64::from(child.id())));
    assert!(row.text("reason").starts_with("closed 1 socket that the process had"), "{}", row.text("reason"));
    stdin.write_all(b"\n").unwrap();
    assert_eq!(line(), "inside 103\n", "ECONNABORTED");
    // What it has made inside stays, wherever inside it goes.
    enter(&below);
    stdin.write_all(b"\n").unwrap();
    assert_eq!(line(), "moved True own\n");
    drop((stdin, stream));
    assert!(child.wait().unwrap().success());
    assert_eq!(rig.rows(&["--verdict", "deny"]).iter().filter(|row| row.text("verb") == "ENTER").count(), 1);
    std::fs::remove_dir(&below).unwrap();
    std::fs::remove_dir(&directory).unwrap();
}
