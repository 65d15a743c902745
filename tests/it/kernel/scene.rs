//! What the kernel tests stand on: a kernel side of their own, cgroups, and clients in them.
use interlock::{
    cgroup::{CgroupPath, Hierarchy},
    intercept::{
        Kernel, KernelOptions, Listeners, Origin, OriginError, Paths, Placement, Refused, available,
    },
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::Value;
use std::{
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The longest anything here waits.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A destination that nobody listens on: a redirected connection to it arrives at the listener, any other is refused.
pub const NOWHERE: &str = "127.9.8.7";

/// Whether the kernel side can be tested here; says so loudly if not.
pub fn can_run(test: &str) -> bool {
    match available() {
        Ok(()) => true,
        Err(why) => {
            eprintln!("SKIPPED {test}: {why}");
            false
        }
    }
}

/// Returns from the test where the kernel side can't be loaded.
macro_rules! kernel_or_skip {
    () => {
        if !$crate::kernel::scene::can_run(module_path!()) {
            return;
        }
    };
}
pub(crate) use kernel_or_skip;

/// A base cgroup for this test process, and a number for each scene.
fn base() -> CgroupPath {
    let hierarchy = Hierarchy::find().unwrap();
    hierarchy.at(format!("/interlock-test-{}", std::process::id())).unwrap()
}

/// All tests share one process, so they share the cgroup that stands for the host agent's: moved into once.
fn own_cgroup() -> CgroupPath {
    static OWN: OnceLock<CgroupPath> = OnceLock::new();
    OWN.get_or_init(|| {
        remove_what_the_dead_left();
        let own = base().child("own").unwrap();
        own.create().unwrap();
        own.admit(std::process::id()).unwrap();
        own
    })
    .clone()
}

/// A test process can't remove the cgroup it is in, and one that crashes removes nothing.
fn remove_what_the_dead_left() {
    let names = |directory: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let is_dead = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let pid = name.strip_prefix("interlock-test-").and_then(|rest| rest.split('-').next());
        pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
    };
    for cgroup in names(Hierarchy::find().unwrap().mount()).into_iter().filter(is_dead) {
        remove_cgroup(&Hierarchy::find().unwrap().named(cgroup).unwrap());
    }
    for pins in names(Path::new("/sys/fs/bpf")).into_iter().filter(is_dead) {
        remove_pins(&pins);
    }
}

fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A kernel side with its listeners published, in a directory of pins of its own.
pub struct Scene {
    pub options: KernelOptions,
    pub kernel: Option<Kernel>,
    pub v4: TcpListener,
    pub v6: TcpListener,
    /// What takes lookups, if that is asked for.
    pub lookups: Vec<UdpSocket>,
    pub base: CgroupPath,
}

impl Scene {
    /// Without the security hooks, which take their time to load where a processor is emulated.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// With the security hooks, where the kernel has them.
    pub fn hooked() -> Self {
        Self::with(|options| options.security = true)
    }

    pub fn with(change: impl FnOnce(&mut KernelOptions)) -> Self {
        Self::listening(change, || {
            (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("[::1]:0").unwrap())
        })
    }

    /// With listening sockets that `bind` makes, in whatever network namespace.
    pub fn listening(
        change: impl FnOnce(&mut KernelOptions),
        bind: impl FnOnce() -> (TcpListener, TcpListener),
    ) -> Self {
        let own = own_cgroup();
        let number = number();
        let name = format!("interlock-test-{}-{number}", std::process::id());
        let paths = Paths { bpffs: PathBuf::from("/sys/fs/bpf").join(name), ..Paths::default() };
        let placement = Placement::Given(own);
        let mut options = KernelOptions { paths, placement, security: false, ..KernelOptions::default() };
        change(&mut options);
        let kernel = Kernel::open(options.clone()).unwrap_or_else(|error| panic!("{error}"));
        let base = base().child(&format!("scene-{number}")).unwrap();
        base.create().unwrap();
        let (v4, v6) = bind();
        let scene = Self { options, kernel: Some(kernel), v4, v6, lookups: Vec::new(), base };
        scene.publish();
        scene
    }

    pub fn kernel(&self) -> &Kernel {
        self.kernel.as_ref().unwrap()
    }

    pub fn publish(&self) {
        let lookups = self.lookups.iter().map(UdpSocket::as_fd);
        let sockets: Vec<_> = [self.v4.as_fd(), self.v6.as_fd()].into_iter().chain(lookups).collect();
        self.kernel().publish(&self.listeners(), &sockets).unwrap();
    }

    /// Takes lookups from now on, at the addresses and ports of the listeners.
    pub fn take_lookups(&mut self) {
        for listener in [&self.v4, &self.v6] {
            let socket = UdpSocket::bind(listener.local_addr().unwrap()).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            self.lookups.push(socket);
        }
        self.publish();
    }

    pub fn listeners(&self) -> Listeners {
        let (SocketAddr::V4(v4), SocketAddr::V6(v6)) =
            (self.v4.local_addr().unwrap(), self.v6.local_addr().unwrap())
        else {
            panic!("families");
        };
        Listeners { v4, v6: Some(v6) }
    }

    pub fn port4(&self) -> u16 {
        self.v4.local_addr().unwrap().port()
    }

    pub fn port6(&self) -> u16 {
        self.v6.local_addr().unwrap().port()
    }

    /// A new cgroup of this scene.
    pub fn cgroup(&self, name: &str) -> CgroupPath {
        let cgroup = self.base.child(name).unwrap();
        cgroup.create().unwrap();
        cgroup
    }

    /// A new cgroup, governed as an agent of the same name.
    pub fn agent(&self, name: &str) -> CgroupPath {
        let cgroup = self.cgroup(name);
        self.kernel().govern(&cgroup, name).unwrap_or_else(|error| panic!("{error}"));
        cgroup
    }

    /// The next connection on the IPv4 listener, and its origin.
    pub fn accept4(&self) -> (TcpStream, Result<Origin, OriginError>) {
        self.accept(&self.v4)
    }

    pub fn accept6(&self) -> (TcpStream, Result<Origin, OriginError>) {
        self.accept(&self.v6)
    }

    fn accept(&self, listener: &TcpListener) -> (TcpStream, Result<Origin, OriginError>) {
        let stream = accept(listener).expect("no connection arrived");
        let origin = self.kernel().origin(stream.as_fd());
        (stream, origin)
    }

    /// Nobody has connected. (Ask after the attempt has ended.)
    pub fn nothing_arrived(&self) -> bool {
        [&self.v4, &self.v6].iter().all(|listener| !readable(listener, Duration::ZERO))
    }

    /// What the programs have refused since the last time.
    pub fn refused(&self) -> Vec<Refused> {
        let mut refused = Vec::new();
        self.kernel().take_refused(|it| refused.push(it));
        refused
    }

    /// A counter of the programs.
    pub fn count(&self, name: &str) -> u64 {
        self.kernel().stats().into_iter().find(|(found, _)| *found == name).expect("no such counter").1
    }
}

impl Drop for Scene {
    /// Leaves nothing behind, also when a test fails.
    fn drop(&mut self) {
        drop(self.kernel.take());
        match Kernel::open(self.options.clone()) {
            Ok(kernel) => wipe(&kernel, &self.options.paths),
            Err(error) => eprintln!("{}: {error}", self.options.paths.bpffs.display()),
        }
        remove_cgroup(&self.base);
    }
}

/// Releases everything and removes the pins.
pub fn wipe(kernel: &Kernel, paths: &Paths) {
    for governed in kernel.governed().unwrap() {
        kernel.release(governed.cgroup_id).unwrap();
    }
    remove_pins(&paths.bpffs);
}

/// Removes a directory of pins.
fn remove_pins(directory: &Path) {
    let mut pending = vec![directory.to_owned()];
    let mut directories = Vec::new();
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => pending.push(entry.path()),
                false => std::fs::remove_file(entry.path()).unwrap(),
            }
        }
        directories.push(directory);
    }
    for directory in directories.iter().rev() {
        std::fs::remove_dir(directory).unwrap();
    }
}

/// Kills what is in a cgroup and removes it with everything below.
pub fn remove_cgroup(cgroup: &CgroupPath) {
    // It may be gone already, with what is below.
    cgroup.kill().ok();
    wait_until("the cgroup is empty", || !cgroup.is_populated().unwrap_or(false));
    let mut pending = vec![cgroup.directory().to_owned()];
    let mut directories = Vec::new();
    while let Some(directory) = pending.pop() {
        let entries = std::fs::read_dir(&directory).into_iter().flatten().flatten();
        pending.extend(
            entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()),
        );
        directories.push(directory);
    }
    for directory in directories.iter().rev() {
        std::fs::remove_dir(directory).ok();
    }
}

/// Waits for a condition, at most [`PATIENCE`].
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        thread::yield_now();
    }
}

fn readable(socket: &impl AsFd, wait: Duration) -> bool {
    let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::try_from(wait).unwrap()).unwrap() > 0
}

/// Accepts with a time limit.
pub fn accept(listener: &TcpListener) -> Option<TcpStream> {
    if !readable(listener, PATIENCE) {
        return None;
    }
    let stream = listener.accept().unwrap().0;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    Some(stream)
}

/// Whether the processor is emulated: then everything takes its time, and there may be less of it.
pub fn is_emulated() -> bool {
    std::fs::read_to_string("/proc/cpuinfo").unwrap().contains("QEMU")
}

/// What every client script may use. `tried` gives "ok" or the name of the error.
const PRELUDE: &str = "
import errno, json, os, socket, struct, sys, threading
from socket import *
def tried(act):
    try: act(); return 'ok'
    except OSError as e: return errno.errorcode.get(e.errno, str(e))
def say(value): print(json.dumps(value, separators=(',', ':')), flush=True)
def tcp(host, port, family=AF_INET):
    s = socket(family, SOCK_STREAM); s.settimeout(20); s.connect((host, port)); return s
";

/// A Python client in a cgroup (`None`: where the tests are), moved there before its first line runs.
pub fn client(cgroup: Option<&CgroupPath>, script: &str) -> Child {
    let mut command = match cgroup {
        Some(cgroup) => {
            let mut shell = Command::new("/bin/sh");
            shell
                .args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\""])
                .arg(cgroup.directory())
                .arg("/usr/bin/python3");
            shell
        }
        None => Command::new("/usr/bin/python3"),
    };
    command.arg("-c").arg(format!("{PRELUDE}\n{script}"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// Waits for a client and gives what it said.
pub fn said(child: Child) -> Vec<Value> {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the client failed: {}", output.status);
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Runs a client to its end and gives the one thing it said.
pub fn run(cgroup: Option<&CgroupPath>, script: &str) -> Value {
    let mut values = said(client(cgroup, script));
    assert_eq!(values.len(), 1, "{values:?}");
    values.remove(0)
}
