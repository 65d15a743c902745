//! A host agent that dies: a process of its own, killed with SIGKILL.
use super::scene::{NOWHERE, accept, kernel_or_skip, remove_cgroup, run, wipe};
use interlock::{
    cgroup::{CgroupPath, Hierarchy},
    intercept::{Kernel, KernelOptions, Listeners, Paths, Placement},
};
use serde_json::json;
use std::{
    io::{BufRead, BufReader, Lines},
    net::{SocketAddr, TcpListener},
    os::fd::AsFd,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

/// Names the directory of pins for the process below.
const DIRECTORY: &str = "INTERLOCK_TEST_DAEMON";

/// Marks the lines that the process below says to its parent among those of the test harness.
const MARK: &str = "daemon says ";

fn options(directory: PathBuf) -> KernelOptions {
    let name = directory.file_name().unwrap().to_owned();
    let paths = Paths { bpffs: directory, cgroup_base: PathBuf::from("/").join(name) };
    KernelOptions { paths, placement: Placement::Own, ..KernelOptions::default() }
}

/// Not a test: the host agent of the test below, which runs it in a process of its own. Elsewhere it does nothing.
#[test]
fn daemon() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let kernel = Kernel::open(options(directory.into())).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let SocketAddr::V4(v4) = listener.local_addr().unwrap() else { panic!() };
    kernel.publish(&Listeners { v4, v6: None }, &[listener.as_fd()]).unwrap();
    let base = kernel.own_cgroup().directory().parent().unwrap().to_owned();
    let agent = Hierarchy::find().unwrap().named(base.join("agent")).unwrap();
    kernel.govern(&agent, "planner").unwrap();
    println!("\n{MARK}{}", v4.port());
    while let Some(stream) = accept(&listener) {
        let origin = kernel.origin(stream.as_fd()).unwrap();
        println!("\n{MARK}{} {}", origin.agent, origin.destination);
    }
}

struct Daemon {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Daemon {
    fn start(options: &KernelOptions) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kernel::daemon::daemon", "--nocapture"])
            .env(DIRECTORY, &options.paths.bpffs)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    fn says(&mut self) -> String {
        let said = self
            .lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.strip_prefix(MARK)?.to_owned()));
        said.expect("the host agent has ended")
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

struct Ground {
    options: KernelOptions,
    base: CgroupPath,
}

impl Ground {
    fn new() -> Self {
        let name = format!("interlock-killed-{}", std::process::id());
        let options = options(PathBuf::from("/sys/fs/bpf").join(&name));
        let base = Hierarchy::find().unwrap().at(name).unwrap();
        base.child("agent").unwrap().create().unwrap();
        Self { options, base }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // This process stays where it is.
        let own = Hierarchy::find().unwrap().own().unwrap();
        let options = KernelOptions { placement: Placement::Given(own), ..self.options.clone() };
        match Kernel::open(options) {
            Ok(kernel) => wipe(&kernel, &self.options.paths),
            Err(error) => eprintln!("{error}"),
        }
        remove_cgroup(&self.base);
    }
}

#[test]
fn a_killed_host_agent_leaves_its_agents_without_network() {
    kernel_or_skip!();
    let ground = Ground::new();
    let agent = ground.base.child("agent").unwrap();
    let neighbour = ground.base.child("neighbour").unwrap();
    neighbour.create().unwrap();
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let attempt = format!("say(tried(lambda: tcp('127.0.0.1', {})))", service.local_addr().unwrap().port());

    let mut daemon = Daemon::start(&ground.options);
    let port = daemon.says();
    assert_eq!(run(Some(&agent), &attempt), "ok");
    assert_eq!(daemon.says(), format!("planner {}", service.local_addr().unwrap()));
    daemon.kill();

    assert_eq!(run(Some(&agent), &attempt), "EPERM", "governed: no network");
    assert_eq!(run(Some(&neighbour), &attempt), "ok", "others are untouched");
    accept(&service).expect("control: the service is reached");
    // Whoever takes the listener's port does not get the agent's connections.
    let thief = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    assert_eq!(run(Some(&agent), &attempt), "EPERM");
    let direct =
        format!("say([tried(lambda: tcp('127.0.0.1', {port})), tried(lambda: tcp('{NOWHERE}', 1))])");
    assert_eq!(run(Some(&agent), &direct), json!(["EPERM", "EPERM"]));
    thief.set_nonblocking(true).unwrap();
    assert!(thief.accept().is_err());
    service.set_nonblocking(true).unwrap();
    assert!(service.accept().is_err(), "nothing reached the service itself");

    let mut again = Daemon::start(&ground.options);
    again.says();
    assert_eq!(run(Some(&agent), &attempt), "ok", "the next one adopts the agent");
    assert_eq!(again.says(), format!("planner {}", service.local_addr().unwrap()));
}
