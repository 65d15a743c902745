//! Two network namespaces of our own, joined by a pair of virtual interfaces: where the agents live, and the canary.
use crate::kernel::scene::{Scene, wait_until};
use interlock::{cgroup::CgroupPath, intercept::Lookups};
use nix::{
    errno::Errno,
    sched::{CloneFlags, setns},
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, socket},
};
use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::{TcpListener, UdpSocket},
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    thread,
};

/// The canary's addresses, and the agents' on the interface that leads to it: documentation addresses (RFC 5737, RFC
/// 3849), routed nowhere but between the two namespaces.
pub const CANARY4: &str = "192.0.2.2";
pub const CANARY6: &str = "2001:db8::2";
pub const AGENTS4: &str = "192.0.2.1";
pub const CANARY_PORT: u16 = 7;

/// Where the marker goes, and how it is described.
const MARKER_PORT: u16 = 9;
const MARKER: &str = "marker";

/// A network namespace, alive as long as the process that holds it.
pub struct Namespace {
    holder: Child,
    file: File,
}

impl Namespace {
    fn new() -> Self {
        let mut holder = Command::new("unshare")
            .args(["--net", "--", "/bin/sh", "-c", "ip link set lo up && echo ready && exec cat >/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let file = File::open(format!("/proc/{}/ns/net", holder.id())).unwrap();
        Self { holder, file }
    }

    /// Runs something on a thread in this namespace.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        thread::scope(|threads| {
            let inside = threads.spawn(|| {
                setns(&self.file, CloneFlags::CLONE_NEWNET).unwrap();
                act()
            });
            inside.join().unwrap()
        })
    }

    /// A program in this namespace and, if one is given, in a cgroup.
    pub fn command(&self, cgroup: Option<&CgroupPath>, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.holder.id()));
        if let Some(cgroup) = cgroup {
            command.args(["/bin/sh", "-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\""]);
            command.arg(cgroup.directory());
        }
        command.arg(program);
        command
    }

    fn ip(&self, arguments: &str) {
        let output = self.command(None, Path::new("ip")).args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn sysctl(&self, name: &str, value: &str) {
        self.inside(|| std::fs::write(Path::new("/proc/sys/net").join(name), value).unwrap());
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.holder.kill().ok();
        self.holder.wait().ok();
    }
}

/// The agents' namespace and the canary's.
pub struct World {
    pub agents: Namespace,
    pub canary: Namespace,
    /// What the canary's interface receives.
    capture: OwnedFd,
    /// Accepts connections to the canary (its queue does), and takes datagrams.
    _service: ([TcpListener; 2], UdpSocket),
}

impl World {
    pub fn new() -> Self {
        let (agents, canary) = (Namespace::new(), Namespace::new());
        agents.ip(&format!("link add out type veth peer name in netns {}", canary.holder.id()));
        for (side, interface) in [(&agents, "out"), (&canary, "in")] {
            // The kernel says nothing by itself that would be taken for an agent's packet.
            side.sysctl(&format!("ipv6/conf/{interface}/router_solicitations"), "0");
            side.sysctl(&format!("ipv6/conf/{interface}/accept_dad"), "0");
        }
        for (side, interface, host, other) in [(&agents, "out", 1, 2), (&canary, "in", 2, 1)] {
            side.ip(&format!("link set {interface} address 02:00:00:00:00:0{host}"));
            side.ip(&format!("link set {interface} up"));
            side.ip(&format!("address add 192.0.2.{host}/24 broadcast 192.0.2.255 dev {interface}"));
            side.ip(&format!("address add 2001:db8::{host}/64 dev {interface} nodad"));
            for address in [format!("192.0.2.{other}"), format!("2001:db8::{other}")] {
                side.ip(&format!(
                    "neighbour replace {address} lladdr 02:00:00:00:00:0{other} dev {interface}"
                ));
            }
        }
        agents.ip(&format!("route add default via {CANARY4}"));
        // So that pings need no raw socket, and source routes are not refused by the sender's own kernel.
        agents.sysctl("ipv4/ping_group_range", "0 2147483647");
        agents.sysctl("ipv4/tcp_fastopen", "1");
        let capture = canary.inside(|| {
            let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
            socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).unwrap()
        });
        let service = canary.inside(|| {
            let streams =
                [TcpListener::bind((CANARY4, CANARY_PORT)), TcpListener::bind((CANARY6, CANARY_PORT))];
            (streams.map(Result::unwrap), UdpSocket::bind((CANARY4, CANARY_PORT)).unwrap())
        });
        Self { agents, canary, capture, _service: service }
    }

    /// A kernel side that listens in the agents' namespace.
    pub fn scene(&self) -> Scene {
        let mut scene = Scene::listening(
            |options| {
                options.security = true;
                options.dns = Lookups::Answered;
            },
            || {
                self.agents.inside(|| {
                    (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("[::1]:0").unwrap())
                })
            },
        );
        self.agents.inside(|| scene.take_lookups());
        scene
    }

    /// Runs an attack in the agents' namespace; what it said.
    pub fn attack(&self, cgroup: Option<&CgroupPath>, name: &str) -> String {
        said(self.agents.command(cgroup, attack_program()).arg(name).output().unwrap())
    }

    /// The packets that have reached the canary since the last time. Packets stay in order on their way, so when one
    /// that is sent now has arrived, all before it have.
    pub fn captured(&self) -> Vec<String> {
        self.agents.inside(|| {
            let socket = UdpSocket::bind((AGENTS4, 0)).unwrap();
            socket.send_to(b"marker", (CANARY4, MARKER_PORT)).unwrap();
        });
        let mut frame = [0; 2048];
        let mut found = Vec::new();
        wait_until("the marker reaches the canary", || {
            match recv(self.capture.as_raw_fd(), &mut frame, MsgFlags::empty()) {
                Ok(bytes) => found.extend(describe(&frame[..bytes])),
                Err(error) => assert_eq!(error, Errno::EAGAIN),
            }
            found.last().is_some_and(|last| last == MARKER)
        });
        found.pop();
        found
    }
}

/// An Ethernet frame from the agents' side, in words; `None` for what the kernels say by themselves: what the canary
/// sends, and reports of multicast groups and IPv6's neighbour discovery (IGMP; ICMPv6 130 to 137 and 143).
fn describe(frame: &[u8]) -> Option<String> {
    if frame.len() < 34 || frame[6..12] != [2, 0, 0, 0, 0, 1] {
        return None;
    }
    match u16::from_be_bytes([frame[12], frame[13]]) {
        0x0800 if frame[23] == 2 => None,
        0x0800 if frame[23] == 17 && frame.ends_with(b"marker") => Some(MARKER.to_owned()),
        0x0800 => Some(format!("IPv4 protocol {} to {:?}", frame[23], &frame[30..34])),
        0x86dd => {
            let payload = frame.get(54..).unwrap_or_default();
            let byte = |at: usize| payload.get(at).copied().unwrap_or(0);
            // Group reports carry a hop-by-hop header.
            let (next, kind) = if frame[20] == 0 { (byte(0), byte(8)) } else { (frame[20], byte(0)) };
            let by_itself = next == 58 && (matches!(kind, 130..=137) || kind == 143);
            (!by_itself).then(|| format!("IPv6 protocol {next}"))
        }
        other => Some(format!("frame of type {other:#06x}")),
    }
}

fn said(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The attack program, compiled once; `$INTERLOCK_ATTACKS` names one that is.
pub fn attack_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(compiled) = std::env::var_os("INTERLOCK_ATTACKS") {
            return compiled.into();
        }
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("attacks");
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let program = directory.join("attack");
        let fresh = directory.join(format!("attack-{}", std::process::id()));
        let files = std::fs::read_dir(sources).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "c"));
        let output = Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&fresh)
            .args(files)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::rename(fresh, &program).unwrap();
        program
    })
}
