//! Lookups that are answered: whose each is, whoever had its address and port before.
use super::scene::{Scene, client, kernel_or_skip, run, said};
use interlock::intercept::{Lookups, Origin, OriginError, netns_cookie};
use serde_json::json;
use std::{net::SocketAddr, os::fd::AsFd};

fn scene() -> Scene {
    let mut scene = Scene::with(|options| options.dns = Lookups::Answered);
    scene.take_lookups();
    scene
}

/// The next datagram of the IPv4 socket: what it says, and whose it is.
fn next(scene: &Scene) -> (String, SocketAddr, Result<Origin, OriginError>) {
    let socket = &scene.lookups[0];
    let mut bytes = [0; 256];
    let (length, from) = socket.recv_from(&mut bytes).unwrap();
    let netns = netns_cookie(socket.as_fd()).unwrap();
    let origin = scene.kernel().asker(netns, from, socket.local_addr().unwrap());
    (String::from_utf8_lossy(&bytes[..length]).into_owned(), from, origin)
}

#[test]
fn a_datagram_says_who_sent_it_and_to_which_server() {
    kernel_or_skip!();
    let scene = scene();
    let agent = scene.agent("planner");
    let script = "s = socket(AF_INET, SOCK_DGRAM); s.connect(('127.53.1.1', 53)); s.send(b'a')\n\
        t = socket(AF_INET, SOCK_DGRAM); t.sendto(b'b', ('127.53.1.2', 53)); t.sendto(b'c', ('127.53.1.3', 53))\n\
        say([os.getpid(), s.getpeername(), os.getuid()])";
    let told = run(Some(&agent), script);
    assert_eq!(told[1], json!(["127.53.1.1", 53]));
    for (text, server) in [("a", "127.53.1.1:53"), ("b", "127.53.1.3:53"), ("c", "127.53.1.3:53")] {
        let (said, _, origin) = next(&scene);
        let origin = origin.unwrap();
        assert_eq!(said, text);
        // Of a socket that is not connected, the last server is known.
        assert_eq!((origin.destination.to_string(), &*origin.agent), (server.to_owned(), "planner"));
        assert_eq!((json!(origin.pid), json!(origin.uid)), (told[0].clone(), told[2].clone()));
    }
    assert_eq!(scene.count("dns_answered"), 3);
}

#[test]
fn nobody_who_is_not_governed_is_answered_for() {
    kernel_or_skip!();
    let scene = scene();
    scene.agent("planner");
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.send_to(b"x", scene.lookups[0].local_addr().unwrap()).unwrap();
    assert!(matches!(next(&scene).2, Err(OriginError::NotRedirected)));
}

#[test]
fn the_port_is_for_lookups_alone() {
    kernel_or_skip!();
    let scene = scene();
    let agent = scene.agent("planner");
    let port = scene.port4();
    let script = format!(
        "def direct(): socket(AF_INET, SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))\n\
         def connected(): s = socket(AF_INET, SOCK_DGRAM); s.connect(('127.0.0.1', {port})); s.send(b'x')\n\
         def any(): socket(AF_INET, SOCK_DGRAM).sendto(b'x', ('0.0.0.0', {port}))\n\
         say([tried(direct), tried(connected), tried(any)])"
    );
    assert_eq!(run(Some(&agent), &script), json!(["EPERM", "EPERM", "EPERM"]));
    assert_eq!(scene.count("denied_datagram"), 3);
}

/// A socket closes with its lookup still waiting, and another agent's gets its port: that one has to wait, so that neither is
/// taken for the other.
#[test]
fn an_end_that_has_changed_hands_is_nobodys_until_its_last_lookup_is_taken() {
    kernel_or_skip!();
    let scene = scene();
    let (planner, executor) = (scene.agent("planner"), scene.agent("executor"));
    let send = |text: &str, port: u16| {
        format!(
            "s = socket(AF_INET, SOCK_DGRAM); s.bind(('127.0.0.1', {port})); s.connect(('127.53.1.1', 53))\n\
             say([tried(lambda: s.send(b'{text}')), s.getsockname()[1]])"
        )
    };
    let first = run(Some(&planner), &send("first", 0));
    let port = u16::try_from(first[1].as_u64().unwrap()).unwrap();
    assert_eq!(first[0], "ok");
    assert_eq!(run(Some(&executor), &send("early", port))[0], "EPERM");
    assert_eq!(scene.count("denied_dns_busy"), 1);
    let (said, from, origin) = next(&scene);
    assert_eq!((said.as_str(), from.port(), &*origin.unwrap().agent), ("first", port, "planner"));
    assert_eq!(run(Some(&executor), &send("late", port))[0], "ok");
    let (said, from, origin) = next(&scene);
    assert_eq!((said.as_str(), from.port(), &*origin.unwrap().agent), ("late", port, "executor"));
}

/// Every governed cgroup above a sender has the hooks, and one datagram passes them all.
#[test]
fn a_lookup_from_inside_several_governed_cgroups_is_one() {
    kernel_or_skip!();
    let scene = scene();
    let outer = scene.agent("planner");
    let middle = outer.child("middle").unwrap();
    let inner = middle.child("inner").unwrap();
    for cgroup in [&middle, &inner] {
        cgroup.create().unwrap();
        scene.kernel().govern(cgroup, "planner").unwrap();
    }
    let send = |text: &str, port: u16| {
        format!(
            "s = socket(AF_INET, SOCK_DGRAM); s.bind(('127.0.0.1', {port})); s.connect(('127.53.1.1', 53))\n\
             say([tried(lambda: s.send(b'{text}')), s.getsockname()[1]])"
        )
    };
    let port = u16::try_from(run(Some(&inner), &send("one", 0))[1].as_u64().unwrap()).unwrap();
    assert_eq!(&*next(&scene).2.unwrap().agent, "planner");
    // Its end is free at once.
    for cgroup in [&inner, &middle, &outer] {
        assert_eq!(run(Some(cgroup), &send("two", port))[0], "ok");
        assert!(next(&scene).2.is_ok());
    }
    assert_eq!(scene.count("denied_dns_busy"), 0);
    // And nobody else is taken for its last sender.
    let stranger = std::net::UdpSocket::bind(("127.0.0.1", port)).unwrap();
    stranger.send_to(b"x", scene.lookups[0].local_addr().unwrap()).unwrap();
    assert!(matches!(next(&scene).2, Err(OriginError::NotRedirected)));
}

/// Sockets of two agents over few ports, that come and go as fast as they can.
#[test]
fn of_many_lookups_none_is_taken_for_anothers() {
    kernel_or_skip!();
    let scene = scene();
    let agents = [scene.agent("planner"), scene.agent("executor")];
    let script = "
sent = 0
for n in range(1000):
    s = socket(AF_INET, SOCK_DGRAM)
    s.setsockopt(IPPROTO_IP, 51, struct.pack('I', FIRST | (FIRST + 63) << 16))
    try: s.connect(('127.53.%d.%d' % (n % 250, 1 + n // 250), 53))
    except OSError as e:
        if e.errno != errno.EAGAIN: raise
        continue
    text = ('%d %s 127.53.%d.%d:53' % (os.getpid(), NAME, n % 250, 1 + n // 250)).encode()
    for twice in range(2):
        try: s.send(text); sent += 1
        except PermissionError: pass
    s.close()
say(sent)
";
    let first = 20_000 + u32::from(scene.port4()) % 10_000;
    let mut children = Vec::new();
    for (agent, name) in agents.iter().zip(["planner", "executor"]) {
        let head = format!("FIRST, NAME = {first}, '{name}'\n");
        children.push(client(Some(agent), &(head + script)));
    }
    let socket = &scene.lookups[0];
    let (mut taken, mut lost) = (0_u64, 0_u64);
    std::thread::scope(|threads| {
        let ended = threads.spawn(|| {
            let sent: u64 = children.into_iter().map(|child| said(child)[0].as_u64().unwrap()).sum();
            // Loopback delivers before `send` returns: the end is behind all of them.
            std::net::UdpSocket::bind("127.0.0.1:0")
                .unwrap()
                .send_to(b"end", socket.local_addr().unwrap())
                .unwrap();
            sent
        });
        loop {
            let (said, _, origin) = next(&scene);
            if said == "end" {
                break;
            }
            match origin {
                Ok(origin) => {
                    let known = format!("{} {} {}", origin.pid, origin.agent, origin.destination);
                    assert_eq!(known, said);
                    taken += 1;
                }
                Err(_) => lost += 1,
            }
        }
        let sent = ended.join().unwrap();
        assert!(taken + lost <= sent && taken > 1_000, "{taken} taken, {lost} lost, {sent} sent");
        assert_eq!(lost, 0, "each has its sender");
    });
}
