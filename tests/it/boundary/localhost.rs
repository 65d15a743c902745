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
