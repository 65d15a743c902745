//! TCP connections of a governed cgroup arrive at the listener, with their exact origin.
use super::scene::{NOWHERE, Scene, client, kernel_or_skip, run, said};
use interlock::intercept::OriginError;
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
};

/// A client that connects, says who it is and what it sees, and ends when the other side closes.
fn caller(family: &str, host: &str, port: u16) -> String {
    format!(
        "s = tcp('{host}', {port}, {family})\n\
         say({{'pid': os.getpid(), 'peer': s.getpeername()[:2], 'family': s.family.name, 'got': s.recv(100).decode()}})"
    )
}

/// Answers a client and gives what it said.
fn greet(stream: &mut std::net::TcpStream, child: std::process::Child) -> Value {
    stream.write_all(b"hello").unwrap();
    said(child).remove(0)
}

#[test]
fn tcp4() {
    kernel_or_skip!();
    let scene = Scene::new();
    let agent = scene.agent("planner");
    let child = client(Some(&agent), &caller("AF_INET", NOWHERE, 5432));
    let (mut stream, origin) = scene.accept4();
    let origin = origin.unwrap();
    let told = greet(&mut stream, child);
    assert_eq!(origin.destination, SocketAddr::new(NOWHERE.parse().unwrap(), 5432));
    assert_eq!(&*origin.agent, "planner");
    assert_eq!(origin.cgroup_id, agent.id().unwrap().0);
    assert_eq!(told["pid"], origin.pid);
    assert_eq!((origin.uid, origin.gid), (0, 0));
    assert!(origin.cookie != 0);
    assert_eq!(told["peer"], json!([NOWHERE, 5432]), "getpeername is truthful");
    assert_eq!(told["got"], "hello");
    assert_eq!(scene.count("redirected"), 1);
}

#[test]
fn tcp6() {
    kernel_or_skip!();
    let scene = Scene::new();
    let agent = scene.agent("planner");
    let child = client(Some(&agent), &caller("AF_INET6", "::1", 5432));
    let (mut stream, origin) = scene.accept6();
    let told = greet(&mut stream, child);
    assert_eq!(origin.unwrap().destination, "[::1]:5432".parse().unwrap());
    assert_eq!(told["peer"], json!(["::1", 5432]));
}

#[test]
fn v4_mapped_stays_an_ipv6_socket() {
    kernel_or_skip!();
    let scene = Scene::new();
    let agent = scene.agent("planner");
    let child = client(Some(&agent), &caller("AF_INET6", &format!("::ffff:{NOWHERE}"), 5432));
    let (mut stream, origin) = scene.accept4();
    let told = greet(&mut stream, child);
    assert_eq!(origin.unwrap().destination, SocketAddr::new(NOWHERE.parse().unwrap(), 5432));
    assert_eq!(told["peer"], json!([format!("::ffff:{NOWHERE}"), 5432]));
    assert_eq!(told["family"], "AF_INET6");
}

#[test]
fn an_unprivileged_caller_is_told_by_its_user() {
    kernel_or_skip!();
    let scene = Scene::new();
    let agent = scene.agent("planner");
    let script = format!("os.setgid(65533); os.setuid(65534)\n{}", caller("AF_INET", NOWHERE, 1));
    let child = client(Some(&agent), &script);
    let (mut stream, origin) = scene.accept4();
    greet(&mut stream, child);
    let origin = origin.unwrap();
    assert_eq!((origin.uid, origin.gid), (65534, 65533));
}

#[test]
fn a_live_service_on_loopback_is_redirected_too() {
    kernel_or_skip!();
    let scene = Scene::new();
    let agent = scene.agent("planner");
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = service.local_addr().unwrap().port();
    let connect = format!("say(tried(lambda: tcp('127.0.0.1', {port})))");
    assert_eq!(run(None, &connect), "ok");
    super::scene::accept(&service).expect("control: the service is reached");
    assert_eq!(run(Some(&agent), &connect), "ok");
    let (_, origin) = scene.accept4();
    assert_eq!(origin.unwrap().destination, service.local_addr().unwrap());
    service.set_nonblocking(true).unwrap();
    assert!(service.accept().is_err(), "the service was not reached");
}

#[test]
fn a_direct_hit_on_the_listener_has_no_origin() {
    kernel_or_skip!();
    let scene = Scene::new();
    scene.agent("planner");
    for (host, family, port) in [("127.0.0.1", "AF_INET", scene.port4()), ("::1", "AF_INET6", scene.port6())]
    {
        assert_eq!(run(None, &format!("say(tried(lambda: tcp('{host}', {port}, {family})))")), "ok");
        let (_, origin) = if family == "AF_INET" { scene.accept4() } else { scene.accept6() };
        assert!(matches!(origin, Err(OriginError::NotRedirected)), "{origin:?}");
    }
}

#[test]
fn a_socket_connected_again_has_its_new_origin() {
    kernel_or_skip!();
    let scene = Scene::new();
    let agent = scene.agent("planner");
    // AF_UNSPEC dissolves the association; Python can't say it, libc can.
    let script = format!(
        "import ctypes\n\
         s = tcp('{NOWHERE}', 1111)\n\
         s.recv(1)\n\
         libc = ctypes.CDLL(None, use_errno=True)\n\
         assert libc.connect(s.fileno(), struct.pack('H14x', AF_UNSPEC), 16) == 0\n\
         s.connect(('{NOWHERE}', 2222))\n\
         say(s.getpeername())\n\
         s.recv(1)"
    );
    let child = client(Some(&agent), &script);
    let (mut first, origin) = scene.accept4();
    assert_eq!(origin.unwrap().destination.port(), 1111);
    first.write_all(b"x").unwrap();
    let (mut second, origin) = scene.accept4();
    assert_eq!(origin.unwrap().destination.port(), 2222);
    second.write_all(b"x").unwrap();
    assert_eq!(said(child), [json!([NOWHERE, 2222])]);
}

#[test]
fn fast_open_is_redirected() {
    kernel_or_skip!();
    let scene = Scene::new();
    let agent = scene.agent("planner");
    let by_message = format!(
        "s = socket(AF_INET, SOCK_STREAM)\n\
         s.sendto(b'early', 0x20000000, ('{NOWHERE}', 3333))\n\
         say(s.getpeername()); s.recv(1)"
    );
    let by_option = format!(
        "s = socket(AF_INET, SOCK_STREAM)\n\
         s.setsockopt(IPPROTO_TCP, 30, 1)\n\
         s.connect(('{NOWHERE}', 3333))\n\
         s.sendall(b'early')\n\
         say(s.getpeername()); s.recv(1)"
    );
    for script in [by_message, by_option] {
        let child = client(Some(&agent), &script);
        let (mut stream, origin) = scene.accept4();
        assert_eq!(origin.unwrap().destination.port(), 3333);
        let mut early = [0; 5];
        stream.read_exact(&mut early).unwrap();
        assert_eq!(&early, b"early");
        stream.write_all(b"x").unwrap();
        assert_eq!(said(child), [json!([NOWHERE, 3333])]);
    }
}

#[test]
fn a_nonblocking_connect_and_a_bound_source_are_redirected() {
    kernel_or_skip!();
    let scene = Scene::new();
    let agent = scene.agent("planner");
    let script = format!(
        "import select\n\
         s = socket(AF_INET, SOCK_STREAM); s.bind(('127.5.5.5', 0)); s.setblocking(False)\n\
         code = s.connect_ex(('{NOWHERE}', 4444))\n\
         assert code in (0, errno.EINPROGRESS), code\n\
         select.select([], [s], [], 20)\n\
         say([s.getsockopt(SOL_SOCKET, SO_ERROR), s.getpeername(), s.getsockname()[0]])"
    );
    let child = client(Some(&agent), &script);
    let (stream, origin) = scene.accept4();
    assert_eq!(origin.unwrap().destination.port(), 4444);
    assert_eq!(stream.peer_addr().unwrap().ip().to_string(), "127.5.5.5");
    assert_eq!(said(child), [json!([0, [NOWHERE, 4444], "127.5.5.5"])]);
}
