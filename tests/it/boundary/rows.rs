//! Rows of what the kernel side refuses, written by the real daemon.
use super::host::Host;
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

/// A governed Python that runs the lines it is given and says `done` after each.
struct Shell {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Shell {
    fn start(mut command: Command) -> Self {
        let script = "import errno, os, socket, stat, sys\n\
            def tried(act):\n\
            \x20   try: act(); return 'ok'\n\
            \x20   except OSError as e: return errno.errorcode[e.errno]\n\
            for line in sys.stdin: print(eval(line), flush=True)";
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn says(&mut self, expression: &str) -> String {
        writeln!(self.child.stdin.as_ref().unwrap(), "{expression}").unwrap();
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

const DATAGRAM: &str =
    "tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9)))";

#[test]
fn each_refusal_has_a_row_and_repetitions_share_one() {
    let mut host = Host::start();
    let mut shell = Shell::start(host.daemon.exec("planner", "python3"));
    assert_eq!(shell.says("tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262))"), "EPERM");
    let option = "tried(lambda: socket.socket().setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 1))";
    assert_eq!(shell.says(option), "EPERM");
    for _ in 0..4 {
        assert_eq!(shell.says(DATAGRAM), "EPERM");
    }
    let rows = host.rows_when(3, &["--agent", "planner", "--verdict", "deny"]);
    let pid = u64::from(shell.child.id());
    let seen: Vec<_> =
        rows.iter().map(|row| (row.text("verb"), row.0["policies"][0].as_str().unwrap())).collect();
    let expected =
        [("SOCKET", "kernel:protocol"), ("SETSOCKOPT", "kernel:socket_option"), ("SEND", "kernel:datagram")];
    assert_eq!(seen, expected);
    for row in &rows {
        assert_eq!((row.text("end"), row.text("boundary")), ("refused", "transparent"));
        assert!(row.text("exe").contains("python3") && row.text("cgroup").contains("planner"), "{row:?}");
        assert_eq!(row.number("pid"), pid);
    }
    assert_eq!((rows[2].text("destination"), rows[2].number("destination_port")), ("::ffff:127.0.0.1", 9));
    // What is gathered is recorded when the daemon stops, if not before.
    drop(shell);
    host.daemon.stop().unwrap();
    host.daemon.launch().unwrap();
    let rows = host.rows_when(4, &["--agent", "planner", "--verdict", "deny"]);
    assert!(rows[3].text("reason").contains("(3 more times within 10 s)"), "{}", rows[3].text("reason"));
}

#[test]
fn what_is_refused_while_the_daemon_is_dead_gets_its_row_when_it_is_back() {
    let mut host = Host::start();
    let mut shell = Shell::start(host.daemon.exec_as_we_are("planner", "python3"));
    assert_eq!(shell.says("'ready'"), "ready");
    host.daemon.kill().unwrap();
    assert_eq!(shell.says(DATAGRAM), "EPERM");
    assert_eq!(shell.says("tried(lambda: socket.create_connection(('127.0.0.1', 9)))"), "EPERM");
    let node = "tried(lambda: os.mknod('/tmp/interlock-test-node', stat.S_IFCHR, os.makedev(10, 200)))";
    assert_eq!(shell.says(node), "EPERM");
    host.daemon.launch().unwrap();
    let rows = host.rows_when(3, &["--agent", "planner", "--verdict", "deny"]);
    let seen: Vec<_> =
        rows.iter().map(|row| (row.text("verb"), row.0["policies"][0].as_str().unwrap())).collect();
    assert_eq!(
        seen,
        [("SEND", "kernel:datagram"), ("CONNECT", "kernel:listener_not_ours"), ("OPEN", "kernel:device")]
    );
    assert_eq!(rows[0].number("pid"), u64::from(shell.child.id()));
}
