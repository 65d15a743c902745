//! Tagging, untagging, restart, and what is left when something goes.
use super::scene::{NOWHERE, Scene, client, kernel_or_skip, run, said};
use interlock::{
    cgroup::{CgroupId, Hierarchy},
    intercept::{Kernel, KernelError},
};
use serde_json::json;
use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::{fd::AsFd, unix::fs::PermissionsExt},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

#[test]
fn untag_restores() {
    kernel_or_skip!();
    let scene = Scene::new();
    let agent = scene.agent("planner");
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let script = format!("say(tried(lambda: tcp('127.0.0.1', {})))", service.local_addr().unwrap().port());
    assert_eq!(run(Some(&agent), &script), "ok");
    assert!(scene.accept4().1.is_ok());
    scene.kernel().release(agent.id().unwrap()).unwrap();
    assert_eq!(scene.kernel().governed().unwrap(), []);
    assert_eq!(run(Some(&agent), &script), "ok");
    super::scene::accept(&service).expect("the service is reached");
    assert!(scene.nothing_arrived());
    assert_eq!(
        std::fs::read_dir(scene.options.paths.bpffs.join("cgroups")).unwrap().count(),
        0,
        "no pins left"
    );
    let again = scene.kernel().release(agent.id().unwrap());
    assert!(matches!(again, Err(KernelError::NotGoverned(_))));
}

#[test]
fn a_restart_adopts_what_is_governed() {
    kernel_or_skip!();
    let mut scene = Scene::new();
    let agent = scene.agent("planner");
    // A client that stays connected over the restart.
    let mut old = client(
        Some(&agent),
        &format!("s = tcp('{NOWHERE}', 5); say(s.getpeername()); sys.stdin.readline(); say(s.getpeername())"),
    );
    let (_held, origin) = scene.accept4();
    let before = origin.unwrap();
    let mut lines = BufReader::new(old.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), json!([NOWHERE, 5]).to_string());

    drop(scene.kernel.take());
    let attempt = format!("say(tried(lambda: tcp('{NOWHERE}', 6)))");
    assert_eq!(run(Some(&agent), &attempt), "EPERM", "refused while there is no host agent");
    assert_eq!(run(None, &attempt), "ECONNREFUSED", "others are untouched");

    scene.kernel = Some(Kernel::open(scene.options.clone()).unwrap());
    let governed = scene.kernel().governed().unwrap();
    assert_eq!(governed.len(), 1);
    assert_eq!(governed[0].path, Some(agent.name()));
    assert_eq!(&*governed[0].agent, "planner");
    assert_eq!(run(Some(&agent), &attempt), "EPERM", "refused until a listener is published");
    scene.v4 = TcpListener::bind("127.0.0.1:0").unwrap();
    scene.publish();
    assert_eq!(run(Some(&agent), &attempt), "ok");
    let after = scene.accept4().1.unwrap();
    assert_eq!((&after.agent, after.cgroup_id), (&before.agent, before.cgroup_id));
    assert_eq!(after.destination.port(), 6);

    old.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert_eq!(
        lines.next().unwrap().unwrap(),
        json!([NOWHERE, 5]).to_string(),
        "getpeername of the old connection"
    );
    old.wait().unwrap();
}

/// Ends a thread that accepts connections, also when a test fails.
struct Ends<'a>(&'a AtomicBool, SocketAddr);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
        // Wakes the thread, if it waits.
        drop(TcpStream::connect(self.1));
    }
}

#[test]
fn programs_are_replaced_under_load_without_a_gap() {
    kernel_or_skip!();
    let mut scene = Scene::new();
    let agent = scene.agent("planner");
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = service.local_addr().unwrap().port();
    let mut child = client(
        Some(&agent),
        &format!(
            "stop = []\n\
             t = threading.Thread(target=lambda: (sys.stdin.readline(), stop.append(1))); t.start()\n\
             seen = set()\n\
             while not stop: seen.add(tried(lambda: tcp('127.0.0.1', {port})))\n\
             say(sorted(seen))"
        ),
    );
    let listener = scene.v4.try_clone().unwrap();
    let (arrived, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let ends = Ends(&over, listener.local_addr().unwrap());
    let seen = std::thread::scope(|threads| {
        let _ends = ends;
        // All the time, and to the client's end: connections that nobody accepts would fill the listener's queue.
        threads.spawn(|| {
            while !over.load(Relaxed) {
                if listener.accept().is_ok() {
                    arrived.fetch_add(1, Relaxed);
                }
            }
        });
        for _ in 0..5 {
            drop(scene.kernel.take());
            scene.kernel = Some(Kernel::open(scene.options.clone()).unwrap());
            scene.publish();
            let before = arrived.load(Relaxed);
            super::scene::wait_until("a connection in between", || arrived.load(Relaxed) > before);
        }
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        said(child).remove(0)
    });
    assert!(seen == json!(["EPERM", "ok"]) || seen == json!(["ok"]), "{seen}");
    service.set_nonblocking(true).unwrap();
    assert!(service.accept().is_err(), "not one connection went to the service itself");
}

#[test]
fn a_cgroup_that_is_gone_is_forgotten() {
    kernel_or_skip!();
    let mut scene = Scene::new();
    let (first, second) = (scene.agent("first"), scene.agent("second"));
    first.remove().unwrap();
    assert_eq!(scene.kernel().governed().unwrap().iter().filter(|found| found.path.is_none()).count(), 1);
    let mut gone = Vec::new();
    // The kernel lets go of it some time after the last socket.
    super::scene::wait_until("it is forgotten", || {
        gone.extend(scene.kernel().sweep().unwrap());
        !gone.is_empty()
    });
    assert_eq!((gone.len(), &*gone[0].agent), (1, "first"));
    second.remove().unwrap();
    drop(scene.kernel.take());
    scene.kernel = Some(Kernel::open(scene.options.clone()).unwrap());
    super::scene::wait_until("a restart forgets it too", || {
        scene.kernel().sweep().unwrap();
        scene.kernel().governed().unwrap().is_empty()
    });
    assert_eq!(std::fs::read_dir(scene.options.paths.bpffs.join("cgroups")).unwrap().count(), 0);
    // A cgroup of the same name is another cgroup.
    first.create().unwrap();
    assert_eq!(run(Some(&first), &format!("say(tried(lambda: tcp('{NOWHERE}', 1)))")), "ECONNREFUSED");
}

#[test]
fn half_done_work_is_undone_or_finished_at_the_next_start() {
    kernel_or_skip!();
    let mut scene = Scene::new();
    let (kept, lost) = (scene.agent("kept"), scene.agent("lost"));
    let links = |id: CgroupId| scene.options.paths.bpffs.join("cgroups").join(id.to_string());
    let (kept_links, lost_links) = (links(kept.id().unwrap()), links(lost.id().unwrap()));
    // As if the host agent had died while it tagged (hooks without an entry) and while it attached (a hook missing).
    scene.kernel().release(lost.id().unwrap()).unwrap();
    std::fs::create_dir(&lost_links).unwrap();
    std::fs::remove_file(kept_links.join("connect4")).unwrap();
    drop(scene.kernel.take());
    scene.kernel = Some(Kernel::open(scene.options.clone()).unwrap());
    scene.publish();
    assert!(!lost_links.exists());
    let script = format!("say(tried(lambda: tcp('{NOWHERE}', 1)))");
    assert_eq!(run(Some(&kept), &script), "ok");
    assert_eq!(&*scene.accept4().1.unwrap().agent, "kept");
    assert_eq!(run(Some(&lost), &script), "ECONNREFUSED");
}

#[test]
fn a_connection_made_under_an_earlier_name_is_refused() {
    kernel_or_skip!();
    let scene = Scene::new();
    let agent = scene.agent("planner");
    let child = client(Some(&agent), &format!("say(tried(lambda: tcp('{NOWHERE}', 1).recv(1)))"));
    super::scene::wait_until("the connection is there", || !scene.nothing_arrived());
    scene.kernel().release(agent.id().unwrap()).unwrap();
    scene.kernel().govern(&agent, "executor").unwrap();
    let (stream, origin) = scene.accept4();
    assert!(matches!(origin, Err(interlock::intercept::OriginError::Released(_))), "{origin:?}");
    drop(stream);
    assert_eq!(said(child), ["ECONNABORTED"], "a socket of the earlier name is closed at its end too");
}

#[test]
fn what_can_not_be_governed_is_refused() {
    kernel_or_skip!();
    let scene = Scene::new();
    let hierarchy = Hierarchy::find().unwrap();
    let agent = scene.agent("planner");
    let kernel = scene.kernel();
    assert!(kernel.govern(&agent, "planner").is_ok(), "once more is no error");
    assert!(matches!(kernel.govern(&agent, "other"), Err(KernelError::AlreadyGoverned { .. })));
    let fresh = scene.cgroup("fresh");
    for name in ["", "new\nline", "a\0", &"x".repeat(64)] {
        assert!(matches!(kernel.govern(&fresh, name), Err(KernelError::Name(_))), "{name:?}");
    }
    let longest = "é".repeat(31) + "x";
    kernel.govern(&fresh, &longest).unwrap();
    assert!(kernel.governed().unwrap().iter().any(|found| *found.agent == *longest));
    let own = kernel.own_cgroup().clone();
    for cgroup in [hierarchy.at("/").unwrap(), own.clone(), own.child("below").unwrap()] {
        let refused = kernel.govern(&cgroup, "planner");
        assert!(matches!(refused, Err(KernelError::NotGovernable(..))), "{refused:?}");
    }
    let missing = kernel.govern(&scene.base.child("missing").unwrap(), "planner");
    assert!(matches!(missing, Err(KernelError::Cgroup(_))), "{missing:?}");
}

#[test]
fn a_listener_must_be_one_of_the_sockets() {
    kernel_or_skip!();
    let scene = Scene::new();
    let refused = scene.kernel().publish(&scene.listeners(), &[scene.v4.as_fd()]);
    assert!(matches!(refused, Err(KernelError::NoSocket(_))), "{refused:?}");
    assert!(scene.kernel().publish(&scene.listeners(), &[]).is_err());
}

#[test]
fn a_second_host_agent_is_refused_and_pins_are_private() {
    kernel_or_skip!();
    let scene = Scene::new();
    let second = Kernel::open(scene.options.clone());
    assert!(matches!(second, Err(KernelError::InUse(_))), "{second:?}");
    let mode = std::fs::metadata(&scene.options.paths.bpffs).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

/// As many as there may be; one more is refused, and governed by half of nothing.
#[test]
fn four_thousand_and_ninety_six_cgroups() {
    kernel_or_skip!();
    let scene = Scene::new();
    let most = 4_096;
    let count = if super::scene::is_emulated() { 64 } else { most };
    let cgroups: Vec<_> = (0..count).map(|number| scene.agent(&format!("a{number}"))).collect();
    assert_eq!(scene.kernel().governed().unwrap().len(), count);
    let script = format!("say(tried(lambda: tcp('{NOWHERE}', 1)))");
    for at in [0, count / 2, count - 1] {
        assert_eq!(run(Some(&cgroups[at]), &script), "ok");
        assert_eq!(*scene.accept4().1.unwrap().agent, *format!("a{at}"));
    }
    if count == most {
        let more = scene.cgroup("more");
        let refused = scene.kernel().govern(&more, "more");
        assert!(matches!(refused, Err(KernelError::Map { .. })), "{refused:?}");
        assert_eq!(run(Some(&more), &script), "ECONNREFUSED", "not governed: nobody listens there");
        scene.kernel().release(cgroups[0].id().unwrap()).unwrap();
        scene.kernel().govern(&more, "more").unwrap();
    }
}
