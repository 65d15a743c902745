//! The loop with real sockets: nothing is missed, nobody waits for another, nothing outlives it.

use super::{Handle, Listener, Reactor, Socket};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::task::{Poll, ready};
use std::thread;
use tokio::sync::oneshot;

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Runs one task that may use the loop.
fn run<F: Future<Output = ()> + 'static>(task: impl FnOnce(Handle) -> F) {
    let reactor = Reactor::new().unwrap();
    let main = task(reactor.handle().clone());
    reactor.run(main).unwrap();
}

async fn read(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    poll_fn(|_| socket.read(buffer)).await
}

async fn write_all(socket: &Socket, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    poll_fn(|_| {
        while !rest.is_empty() {
            let count = ready!(socket.write(|stream| stream.write(rest)))?;
            rest = rest.split_at(count).1;
        }
        Poll::Ready(Ok(()))
    })
    .await
}

/// Sends back what comes, until the end.
async fn echo(socket: Socket) {
    let mut buffer = [0; 4096];
    loop {
        match read(&socket, &mut buffer).await.unwrap() {
            0 => break,
            count => write_all(&socket, buffer.split_at(count).0).await.unwrap(),
        }
    }
    socket.shutdown().unwrap();
}

/// A loop that echoes until the returned sender says something.
fn echo_server() -> (SocketAddr, oneshot::Sender<()>, thread::JoinHandle<()>) {
    let (listener, address) = listen();
    let (stop, stopped) = oneshot::channel();
    let thread = thread::spawn(move || {
        run(|reactor| async move {
            let inner = reactor.clone();
            reactor.spawn(async move {
                let listener = Listener::new(&inner, listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let handle = inner.clone();
                    inner.spawn(async move { echo(Socket::new(&handle, stream).unwrap()).await });
                }
            });
            stopped.await.unwrap();
        });
    });
    (address, stop, thread)
}

#[test]
fn what_is_sent_comes_back_whatever_its_size_and_end() {
    let (address, stop, thread) = echo_server();
    // Around the buffer's length, and far more than the kernel holds for one connection.
    for size in [1, 4095, 4096, 4097, 8192, 32 << 20] {
        let sent: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut client = TcpStream::connect(address).unwrap();
        let mut sender = client.try_clone().unwrap();
        let bytes = sent.clone();
        let sending = thread::spawn(move || {
            sender.write_all(&bytes).unwrap();
            // Arrives together with the last bytes, most of the time.
            sender.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        sending.join().unwrap();
        assert!(received == sent, "{size} bytes");
    }
    stop.send(()).unwrap();
    thread.join().unwrap();
}

#[test]
fn many_connections_share_one_loop() {
    let (address, stop, thread) = echo_server();
    let mut clients: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
    for round in 0..20_u8 {
        for client in &mut clients {
            client.write_all(&[round; 3]).unwrap();
        }
        for client in &mut clients {
            let mut answer = [0; 3];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer, [round; 3]);
        }
        // Places in the tables are taken again.
        clients.truncate(clients.len() - 5);
        clients.extend((0..5).map(|_| TcpStream::connect(address).unwrap()));
    }
    stop.send(()).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_loop_connects_and_says_why_it_could_not() {
    let (address, stop, thread) = echo_server();
    let (refusing, refused) = listen();
    drop(refusing);
    run(move |reactor| async move {
        let socket = Socket::connect(&reactor, address).await.unwrap();
        write_all(&socket, b"hello").await.unwrap();
        let mut buffer = [0; 16];
        let count = read(&socket, &mut buffer).await.unwrap();
        assert_eq!(buffer.split_at(count).0, b"hello");
        let error = Socket::connect(&reactor, refused).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
    stop.send(()).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_peer_that_resets_is_an_error_not_a_wait() {
    let (listener, address) = listen();
    run(move |reactor| async move {
        let socket = Socket::connect(&reactor, address).await.unwrap();
        let (peer, _) = listener.accept().unwrap();
        socket2::SockRef::from(&peer).set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(peer);
        let error = read(&socket, &mut [0; 16]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_task_that_panics_ends_alone() {
    run(|reactor| async move {
        let (done, after) = oneshot::channel();
        let (never, gone) = oneshot::channel::<()>();
        reactor.spawn(async move {
            let _never = never;
            panic!("as the test wants");
        });
        reactor.spawn(async move { done.send(()).unwrap() });
        after.await.unwrap();
        // What the task owned was dropped.
        gone.await.unwrap_err();
    });
}

#[test]
fn a_panic_at_the_end_is_contained() {
    /// Panics when it is dropped.
    struct Trap(#[expect(dead_code, reason = "dropped after the panic")] oneshot::Sender<()>);
    impl Drop for Trap {
        fn drop(&mut self) {
            panic!("as the test wants");
        }
    }
    let mut ends = Vec::new();
    let mut traps = Vec::new();
    for _ in 0..4 {
        let (sender, receiver) = oneshot::channel();
        traps.push(Trap(sender));
        ends.push(receiver);
    }
    run(|reactor| async move {
        // One at its own end, the others with the loop.
        let last = traps.split_off(1);
        for trap in traps {
            reactor.spawn(async move { drop(trap) });
        }
        for trap in last {
            reactor.spawn(async move {
                let _trap = trap;
                std::future::pending::<()>().await;
            });
        }
        for _ in 0..3 {
            reactor.yield_now().await;
        }
    });
    for end in &mut ends {
        assert_eq!(end.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}

#[test]
fn a_connect_that_is_given_up_leaves_nothing() {
    // A full backlog: the kernel takes no more connections, so that they stay under way.
    let backlog = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    backlog.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    backlog.listen(0).unwrap();
    let address = backlog.local_addr().unwrap().as_socket().unwrap();
    run(move |reactor| async move {
        let mut kept = Vec::new();
        for _ in 0..8 {
            let mut connect = Box::pin(Socket::connect(&reactor, address));
            // Connected at once, on loopback, or not at all.
            for _ in 0..2 {
                match poll_fn(|context| Poll::Ready(connect.as_mut().poll(context))).await {
                    Poll::Ready(socket) => {
                        kept.push(socket.unwrap());
                        break;
                    }
                    Poll::Pending => reactor.yield_now().await,
                }
            }
        }
        assert_eq!(reactor.inner.sockets.borrow().len(), kept.len());
        assert!(kept.len() < 8, "some were given up");
        drop(kept);
        assert!(reactor.inner.sockets.borrow().is_empty());
    });
}

#[test]
fn who_yields_lets_the_others_run() {
    run(|reactor| async move {
        let seen = Rc::new(RefCell::new(Vec::new()));
        for name in ["a", "b", "c"] {
            let (handle, seen) = (reactor.clone(), Rc::clone(&seen));
            reactor.spawn(async move {
                for turn in 0..3 {
                    seen.borrow_mut().push(format!("{name}{turn}"));
                    handle.yield_now().await;
                }
            });
        }
        while seen.borrow().len() < 9 {
            reactor.yield_now().await;
        }
        assert_eq!(seen.borrow().join(" "), "a0 b0 c0 a1 b1 c1 a2 b2 c2");
    });
}

#[test]
fn wakers_work_from_other_threads_and_late() {
    run(|reactor| async move {
        let mut late = None;
        for round in 0..200 {
            let (sender, receiver) = oneshot::channel();
            let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
            reactor.spawn(async move { drop(thread::spawn(move || sender.send(round).unwrap())) });
            assert_eq!(receiver.await.unwrap(), round);
            late = Some(waker);
        }
        late.unwrap().wake();
        reactor.yield_now().await;
    });
    let kept = Rc::new(RefCell::new(None));
    let keeps = Rc::clone(&kept);
    run(|_| async move {
        *keeps.borrow_mut() = Some(poll_fn(|context| Poll::Ready(context.waker().clone())).await);
    });
    // The loop is gone: nothing to wake, and nothing to break.
    kept.borrow_mut().take().unwrap().wake();
}

#[test]
fn nothing_outlives_the_loop() {
    /// Starts one more task when it is dropped.
    struct Last(Handle, Rc<Cell<u32>>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.1.set(self.1.get() + 1);
            let count = Rc::clone(&self.1);
            self.0.spawn(async move { drop(count) });
        }
    }
    let (listener, address) = listen();
    let dropped = Rc::new(Cell::new(0));
    let count = Rc::clone(&dropped);
    run(move |reactor| async move {
        let last = Last(reactor.clone(), count);
        let socket = Socket::connect(&reactor, address).await.unwrap();
        let handle = reactor.clone();
        reactor.spawn(async move {
            let (_last, _socket) = (last, Socket::connect(&handle, address).await.unwrap());
            std::future::pending::<()>().await;
        });
        drop(socket);
        reactor.yield_now().await;
    });
    assert_eq!((dropped.get(), Rc::strong_count(&dropped)), (1, 1));
    for _ in 0..2 {
        let (mut peer, _) = listener.accept().unwrap();
        assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0, "its connection is closed");
    }
}

#[test]
fn a_thread_without_rseq_still_knows_its_cpu() {
    thread::spawn(|| {
        // Debian 12 and newer register it.
        let registered = super::sys::rseq_area().is_some();
        assert_eq!(super::sys::leave_rseq(), registered);
        assert!(!super::sys::leave_rseq(), "there is nothing left to give back");
        assert!(nix::sched::sched_getcpu().is_ok());
    })
    .join()
    .unwrap();
}
