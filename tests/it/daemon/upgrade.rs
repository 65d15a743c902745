//! Restarts that nobody notices: the service manager keeps the listening sockets, and connections wait in their queues.

use crate::support::{ALLOW_ALL, Rig, clients, postgres, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use xtask::rack::daemon::{Mode, Setup};

fn managed() -> Rig {
    let manager = Path::new(env!("CARGO_MANIFEST_DIR")).join("manager/manager.py");
    Rig::start_with(&[("all.cedar", ALLOW_ALL)], |setup| Setup {
        prefix: vec![clients::PYTHON.into(), manager.display().to_string()],
        more: "[limits]\ndrain_timeout = \"5s\"\n".into(),
        ..setup.mode(Mode::Transparent)
    })
}

fn ready(rig: &Rig) -> usize {
    rig.daemon.log().matches(" ready ").count()
}

/// Restarts the daemon and waits until the next one is ready.
fn restart(rig: &Rig, how: Signal) {
    let before = ready(rig);
    rig.daemon.signal(how).unwrap();
    wait_until("the next daemon to be ready", || ready(rig) > before);
}

/// A client that connects, asks and leaves, over and over, until it is told to stop: prints how often, and every error.
fn client(rig: &Rig, agent: &str) -> Child {
    let script = "import psycopg2, sys, threading\n\
        stop = threading.Event()\n\
        threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()\n\
        done = 0\n\
        while not stop.is_set():\n\
        \ttry:\n\
        \t\tc = psycopg2.connect(''); cursor = c.cursor(); cursor.execute('select %s', (done,))\n\
        \t\tassert cursor.fetchone() == (done,); c.close(); done += 1\n\
        \texcept psycopg2.Error as error: print('error', str(error).replace('\\n', ' '))\n\
        print('done', done)\n";
    let mut command: Command = rig.command(agent, clients::PYTHON);
    command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_connection_that_is_made_while_there_is_no_daemon_waits_for_the_next() {
    let rig = managed();
    let connect = "import socket, sys\n\
        print('there', flush=True); sys.stdin.readline()\n\
        s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); print('connected', flush=True)\n\
        s.sendall(bytes.fromhex('0000000804d2162f')); print(s.recv(1))\n";
    let mut command = rig.command("planner", clients::PYTHON);
    command
        .args(["-c", connect, &postgres().port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(line(), "there\n");
    // The manager stands still as well, so that nobody starts the next one before the connection is made.
    let manager = Pid::from_raw(rig.daemon.pid().unwrap().try_into().unwrap());
    kill(manager, Signal::SIGSTOP).unwrap();
    let status: serde_json::Value =
        serde_json::from_str(&rig.daemon.read(&["status", "--json"]).unwrap()).unwrap();
    let daemon = Pid::from_raw(status["pid"].as_i64().unwrap().try_into().unwrap());
    kill(daemon, Signal::SIGKILL).unwrap();
    wait_until("the daemon to be dead", || {
        std::fs::read_to_string(format!("/proc/{daemon}/stat")).is_ok_and(|stat| stat.contains(") Z "))
    });
    child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    assert_eq!(line(), "connected\n", "by the kernel, into the queue");
    let before = ready(&rig);
    // It finds its service dead, and starts it again.
    kill(manager, Signal::SIGUSR2).unwrap();
    kill(manager, Signal::SIGCONT).unwrap();
    wait_until("the next daemon to be ready", || ready(&rig) > before);
    assert_eq!(line(), "b'N'\n", "an answer to the request for TLS");
    assert!(child.wait().unwrap().success());
}

#[test]
fn restarts_under_load_refuse_nobody() {
    let rig = managed();
    let clients: Vec<Child> = ["planner", "executor"].iter().map(|agent| client(&rig, agent)).collect();
    wait_until("the clients to be at work", || rig.rows(&["--text", "select 5"]).len() >= 2);
    for _ in 0..5 {
        restart(&rig, Signal::SIGUSR1);
    }
    for (mut child, agent) in clients.into_iter().zip(["planner", "executor"]) {
        drop(child.stdin.take());
        let out = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let errors: Vec<&str> = out.lines().filter(|line| line.starts_with("error")).collect();
        let done: u64 = out.lines().last().unwrap().trim_start_matches("done ").parse().unwrap();
        // A session that a stopping daemon had taken is ended by it, in PostgreSQL's words.
        assert!(errors.iter().all(|error| error.contains("terminating connection")), "{errors:#?}");
        assert!(errors.len() <= 5, "{errors:#?}");
        assert!(done > 10, "{done}");
        let rows = rig.rows(&["--agent", agent, "--verdict", "forward", "--text", "select "]);
        assert!(rows.iter().all(|row| row.text("agent") == agent));
        let recorded = rows.iter().filter(|row| row.text("end") == "done").count() as u64;
        assert!(recorded >= done, "{recorded} rows for {done} statements");
    }
}

#[test]
fn kills_under_load_let_nobody_out() {
    let rig = managed();
    let mut child = client(&rig, "planner");
    wait_until("the client to be at work", || !rig.rows(&["--text", "select 5"]).is_empty());
    for _ in 0..5 {
        restart(&rig, Signal::SIGUSR2);
    }
    drop(child.stdin.take());
    let out = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let errors: Vec<&str> = out.lines().filter(|line| line.starts_with("error")).collect();
    // What it was in the middle of breaks off; no connection is refused.
    assert!(
        !errors.iter().any(|error| error.contains("refused") || error.contains("not permitted")),
        "{errors:#?}"
    );
    // PostgreSQL has seen what was recorded, and nothing else.
    let seen = rig.server_log().lines().filter(|line| line.contains("statement: select ")).count();
    let recorded = rig.rows(&["--agent", "planner", "--verdict", "forward", "--text", "select "]).len();
    assert!(seen <= recorded, "{seen} statements at the server, {recorded} rows");
}
