//! Cgroups inside governed ones: made by the agent itself, or governed on their own.
use super::scene::{NOWHERE, Scene, client, kernel_or_skip, run, said};
use serde_json::json;

#[test]
fn a_cgroup_that_the_agent_makes_is_governed() {
    kernel_or_skip!();
    let scene = Scene::new();
    let agent = scene.agent("planner");
    let deep = (0..5).fold(agent.clone(), |cgroup, level| cgroup.child(&format!("level-{level}")).unwrap());
    deep.create().unwrap();
    let child = client(Some(&deep), &format!("say(tcp('{NOWHERE}', 77).getpeername())"));
    let (_, origin) = scene.accept4();
    assert_eq!(said(child), [json!([NOWHERE, 77])]);
    let origin = origin.unwrap();
    assert_eq!((&*origin.agent, origin.cgroup_id), ("planner", agent.id().unwrap().0));
}

#[test]
fn of_two_agents_the_nearer_counts_and_the_origin_is_kept() {
    kernel_or_skip!();
    let scene = Scene::new();
    let outer = scene.agent("outer");
    let inner = outer.child("inner").unwrap();
    inner.create().unwrap();
    scene.kernel().govern(&inner, "inner").unwrap();
    let (port4, port6) = (scene.port4(), scene.port6());
    for (family, host) in [("AF_INET", NOWHERE), ("AF_INET6", &format!("::ffff:{NOWHERE}"))] {
        for (cgroup, name) in [(&inner, "inner"), (&outer, "outer")] {
            let child = client(Some(cgroup), &format!("say(tcp('{host}', 77, {family}).getpeername()[:2])"));
            let (_, origin) = scene.accept4();
            assert_eq!(said(child), [json!([host, 77])]);
            let origin = origin.unwrap();
            assert_eq!(origin.destination, format!("{NOWHERE}:77").parse().unwrap());
            assert_eq!(&*origin.agent, name);
        }
    }
    // Both programs run, and the second sees the listener's address: a direct hit is still told from that.
    let direct = format!(
        "say([tried(lambda: tcp('127.0.0.1', {port4})), tried(lambda: tcp('::1', {port6}, AF_INET6))])"
    );
    assert_eq!(run(Some(&inner), &direct), json!(["EPERM", "EPERM"]));
    assert!(scene.nothing_arrived());
    scene.kernel().release(inner.id().unwrap()).unwrap();
    let child = client(Some(&inner), &format!("tcp('{NOWHERE}', 78)"));
    assert_eq!(&*scene.accept4().1.unwrap().agent, "outer");
    said(child);
}

#[test]
fn a_failed_connect_does_not_open_the_listener() {
    kernel_or_skip!();
    let scene = Scene::new();
    let agent = scene.agent("planner");
    let port = scene.port4();
    // The hook redirects, then the kernel finds no free source port and gives up before the SYN. What follows on the
    // same socket and thread counts as the call that failed and has its origin; another thread is refused.
    let script = format!(
        "def one_port():\n\
         \ts = socket(); s.settimeout(20); s.setsockopt(IPPROTO_IP, 51, struct.pack('I', 45678 | 45678 << 16)); return s\n\
         first, second = one_port(), one_port()\n\
         first.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack('ii', 1, 0))\n\
         first.connect(('{NOWHERE}', 1))\n\
         seen = [tried(lambda: second.connect(('{NOWHERE}', 2)))]\n\
         first.close()\n\
         direct = lambda: seen.append(tried(lambda: second.connect(('127.0.0.1', {port}))))\n\
         thread = threading.Thread(target=direct); thread.start(); thread.join()\n\
         direct(); seen.append(second.getpeername())\n\
         say(seen)"
    );
    assert_eq!(run(Some(&agent), &script), json!(["EADDRNOTAVAIL", "EPERM", "ok", [NOWHERE, 2]]));
    assert_eq!(scene.accept4().1.unwrap().destination.port(), 1);
    assert_eq!(scene.accept4().1.unwrap().destination.port(), 2);
}

#[test]
fn two_host_agents_do_not_disturb_each_other() {
    kernel_or_skip!();
    let (one, two) = (Scene::new(), Scene::new());
    let (first, second) = (one.agent("first"), two.agent("second"));
    let script = format!("say(tcp('{NOWHERE}', 80).getpeername())");
    for (scene, cgroup, name) in [(&one, &first, "first"), (&two, &second, "second"), (&one, &first, "first")]
    {
        let child = client(Some(cgroup), &script);
        let (_, origin) = scene.accept4();
        assert_eq!(&*origin.unwrap().agent, name);
        assert_eq!(said(child), [json!([NOWHERE, 80])]);
    }
    assert!(one.nothing_arrived() && two.nothing_arrived());
    drop(two);
    let child = client(Some(&first), &script);
    assert_eq!(&*one.accept4().1.unwrap().agent, "first");
    said(child);
}

/// A cgroup that an agent makes may be named so that it is governed as another one: that one's servers stay out of its reach.
#[test]
fn an_agent_inside_another_shares_nothing_with_its_namesakes() {
    kernel_or_skip!();
    let scene = Scene::new();
    let (planner, executor) = (scene.agent("planner"), scene.agent("executor"));
    let inside = planner.child("executor-x").unwrap();
    inside.create().unwrap();
    scene.kernel().govern(&inside, "executor").unwrap();
    let mut server = client(
        Some(&executor),
        "s = create_server(('127.0.0.1', 0)); say(s.getsockname()[1]); sys.stdin.readline()",
    );
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(server.stdout.as_mut().unwrap()), &mut line)
        .unwrap();
    let script = format!("say(tried(lambda: tcp('127.0.0.1', {})))", line.trim());
    assert_eq!(run(Some(&executor), &script), "ok");
    assert_eq!(scene.count("local"), 1, "control: its own");
    assert_eq!(run(Some(&inside), &script), "ok");
    assert_eq!(
        (scene.count("local"), &*scene.accept4().1.unwrap().agent),
        (1, "executor"),
        "by way of the decision"
    );
    // Nor when the outer one is named later.
    let later = scene.cgroup("later");
    let below = later.child("below").unwrap();
    below.create().unwrap();
    scene.kernel().govern(&below, "executor").unwrap();
    assert_eq!(run(Some(&below), &script), "ok");
    assert_eq!(scene.count("local"), 2);
    scene.kernel().govern(&later, "planner").unwrap();
    assert_eq!(run(Some(&below), &script), "ok");
    assert_eq!(scene.count("local"), 2);
    assert!(scene.accept4().1.is_ok());
    scene.kernel().release(later.id().unwrap()).unwrap();
    assert_eq!(run(Some(&below), &script), "ok");
    assert_eq!(scene.count("local"), 3, "and free of it again");
    drop(server.stdin.take());
    server.wait().unwrap();
}
