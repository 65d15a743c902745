//! The second layer, where the kernel has it: `cargo xtask vm` runs these on one that does.
//!
//! The processes here are not started by `interlock exec`, so no system call filter is in the way.
use crate::kernel::scene::{Scene, can_run, client, run, said};
use interlock::cgroup::CgroupPath;
use serde_json::json;
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::{
        fd::AsRawFd,
        unix::net::{UnixListener, UnixStream},
    },
    path::PathBuf,
};

/// A scene on a kernel with the layer; says loudly if there is none.
fn scene(test: &str) -> Option<Scene> {
    if !can_run(test) {
        return None;
    }
    let scene = Scene::hooked();
    match &scene.kernel().security().missing {
        None => Some(scene),
        Some(why) => {
            assert!(!must_have(), "{why}");
            eprintln!("SKIPPED {test} on this kernel: {why}");
            None
        }
    }
}

macro_rules! scene_or_skip {
    () => {
        match scene(module_path!()) {
            Some(scene) => scene,
            None => return,
        }
    };
}

/// Set by `cargo xtask vm`: there, skipping would hide that the layer does not load.
fn must_have() -> bool {
    std::env::var_os("INTERLOCK_SECURITY_HOOKS").is_some()
}

#[test]
fn families_are_a_list_of_what_may_be() {
    let scene = scene_or_skip!();
    let agent = scene.agent("planner");
    let script = "say([tried(lambda: socket(f, t, p)) for f, t, p in (\n\
        (17, SOCK_RAW, 3), (17, SOCK_DGRAM, 3), (2, 10, 3), (44, SOCK_RAW, 0), (16, SOCK_RAW, 4), (16, SOCK_RAW, 6),\n\
        (16, SOCK_RAW, 0), (1, SOCK_STREAM, 0), (2, SOCK_STREAM, 0), (10, SOCK_DGRAM, 0))])";
    assert_eq!(run(None, script), json!(vec!["ok"; 10]), "control");
    let expected: Vec<&str> = [vec!["EAFNOSUPPORT"; 4], vec!["EPROTONOSUPPORT"; 2], vec!["ok"; 4]].concat();
    assert_eq!(run(Some(&agent), script), json!(expected));
    assert_eq!(scene.count("denied_family"), 6);
}

/// A folder for sockets that everybody may use, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(scene: &Scene) -> Self {
        let name = scene.options.paths.bpffs.file_name().unwrap().to_owned();
        let path = PathBuf::from("/tmp").join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Connects to a Unix socket by its path, or sends it a datagram.
fn unix(path: &str, how: &str) -> String {
    match how {
        "stream" => format!("say(tried(lambda: socket(AF_UNIX).connect('{path}')))"),
        _ => format!("say(tried(lambda: socket(AF_UNIX, SOCK_DGRAM).sendto(b'x', '{path}')))"),
    }
}

#[test]
fn unix_sockets_of_others_are_closed_unless_allowed() {
    let scene = scene_or_skip!();
    let (planner, executor) = (scene.agent("planner"), scene.agent("executor"));
    let folder = Folder::new(&scene);
    let path = folder.0.join("docker.sock").display().to_string();
    let _host = UnixListener::bind(&path).unwrap();
    let link = folder.0.join("link").display().to_string();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let datagrams = folder.0.join("log").display().to_string();
    let _log = std::os::unix::net::UnixDatagram::bind(&datagrams).unwrap();
    for (path, how) in [(&path, "stream"), (&link, "stream"), (&datagrams, "datagram")] {
        assert_eq!(run(None, &unix(path, how)), "ok", "control");
        scene.refused();
        assert_eq!(run(Some(&planner), &unix(path, how)), "EPERM", "{path}");
        let refused = scene.refused();
        let server = if how == "stream" { "/docker.sock" } else { "/log" };
        assert!(refused.iter().any(|it| it.name.ends_with(server)), "the server's own name: {refused:?}");
    }
    assert_eq!(scene.count("denied_unix_socket"), 3);
    scene.kernel().allow_unix_sockets([("planner", path.as_str())].into_iter()).unwrap();
    assert_eq!(run(Some(&planner), &unix(&link, "stream")), "ok", "allowed by the server's name");
    assert_eq!(run(Some(&executor), &unix(&path, "stream")), "EPERM", "to that agent only");
    assert_eq!(run(Some(&planner), &unix(&datagrams, "datagram")), "EPERM");
    scene.kernel().allow_unix_sockets(std::iter::empty()).unwrap();
    assert_eq!(run(Some(&planner), &unix(&path, "stream")), "EPERM", "not any more");
}

#[test]
fn an_agents_own_unix_sockets_are_open_to_it_alone() {
    let scene = scene_or_skip!();
    let (planner, executor) = (scene.agent("planner"), scene.agent("executor"));
    let second = scene.cgroup("second");
    scene.kernel().govern(&second, "planner").unwrap();
    let folder = Folder::new(&scene);
    for name in [folder.0.join("own").display().to_string(), "\\0interlock-own".to_owned()] {
        let script =
            format!("s = socket(AF_UNIX); s.bind('{name}'); s.listen(); say('ready'); sys.stdin.readline()");
        let mut server = client(Some(&planner), &script);
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "\"ready\"");
        let tries = |who: &CgroupPath| run(Some(who), &unix(&name, "stream"));
        assert_eq!([tries(&planner), tries(&second), tries(&executor)], ["ok", "ok", "EPERM"], "{name}");
        server.stdin.take().unwrap().write_all(b"\n").unwrap();
        server.wait().unwrap();
    }
    let pair = "a, b = socketpair(AF_UNIX, SOCK_DGRAM); a.send(b'x'); say(b.recv(1).decode())";
    assert_eq!(run(Some(&planner), pair), "x");
}

#[test]
fn a_descriptor_of_somebody_elses_connection_is_not_received() {
    let scene = scene_or_skip!();
    let agent = scene.agent("planner");
    let folder = Folder::new(&scene);
    let path = folder.0.join("helper").display().to_string();
    scene.kernel().allow_unix_sockets([("planner", path.as_str())].into_iter()).unwrap();
    let helper = UnixListener::bind(&path).unwrap();
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let script = format!(
        "u = socket(AF_UNIX); u.connect('{path}')\n\
         data, got, flags, _ = u.recvmsg(1, 64); say([len(got), bool(flags & MSG_CTRUNC)])"
    );
    for (cgroup, expected) in [(None, json!([1, false])), (Some(&agent), json!([0, true]))] {
        let child = client(cgroup, &script);
        let connection = TcpStream::connect(service.local_addr().unwrap()).unwrap();
        give(&helper.accept().unwrap().0, &connection);
        assert_eq!(said(child), [expected]);
    }
    assert_eq!(scene.count("denied_descriptor"), 1);
}

#[test]
fn what_holds_the_boundary_is_not_taken_away_and_nobody_starts_elsewhere() {
    let scene = scene_or_skip!();
    let agent = scene.agent("planner");
    let pins = scene.options.paths.bpffs.clone();
    let folder = Folder::new(&scene);
    let script = format!(
        "import ctypes\n\
         libc = ctypes.CDLL(None, use_errno=True)\n\
         def called(*a): return 'ok' if libc.syscall(*a) >= 0 else errno.errorcode[ctypes.get_errno()]\n\
         links = '{0}/cgroups/{1}'\n\
         fd = os.open('{2}', os.O_RDONLY | os.O_DIRECTORY)\n\
         args = struct.pack('11Q', 1 << 33, 0, 0, 0, 17, 0, 0, 0, 0, 0, fd)\n\
         def cloned():\n\
         \x20   got = libc.syscall(435, args, len(args))\n\
         \x20   if got == 0: os._exit(0)\n\
         \x20   return 'ok' if got > 0 else errno.errorcode[ctypes.get_errno()]\n\
         say([tried(lambda: os.unlink('{0}/security/bpf')), tried(lambda: os.unlink(links + '/egress')),\n\
         tried(lambda: os.rename(links, links + 'x')), called(165, b'none', b'{3}', b'tmpfs', 0, 0), cloned()])",
        pins.display(),
        agent.id().unwrap(),
        scene.base.directory().display(),
        folder.0.display()
    );
    assert_eq!(run(Some(&agent), &script), json!(vec!["EPERM"; 5]));
    assert!(pins.join("security/bpf").exists() && scene.count("denied_mount") == 1);
    // Last: the control takes the pins away, but for the agent's own, which the scene needs.
    let control =
        script.replace("links + '/egress'", "'/nowhere'").replace("os.rename(links, links + 'x')", "None");
    assert_eq!(run(None, &control), json!(["ok", "ENOENT", "ok", "ok", "ok"]));
    nix::mount::umount(&folder.0).unwrap();
}

#[test]
fn cgroups_below_belong_together() {
    let scene = scene_or_skip!();
    let agent = scene.agent("planner");
    let [one, two] = ["one", "two"].map(|name| {
        let below = agent.child(name).unwrap();
        below.create().unwrap();
        below
    });
    let name = format!("interlock-below-{}", scene.port4());
    let giver = format!(
        "import array\n\
         u = socket(AF_UNIX); u.bind('\\0{name}'); u.listen(); say(os.getpid()); c = u.accept()[0]; s = socket()\n\
         c.sendmsg([b'x'], [(SOL_SOCKET, SCM_RIGHTS, array.array('i', [s.fileno()]))]); sys.stdin.readline()"
    );
    let mut server = client(Some(&one), &giver);
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let pid = lines.next().unwrap().unwrap();
    let taker = format!(
        "import ctypes\n\
         u = socket(AF_UNIX); u.connect('\\0{name}'); got = len(u.recvmsg(1, 64)[1])\n\
         say([got, ctypes.CDLL(None, use_errno=True).syscall(101, 0x4206, {pid}, 0, 0)])"
    );
    assert_eq!(run(Some(&two), &taker), json!([1, 0]), "a descriptor is received, a sibling is traced");
    server.stdin.take().unwrap().write_all(b"\n").unwrap();
    server.wait().unwrap();
}

fn give(to: &UnixStream, connection: &TcpStream) {
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    let descriptors = [connection.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let data = [std::io::IoSlice::new(b"x")];
    sendmsg::<()>(to.as_raw_fd(), &data, &rights, MsgFlags::empty(), None).unwrap();
}

#[test]
fn the_cgroup_is_not_left() {
    let scene = scene_or_skip!();
    let agent = scene.agent("planner");
    let outside = scene.cgroup("outside");
    let move_to = |cgroup: &CgroupPath| {
        let file = cgroup.directory().join("cgroup.procs").display().to_string();
        format!("say(tried(lambda: open('{file}', 'w').write(str(os.getpid()))))")
    };
    assert_eq!(run(None, &move_to(&outside)), "ok", "control");
    assert_eq!(run(Some(&agent), &move_to(&outside)), "EPERM");
    assert_eq!(scene.count("denied_cgroup_file"), 1);
    let below = agent.child("below").unwrap();
    below.create().unwrap();
    assert_eq!(run(Some(&agent), &move_to(&below)), "ok", "further down, it stays governed");
}

#[test]
fn other_processes_and_the_kernels_programs_are_left_alone() {
    let scene = scene_or_skip!();
    let agent = scene.agent("planner");
    let mut victim = client(None, "say('ready'); sys.stdin.readline()");
    // PTRACE_SEIZE; and BPF_MAP_CREATE of an array.
    let script = |pid: u32| {
        format!(
            "import ctypes\n\
             libc = ctypes.CDLL(None, use_errno=True)\n\
             def called(*a): return 'ok' if libc.syscall(*a) >= 0 else errno.errorcode[ctypes.get_errno()]\n\
             own = os.fork() or __import__('signal').pause()\n\
             attr = struct.pack('IIIII', 2, 4, 4, 1, 0)\n\
             answers = [called(101, 0x4206, {pid}, 0, 0), called(101, 0x4206, own, 0, 0), called(321, 0, attr, len(attr)),\n\
             called(272, 0x10000000)]\n\
             os.kill(own, 9); say(answers)"
        )
    };
    let script = script(victim.id());
    assert_eq!(run(None, &script), json!(["ok", "ok", "ok", "ok"]), "control");
    assert_eq!(run(Some(&agent), &script), json!(["EPERM", "ok", "EPERM", "EPERM"]));
    let counts = ["denied_trace", "denied_bpf", "denied_user_namespace"].map(|name| scene.count(name));
    assert!(counts.iter().all(|count| *count >= 1), "{counts:?}");
    victim.kill().unwrap();
    victim.wait().unwrap();
}

#[test]
fn it_stays_without_a_host_agent_and_with_the_next_one() {
    let mut scene = scene_or_skip!();
    let agent = scene.agent("planner");
    let script = "say(tried(lambda: socket(17, SOCK_RAW, 3)))";
    for _ in 0..2 {
        drop(scene.kernel.take());
        assert_eq!(run(Some(&agent), script), "EAFNOSUPPORT", "without a host agent");
        scene.kernel = Some(interlock::intercept::Kernel::open(scene.options.clone()).unwrap());
        assert_eq!(run(Some(&agent), script), "EAFNOSUPPORT", "with the next one");
    }
    let pins = std::fs::read_dir(scene.options.paths.bpffs.join("security")).unwrap().count();
    assert_eq!(pins, 16);
}
