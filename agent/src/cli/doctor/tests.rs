//! Lines as people see them, and checks against real sockets.

use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;

#[test]
fn lines_carry_their_remedy() {
    let checks = [
        Check::ok("kernel", "6.1.0"),
        Check::degraded("BPF LSM", "not there", "boot with it"),
        Check::broken("policies", "a.cedar:1:1: x\nb.cedar:2:2: \x1b[31my", "correct them"),
    ];
    let expected = "\
ok        kernel    6.1.0
degraded  BPF LSM   not there
                    → boot with it
broken    policies  a.cedar:1:1: x
                    b.cedar:2:2: \u{fffd}[31my
                    → correct them
";
    assert_eq!(render(&checks, Paint::off()), expected);
}

/// A server that answers one connection.
fn server(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // All of it: closing before that would reset the connection, and the answer with it.
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        assert!(request.starts_with(b"GET /ping HTTP/1"));
        stream.write_all(answer).unwrap();
    });
    url
}

#[test]
fn asks_the_sink() {
    assert_eq!(look::sink(&server(b"HTTP/1.0 200 OK\r\n\r\nOk.\n")).state, State::Ok);
    let wrong = look::sink(&server(b"HTTP/1.0 404 Not Found\r\n\r\n"));
    assert_eq!(wrong.state, State::Degraded);
    assert!(wrong.detail.contains("not as a ClickHouse server"), "{}", wrong.detail);
    let mute = look::sink(&server(b""));
    assert_eq!(mute.state, State::Degraded);
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = look::sink(&format!("http://{free}"));
    assert!(closed.detail.contains("refused"), "{}", closed.detail);
}

#[test]
fn a_wrong_file_is_told_and_the_rest_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("interlock.toml");
    std::fs::write(&config, format!("x = 1\n[paths]\nrun = \"{}\"\n", folder.path().display())).unwrap();
    let checks = checks(&Context { config });
    let line = |name: &str| checks.iter().find(|check| check.name == name).unwrap();
    assert_eq!(line("configuration").state, State::Broken);
    assert!(line("configuration").detail.contains("interlock.toml:1:1: unknown key `x`"));
    assert_eq!(line("daemon").state, State::Broken);
    assert!(line("daemon").remedy.contains("interlock serve"));
    line("kernel");
}

#[test]
fn without_a_daemon_ports_and_spool_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = folder.path().join("interlock.toml");
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    let text = format!(
        "[paths]\nrun = '{at}/run'\nstate = '{at}/state'\n[intercept]\nport = 0\n[[agent]]\nname = 'a'\n[[target]]\nname = 't'\n\
         protocol = 'postgres'\naddresses = ['127.0.0.1:1']\n[[listener]]\naddress = '{}'\ntarget = 't'\nagent = 'a'\n",
        taken.local_addr().unwrap()
    );
    std::fs::write(&config, text).unwrap();
    let checks = checks(&Context { config });
    let listeners: Vec<_> = checks.iter().filter(|check| check.name == "listener").collect();
    assert_eq!(listeners[0].state, State::Ok);
    assert_eq!(listeners[1].state, State::Broken);
    assert!(listeners[1].remedy.contains("another port"));
    assert_eq!(
        listeners[2].detail,
        format!("{}: explicit listener: not transparent, not a boundary", taken.local_addr().unwrap())
    );
    let spool = checks.iter().find(|check| check.name == "spool").unwrap();
    assert!(spool.detail.contains("none yet"), "{}", spool.detail);
    assert_eq!(checks.iter().find(|check| check.name == "policies").unwrap().state, State::Degraded);
}
