//! The socket as clients find it: real sockets, a daemon of few words behind them.

use super::message::*;
use super::*;
use crate::intercept::Check;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as std_mpsc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

/// Far beyond what any answer takes; reached only when one is missing.
const BOUND: Duration = Duration::from_secs(20);

/// What the server asks: answers from what the test set.
struct Desk {
    governed: AtomicBool,
    /// Told when a lease is dropped.
    freed: std_mpsc::SyncSender<()>,
    tail: std::sync::Mutex<Option<mpsc::Receiver<TailItem>>>,
}

fn ready<T: Send + 'static>(value: Result<T, Failure>) -> Answering<'static, T> {
    Box::pin(std::future::ready(value))
}

struct Freed(std_mpsc::SyncSender<()>);

impl Drop for Freed {
    fn drop(&mut self) {
        self.0.send(()).ok();
    }
}

impl Admin for Desk {
    fn peer_is_governed(&self, pid: u32) -> bool {
        assert_eq!(pid, std::process::id());
        self.governed.load(Ordering::Relaxed)
    }

    fn status(&self) -> Answering<'_, Status> {
        ready(Ok(Status { pid: 42, ..Status::default() }))
    }

    fn agents(&self) -> Answering<'_, Vec<AgentStatus>> {
        ready(Ok(vec![AgentStatus { name: "planner".to_owned(), ..AgentStatus::default() }]))
    }

    fn tag(&self, agent: String, place: Place) -> Answering<'_, Tagged> {
        ready(match place {
            Place::Cgroup(cgroup) => Ok(Tagged { agent, cgroup, notes: Vec::new() }),
            Place::Pid(pid) => Err(Failure::new(Code::UnknownPlace, format!("there is no process {pid}"))),
        })
    }

    fn untag(&self, _: Place) -> Answering<'_, Tagged> {
        // Never answers.
        Box::pin(std::future::pending())
    }

    fn prepare(&self, prepare: Prepare) -> Answering<'_, (Prepared, Lease)> {
        let prepared = Prepared { agent: prepare.agent, directory: "/nowhere".into(), unix_sockets: true };
        ready(Ok((prepared, Lease::new(Freed(self.freed.clone())))))
    }

    fn flush(&self) -> Answering<'_, ()> {
        ready(Ok(()))
    }

    fn tail(&self, filter: serde_json::Value) -> Answering<'_, mpsc::Receiver<TailItem>> {
        if !filter.is_null() {
            return ready(Err(Failure::new(Code::BadRequest, "no such filter")));
        }
        ready(self.tail.lock().unwrap().take().ok_or_else(|| Failure::new(Code::Failed, "taken")))
    }

    fn reload(&self) -> Answering<'_, Reloaded> {
        ready(Err(Failure::new(Code::Failed, "interlock.toml:1:1: unknown key `x`")))
    }

    fn doctor(&self) -> Answering<'_, Vec<Check>> {
        ready(Ok(Vec::new()))
    }
}

/// A running server; stops when dropped.
struct Running {
    run: tempfile::TempDir,
    desk: Arc<Desk>,
    freed: std_mpsc::Receiver<()>,
    rows: mpsc::Sender<TailItem>,
    stop: Option<oneshot::Sender<()>>,
    runtime: Runtime,
    served: Option<tokio::task::JoinHandle<()>>,
    lock: RunLock,
}

fn start(limits: ServerLimits) -> Running {
    let run = tempfile::tempdir().unwrap();
    let lock = RunLock::take(run.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (freed_sender, freed) = std_mpsc::sync_channel(8);
    let (rows, tail) = mpsc::channel(8);
    let desk =
        Arc::new(Desk { governed: AtomicBool::new(false), freed: freed_sender, tail: Some(tail).into() });
    let (stop, stopped) = oneshot::channel();
    let admin: Arc<dyn Admin> = desk.clone();
    let served = {
        let _inside = runtime.enter();
        let server = Server::bind(&lock, limits).unwrap();
        runtime.spawn(server.serve(admin, async {
            stopped.await.ok();
        }))
    };
    Running { run, desk, freed, rows, stop: Some(stop), runtime, served: Some(served), lock }
}

impl Running {
    fn client(&self) -> Client {
        Client::connect(&socket_path(self.run.path())).unwrap()
    }

    fn raw(&self) -> UnixStream {
        let stream = UnixStream::connect(socket_path(self.run.path())).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream
    }

    /// Sends bytes and reads everything until the server hangs up.
    fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.raw();
        stream.write_all(bytes).ok();
        let mut answer = String::new();
        // A server that hangs up with unread input resets the connection; what it said before still arrives.
        stream.read_to_string(&mut answer).ok();
        answer
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(served) = self.served.take() {
            self.runtime.block_on(async { tokio::time::timeout(BOUND, served).await }).unwrap().unwrap();
        }
    }
}

fn short() -> ServerLimits {
    ServerLimits {
        clients: 4,
        request_bytes: 1_000,
        read: Duration::from_millis(200),
        answer: Duration::from_millis(200),
        write: Duration::from_millis(200),
    }
}

#[test]
fn answers_every_request() {
    let running = start(ServerLimits::default());
    let mut client = running.client();
    assert_eq!(client.status().unwrap().pid, 42);
    assert_eq!(client.agents().unwrap()[0].name, "planner");
    let tagged = client.tag("planner".to_owned(), Place::Cgroup("/a b/c".into())).unwrap();
    assert_eq!(tagged.cgroup.to_str(), Some("/a b/c"));
    client.flush().unwrap();
    assert_eq!(client.doctor().unwrap(), []);
    let refused = client.tag("planner".to_owned(), Place::Pid(7)).unwrap_err();
    assert_eq!(refused.to_string(), "there is no process 7");
    assert!(!refused.is_unreachable());
    // A failure leaves the connection usable.
    assert!(client.reload().unwrap_err().to_string().contains("unknown key"));
    assert_eq!(client.status().unwrap().pid, 42);
}

#[test]
fn socket_is_for_its_owner_only() {
    let running = start(ServerLimits::default());
    let mode = std::fs::metadata(socket_path(running.run.path())).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn governed_peers_are_refused() {
    let running = start(ServerLimits::default());
    running.desk.governed.store(true, Ordering::Relaxed);
    let error = running.client().status().unwrap_err();
    assert!(matches!(&error, ClientError::Refused(failure) if failure.code == Code::NotAllowed), "{error}");
}

#[test]
fn many_clients_at_once_and_one_too_many() {
    let running = start(ServerLimits { clients: 3, ..ServerLimits::default() });
    let mut clients: Vec<_> = (0..3).map(|_| running.client()).collect();
    for client in &mut clients {
        client.status().unwrap();
    }
    let error = running.client().status().unwrap_err();
    assert!(matches!(&error, ClientError::Refused(failure) if failure.code == Code::Busy), "{error}");
    // Places are given back when clients hang up.
    drop(clients);
    let deadline = std::time::Instant::now() + BOUND;
    while running.client().status().is_err() {
        assert!(std::time::Instant::now() < deadline, "places are not given back");
        std::thread::yield_now();
    }
}

#[test]
fn garbage_is_answered_and_survived() {
    let running = start(short());
    for garbage in [
        &b"\n"[..],
        b"{}\n",
        b"null\n",
        b"[1]\n",
        b"\xff\xfe\n",
        b"{\"version\":1}\n",
        b"{\"version\":1,\"request\":\"nonsense\"}\n",
        b"{\"version\":1,\"request\":\"status\",\"more\":1}\n",
        b"{\"version\":-1,\"request\":\"status\"}\n",
        b"{\"version\":1,\"request\":{\"tag\":{\"agent\":\"a\"}}}\n",
        b"GET / HTTP/1.1\n",
    ] {
        let answer = running.exchange(garbage);
        assert!(
            answer.starts_with("{\"version\":1,\"result\":{\"error\":{\"code\":\"bad-request\""),
            "{answer}"
        );
    }
    let answer = running.exchange(b"{\"version\":2,\"request\":{\"of\":\"the future\"}}\n");
    assert!(answer.contains("\"wrong-version\""), "{answer}");
    // Deep nesting ends in an error, not on the stack.
    let deep = format!("{{\"version\":1,\"request\":{{\"tail\":{{\"filter\":{}\n", "[".repeat(900));
    assert!(running.exchange(deep.as_bytes()).contains("bad-request"));
    assert_eq!(running.client().status().unwrap().pid, 42);
}

#[test]
fn oversize_requests_are_cut_off() {
    let running = start(ServerLimits { read: BOUND, ..short() });
    let mut stream = running.raw();
    // Without a line break: would be read for ever.
    stream.write_all(&[b'x'; 1_001]).unwrap();
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer).unwrap();
    assert!(answer.contains("longer than 1000 bytes"), "{answer}");
    let fitting = format!("{{\"version\":1,\"request\":\"status\"{}}}\n", " ".repeat(900));
    let mut stream = running.raw();
    stream.write_all(fitting.as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer).unwrap();
    assert!(answer.contains("\"ok\""), "{answer}");
}

#[test]
fn slow_clients_are_cut_off() {
    let running = start(short());
    let answer = running.exchange(b"{\"version\":1,");
    assert!(answer.contains("no whole request within"), "{answer}");
    let answer = running.exchange(b"");
    assert!(answer.contains("no whole request within"), "{answer}");
}

#[test]
fn slow_answers_are_given_up() {
    let running = start(short());
    let error = running.client().untag(Place::Pid(1)).unwrap_err();
    assert!(error.to_string().contains("could not do it within"), "{error}");
}

#[test]
fn clients_that_hang_up_leave_nothing() {
    let running = start(ServerLimits { clients: 2, ..ServerLimits::default() });
    for bytes in [&b""[..], b"{\"ver", b"{\"version\":1,\"request\":{\"untag\":{\"place\":{\"pid\":1}}}}\n"] {
        for _ in 0..10 {
            running.raw().write_all(bytes).unwrap();
        }
    }
    // The two places are free again, but for the unanswerable `untag`, whose clients are gone: stopping is not held up.
    let mut running = running;
    running.stop();
}

#[test]
fn a_lease_lasts_as_long_as_its_client() {
    let running = start(short());
    let mut client = running.client();
    let prepared = client.prepare(Prepare { agent: "planner".to_owned(), task: None }).unwrap();
    assert_eq!(prepared.agent, "planner");
    assert!(client.prepare(Prepare { agent: "planner".to_owned(), task: None }).is_err());
    // Longer than a silent client is borne with.
    assert!(running.freed.recv_timeout(short().read * 3).is_err());
    drop(client);
    running.freed.recv_timeout(BOUND).unwrap();
}

#[test]
fn rows_are_streamed_until_the_daemon_stops() {
    let mut running = start(ServerLimits::default());
    let mut tail = running.client().tail(serde_json::Value::Null).unwrap();
    running.rows.blocking_send(TailItem::Row(serde_json::json!({"verb": "SELECT"}))).unwrap();
    running.rows.blocking_send(TailItem::Missed(3)).unwrap();
    assert_eq!(tail.next().unwrap().unwrap(), Reply::Row(serde_json::json!({"verb": "SELECT"})));
    assert_eq!(tail.next().unwrap().unwrap(), Reply::Missed(3));
    running.stop();
    assert!(tail.next().is_none());
    assert!(tail.next().is_none());
}

#[test]
fn a_refused_tail_says_why() {
    let running = start(ServerLimits::default());
    let mut tail = running.client().tail(serde_json::json!("nonsense")).unwrap();
    assert!(tail.next().unwrap().unwrap_err().to_string().contains("no such filter"));
    assert!(tail.next().is_none());
}

#[test]
fn a_tail_that_hangs_up_ends_its_subscription() {
    let running = start(ServerLimits::default());
    let tail = running.client().tail(serde_json::Value::Null).unwrap();
    drop(tail);
    running.runtime.block_on(async { tokio::time::timeout(BOUND, running.rows.closed()).await }).unwrap();
}

#[test]
fn a_tail_that_does_not_read_is_cut_off() {
    let running = start(short());
    let _tail = running.client().tail(serde_json::Value::Null).unwrap();
    let row = serde_json::json!("x".repeat(100_000));
    running.runtime.block_on(async {
        let flood = async { while running.rows.send(TailItem::Row(row.clone())).await.is_ok() {} };
        tokio::time::timeout(BOUND, flood).await.expect("the subscription ends");
    });
}

#[test]
fn a_second_daemon_refuses() {
    let running = start(ServerLimits::default());
    let error = RunLock::take(running.run.path()).unwrap_err().to_string();
    let expected = format!("another interlock daemon (pid {}) is running", std::process::id());
    assert!(error.starts_with(&expected), "{error}");
    // And has disturbed nothing.
    assert_eq!(running.client().status().unwrap().pid, 42);
}

#[test]
fn a_dead_daemons_socket_is_replaced() {
    let mut running = start(ServerLimits::default());
    running.stop();
    let socket = socket_path(running.run.path());
    assert!(!socket.exists(), "a stopped server removes its socket");
    assert!(matches!(Client::connect(&socket), Err(ClientError::NotRunning(_))));
    // What a killed daemon leaves: the file, nobody behind it.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(matches!(Client::connect(&socket), Err(ClientError::NotRunning(_))));
    let _inside = running.runtime.enter();
    let server = Server::bind(&running.lock, ServerLimits::default()).unwrap();
    let admin: Arc<dyn Admin> = running.desk.clone();
    running.runtime.spawn(server.serve(admin, std::future::pending()));
    assert_eq!(running.client().status().unwrap().pid, 42);
}

#[test]
fn the_lock_ends_with_its_holder() {
    let run = tempfile::tempdir().unwrap();
    let inner = run.path().join("a/b");
    drop(RunLock::take(&inner).unwrap());
    assert_eq!(std::fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
    RunLock::take(&inner).unwrap();
}

#[test]
fn a_run_directory_that_others_can_write_is_refused() {
    let run = tempfile::tempdir().unwrap();
    std::fs::set_permissions(run.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(RunLock::take(run.path()), Err(LockError::Unsafe { mode: 0o777, .. })));
    std::fs::set_permissions(run.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::symlink("/nowhere", run.path().join("lock")).unwrap();
    assert!(matches!(RunLock::take(run.path()), Err(LockError::Io { .. })));
}

#[test]
fn clients_take_no_nonsense_either() {
    let run = tempfile::tempdir().unwrap();
    let socket = socket_path(run.path());
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (answer, told) in [
        (&b"HTTP/1.1 200 OK\n"[..], "not understood"),
        (b"{\"version\":2,\"result\":7}\n", "its protocol is 2"),
        (b"{\"version\":1,\"result\":{\"ok\":\"flushed\"}}\n", "it answered with Flushed"),
        (b"{\"version\":1,", "broke"),
        (b"", "broke"),
    ] {
        let server = std::thread::spawn({
            let listener = listener.try_clone().unwrap();
            move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = String::new();
                BufReader::new(&stream).read_line(&mut request).unwrap();
                stream.write_all(answer).unwrap();
            }
        });
        let error = Client::connect(&socket).unwrap().status().unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
        assert!(error.is_unreachable());
        server.join().unwrap();
    }
}
