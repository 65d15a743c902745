//! Many connections at once, over few source ports: none may get another's origin.
use super::scene::{Scene, client, is_emulated, kernel_or_skip, said};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{Backlog, listen},
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::fd::AsFd,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// Threads that connect to ever other destinations from the same 64 source ports, by IPv4 and as IPv4 in IPv6, and reset each
/// connection so that its port is free at once; some give up before the connection is made. Each says on the wire where it
/// wanted to go.
const CROWD: &str = "
THREADS = 6
done = []
def work(thread):
    for n in range(PER_THREAD):
        host, port = '127.%d.%d.%d' % (64 + thread, n % 250, 1 + n // 250), 1000 + n
        mapped = n % 7 == 3
        s = socket(AF_INET6 if mapped else AF_INET); s.settimeout(20)
        to = ('::ffff:' + host if mapped else host, port)
        s.setsockopt(IPPROTO_IP, 51, struct.pack('I', FIRST | (FIRST + 63) << 16))
        s.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack('ii', 1, 0))
        if n % 5 == 4:
            s.setblocking(False); s.connect_ex(to); s.close(); continue
        while True:
            try: s.connect(to); break
            except OSError as e:
                if e.errno not in (errno.EADDRNOTAVAIL, errno.EADDRINUSE): raise
        s.sendall(('%s:%d %d %s\\n' % (host, port, os.getpid(), NAME)).encode())
        assert s.recv(1) == b'.', 'misattributed'
        assert s.getpeername()[:2] == to
        s.close(); done.append(1)
threads = [threading.Thread(target=work, args=(i,)) for i in range(THREADS)]
[t.start() for t in threads]; [t.join() for t in threads]
say([PER_THREAD * THREADS * 4 // 5, len(done)])
";

/// Compares what a client says with its origin. Connections that were given up say nothing.
fn check(scene: &Scene, mut stream: TcpStream) -> Result<bool, String> {
    let origin = scene.kernel().origin(stream.as_fd());
    let mut said = Vec::new();
    let mut byte = [0];
    while let Ok(1) = stream.read(&mut byte) {
        if byte[0] == b'\n' {
            let origin = origin.map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&said)))?;
            let expected = format!("{} {} {}", origin.destination, origin.pid, origin.agent);
            if expected.as_bytes() != said {
                return Err(format!("{expected} != {}", String::from_utf8_lossy(&said)));
            }
            stream.write_all(b".").map_err(|error| error.to_string())?;
            return Ok(true);
        }
        said.push(byte[0]);
    }
    Ok(false)
}

#[test]
fn a_full_table_costs_the_origin_and_an_abandoned_connect_frees_its_place() {
    kernel_or_skip!();
    let scene = Scene::with(|options| options.flows_max = 1);
    let agent = scene.agent("planner");
    // One connection waits to be accepted, and there is no room for more: the listener answers no further SYN, so that
    // the origins of further connections stay in the table.
    listen(&scene.v4, Backlog::new(0).unwrap()).unwrap();
    let mut child = client(
        Some(&agent),
        "def begin(port):\n\
         \ts = socket(); s.setblocking(False); s.connect_ex(('127.1.1.1', port)); return s\n\
         def command(): return sys.stdin.readline()\n\
         waiting = tcp('127.1.1.1', 1)\n\
         first = begin(2)\n\
         second = begin(3); say('begun'); command()\n\
         first.close()\n\
         third = begin(4); say('begun')\n\
         for s in (second, third): s.settimeout(20); s.sendall(b'x')\n\
         command()",
    );
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut commands = child.stdin.take().unwrap();
    lines.next().unwrap().unwrap();
    assert_eq!(scene.count("denied_flows_full"), 1, "the second found no room");
    let told: Vec<_> =
        scene.refused().iter().map(|it| (it.agent.as_deref() == Some("planner"), it.port)).collect();
    assert_eq!(told, [(true, 3)], "and is told for its row");
    commands.write_all(b"\n").unwrap();
    lines.next().unwrap().unwrap();
    assert_eq!(scene.count("denied_flows_full"), 1, "the third took the first's place");
    assert_eq!(scene.accept4().1.unwrap().destination.port(), 1);
    // Retransmitted packets bring the others one by one, in any order.
    let mut arrived =
        [scene.accept4().1, scene.accept4().1].map(|origin| origin.map(|it| it.destination.port()).ok());
    arrived.sort_unstable();
    assert_eq!(arrived, [None, Some(4)], "the second without an origin");
    commands.write_all(b"\n").unwrap();
    child.wait().unwrap();
}

#[test]
fn nobody_gets_anothers_origin() {
    kernel_or_skip!();
    let scene = Scene::new();
    // 12,600 connections, of which a fifth is given up; fewer where the processor is emulated.
    let per_thread = if is_emulated() { 150 } else { 1_050 };
    // The same range of ports for both on purpose.
    let clients = ["left", "right"].map(|name| {
        let head = format!("FIRST, NAME, PER_THREAD = 40000, '{name}', {per_thread}\n");
        client(Some(&scene.agent(name)), &(head + CROWD))
    });
    let stop = AtomicBool::new(false);
    let (checked, wrong) = std::thread::scope(|threads| {
        let server = threads.spawn(|| {
            let (mut checked, mut wrong) = (0, Vec::new());
            std::thread::scope(|handlers| {
                let mut running = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let mut fds = [PollFd::new(scene.v4.as_fd(), PollFlags::POLLIN)];
                    if poll(&mut fds, PollTimeout::try_from(Duration::from_millis(50)).unwrap()).unwrap() > 0
                    {
                        let stream = scene.v4.accept().unwrap().0;
                        stream.set_read_timeout(Some(super::scene::PATIENCE)).unwrap();
                        running.push(handlers.spawn(|| check(&scene, stream)));
                    }
                }
                for handler in running {
                    match handler.join().unwrap() {
                        Ok(said) => checked += usize::from(said),
                        Err(error) => wrong.push(error),
                    }
                }
            });
            (checked, wrong)
        });
        let results = clients.map(|child| child.wait_with_output().unwrap());
        stop.store(true, Ordering::Relaxed);
        for result in results {
            assert!(result.status.success());
            let counts: [usize; 2] = serde_json::from_slice(&result.stdout).unwrap();
            assert_eq!(counts[0], counts[1]);
        }
        server.join().unwrap()
    });
    assert_eq!(wrong, [""; 0]);
    assert_eq!(checked, 2 * 6 * per_thread * 4 / 5);
    assert_eq!(scene.count("denied_flows_full"), 0);
    let child = client(Some(&scene.agent("after")), "tcp('127.1.1.1', 1)");
    assert_eq!(&*scene.accept4().1.unwrap().agent, "after");
    said(child);
}
