//! Servers on loopback: an agent's own are reached directly, everybody else's through the decision.
use crate::kernel::scene::{Scene, accept, client, kernel_or_skip, run};
use interlock::cgroup::CgroupPath;
use serde_json::json;
use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::Child,
};

/// A server in that cgroup that answers each connection with "served"; and its port.
fn server(cgroup: &CgroupPath, address: &str) -> (Ended, u16) {
    let family = if address.contains(':') { "AF_INET6" } else { "AF_INET" };
    let script = format!(
        "s = socket({family}); s.bind(('{address}', 0)); s.listen(); say(s.getsockname()[1])\n\
         while True: c = s.accept()[0]; c.sendall(b'served'); c.close()"
    );
    let mut child = client(Some(cgroup), &script);
    let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    (Ended(child), line.parse().unwrap())
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// What a client gets from a server there, and whom it thinks it talks to.
fn asks(host: &str, port: u16) -> String {
    let family = if host.contains(':') { ", AF_INET6" } else { "" };
    format!("s = tcp('{host}', {port}{family}); say([s.recv(6).decode(), s.getpeername()[1]])")
}

#[test]
fn an_agents_own_server_is_reached_directly() {
    kernel_or_skip!();
    let scene = Scene::new();
    let agent = scene.agent("planner");
    for (bound, named) in [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("0.0.0.0", "::ffff:127.0.0.1"),
        ("::1", "::1"),
        ("::", "::1"),
        ("::", "127.0.0.1"),
    ] {
        let (_server, port) = server(&agent, bound);
        assert_eq!(run(Some(&agent), &asks(named, port)), json!(["served", port]), "{bound} {named}");
    }
    assert!(scene.nothing_arrived());
    assert_eq!(scene.count("local"), 7);
}

#[test]
fn also_from_another_cgroup_of_the_same_agent() {
    kernel_or_skip!();
    let scene = Scene::new();
    let (one, two) = (scene.agent("planner"), scene.cgroup("second"));
    scene.kernel().govern(&two, "planner").unwrap();
    let (_server, port) = server(&one, "127.0.0.1");
    assert_eq!(run(Some(&two), &asks("127.0.0.1", port)), json!(["served", port]));
    assert!(scene.nothing_arrived());
}

#[test]
fn anybody_elses_server_is_reached_through_the_decision_only() {
    kernel_or_skip!();
    let scene = Scene::new();
    let (planner, executor) = (scene.agent("planner"), scene.agent("executor"));
    let inner = planner.child("inner").unwrap();
    inner.create().unwrap();
    scene.kernel().govern(&inner, "inner").unwrap();
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let host_port = host.local_addr().unwrap().port();
    let (_one, planners) = server(&planner, "127.0.0.1");
    let (_two, inners) = server(&inner, "127.0.0.1");
    for (who, port, agent) in [
        (&executor, planners, "executor"),
        (&executor, host_port, "executor"),
        (&planner, inners, "planner"),
        (&inner, planners, "inner"),
    ] {
        let child =
            client(Some(who), &format!("s = tcp('127.0.0.1', {port}); say(s.getpeername()); s.recv(1)"));
        let (stream, origin) = scene.accept4();
        let origin = origin.unwrap();
        assert_eq!((&*origin.agent, origin.destination.port()), (agent, port));
        drop(stream);
        assert_eq!(crate::kernel::scene::said(child), [json!(["127.0.0.1", port])]);
    }
    assert_eq!(scene.count("local"), 0);
    host.set_nonblocking(true).unwrap();
    assert!(host.accept().is_err(), "nobody reached the host's server directly");
}

#[test]
fn a_server_of_an_agent_that_was_released_is_anybodys() {
    kernel_or_skip!();
    let scene = Scene::new();
    let (one, two) = (scene.agent("planner"), scene.cgroup("second"));
    let (_server, port) = server(&one, "127.0.0.1");
    scene.kernel().release(one.id().unwrap()).unwrap();
    scene.kernel().govern(&two, "planner").unwrap();
    let child = client(Some(&two), &format!("tcp('127.0.0.1', {port}); say('connected')"));
    assert!(accept(&scene.v4).is_some(), "it was redirected");
    crate::kernel::scene::said(child);
}

/// A host service on a port of 127.0.0.1, and the port.
fn host_service() -> (TcpListener, u16) {
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = service.local_addr().unwrap().port();
    service.set_nonblocking(true).unwrap();
    (service, port)
}

#[test]
fn an_unspecified_address_is_the_one_that_was_looked_at() {
    kernel_or_skip!();
    let scene = Scene::new();
    let agent = scene.agent("planner");
    let (service, port) = host_service();
    // The agent listens where the look-up would find it, and connects by a socket that the kernel sends elsewhere.
    let script = format!(
        "def mapped():\n\
         \x20   s = socket(AF_INET6); s.settimeout(1); s.bind(('::ffff:127.0.0.1', 0)); s.connect(('::', {port}))\n\
         def other():\n\
         \x20   s = socket(); s.settimeout(1); s.bind(('127.0.0.2', 0)); s.connect(('0.0.0.0', {port}))\n\
         one = socket(AF_INET6); one.setsockopt(41, 26, 1); one.bind(('::1', {port})); one.listen()\n\
         mapped_got = tried(mapped)\n\
         two = socket(); two.bind(('127.0.0.3', {port})); two.listen()\n\
         say([mapped_got, tried(other)])"
    );
    assert_eq!(run(None, &script)[0], "ok", "control");
    assert!(service.accept().is_ok(), "control: the kernel sends it to IPv4");
    run(Some(&agent), &script);
    assert!(service.accept().is_err(), "the host's service was reached");
}

#[test]
fn a_connection_that_opens_late_does_not_reach_who_listens_then() {
    kernel_or_skip!();
    let scene = Scene::new();
    let agent = scene.agent("planner");
    // Fast open without a cookie: `connect` returns before a packet is sent, and no call follows but `send`.
    let script = "server = socket(); server.bind(('127.0.0.1', 0)); server.listen()\n\
        s = socket(); s.settimeout(1); s.setsockopt(6, 30, 1); s.setsockopt(6, 34, 1)\n\
        s.connect(server.getsockname()); say(server.getsockname()[1])\n\
        server.close(); sys.stdin.readline(); say(tried(lambda: s.send(b'late')))";
    for (cgroup, reaches) in [(None, true), (Some(&agent), false)] {
        let mut child = client(cgroup, script);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port: u16 = lines.next().unwrap().unwrap().parse().unwrap();
        let mut service = None;
        crate::kernel::scene::wait_until("the port is free", || {
            service = TcpListener::bind(("127.0.0.1", port)).ok();
            service.is_some()
        });
        let service = service.unwrap();
        service.set_nonblocking(true).unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"\n").unwrap();
        let said = lines.next().unwrap().unwrap();
        child.wait().unwrap();
        assert_eq!(service.accept().is_ok(), reaches, "{reaches} {said}");
    }
    assert!(scene.count("denied_unredirected") > 0);
}

#[test]
fn a_socket_outlives_its_cgroup_and_stays_governed() {
    kernel_or_skip!();
    let scene = Scene::new();
    let (first, second) = (scene.agent("planner"), scene.cgroup("second"));
    scene.kernel().govern(&second, "planner").unwrap();
    let (service, port) = host_service();
    let name = format!("interlock-test-{}-{port}", std::process::id());
    let keeper = format!(
        "import array\n\
         u = socket(AF_UNIX); u.bind('\\0{name}'); u.listen(); say('ready'); c = u.accept()[0]\n\
         data = c.recvmsg(1, 64)[1][0][2]; got = array.array('i', data)\n\
         s, d = socket(fileno=got[0]), socket(fileno=got[1]); s.settimeout(2); say('got')\n\
         sys.stdin.readline(); say([tried(lambda: s.connect(('127.0.0.1', {port}))), tried(lambda: d.sendto(b'x', ('127.0.0.1', 9)))])"
    );
    let giver = format!(
        "import array\n\
         u = socket(AF_UNIX); u.connect('\\0{name}'); s, d = socket(), socket(AF_INET, SOCK_DGRAM)\n\
         u.sendmsg([b'x'], [(SOL_SOCKET, SCM_RIGHTS, array.array('i', [s.fileno(), d.fileno()]))]); say('gave')"
    );
    let mut child = client(Some(&second), &keeper);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "\"ready\"");
    assert_eq!(run(Some(&first), &giver), "gave");
    assert_eq!(next(), "\"got\"");
    first.remove().unwrap();
    scene.kernel().sweep().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"\n").unwrap();
    let said = next();
    child.wait().unwrap();
    assert!(service.accept().is_err(), "the host's service was reached");
    assert_eq!(said, json!(["ok", "EPERM"]).to_string(), "redirected, refused");
    assert!(accept(&scene.v4).is_some());
    crate::kernel::scene::wait_until("it is forgotten when its sockets are gone", || {
        scene.kernel().sweep().unwrap().len() == 1
    });
}
