//! Sockets whose task is polled when the kernel has something to say about them.
//!
//! The kernel speaks once for every change (edge-triggered, epoll(7)): a flag says that it has spoken, and goes when an
//! attempt shows that there is nothing more. An end of the stream, once seen, is not forgotten: it is said only once.

use super::{Handle, task::TaskId};
use mio::event::{Event, Source};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Token};
use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// What the kernel said about a socket.
#[derive(Debug)]
pub(super) struct Readiness {
    task: TaskId,
    readable: Cell<bool>,
    writable: Cell<bool>,
    /// Nothing more will come than what is there already.
    ended: Cell<bool>,
    /// Nothing more can be sent, or an attempt will say why not.
    shut: Cell<bool>,
}

impl Readiness {
    pub(super) fn note(&self, event: &Event) {
        let error = event.is_error();
        self.readable.set(self.readable.get() || event.is_readable() || error);
        self.writable.set(self.writable.get() || event.is_writable() || error);
        self.ended.set(self.ended.get() || event.is_read_closed());
        self.shut.set(self.shut.get() || event.is_write_closed());
    }

    pub(super) const fn task(&self) -> TaskId {
        self.task
    }

    const fn may_read(&self) -> bool {
        self.readable.get() || self.ended.get()
    }

    const fn may_write(&self) -> bool {
        self.writable.get() || self.shut.get()
    }
}

/// A source of events, known to the loop while it lives.
#[derive(Debug)]
struct Registered<S: Source> {
    source: S,
    readiness: Rc<Readiness>,
    key: usize,
    reactor: Handle,
}

impl<S: Source> Registered<S> {
    /// Gives the source back if the kernel does not watch it.
    fn new(reactor: &Handle, mut source: S, interest: Interest) -> Result<Self, (io::Error, S)> {
        let readiness = Rc::new(Readiness {
            task: reactor.inner.current.get(),
            readable: Cell::new(false),
            writable: Cell::new(false),
            ended: Cell::new(false),
            shut: Cell::new(false),
        });
        let key = {
            let mut sockets = reactor.inner.sockets.borrow_mut();
            let entry = sockets.vacant_entry();
            if let Err(error) = reactor.inner.registry.register(&mut source, Token(entry.key()), interest) {
                return Err((error, source));
            }
            let key = entry.key();
            entry.insert(Rc::clone(&readiness));
            key
        };
        Ok(Self { source, readiness, key, reactor: reactor.clone() })
    }
}

impl<S: Source> Drop for Registered<S> {
    fn drop(&mut self) {
        let inner = &*self.reactor.inner;
        drop(inner.sockets.borrow_mut().try_remove(self.key));
        if let Err(error) = inner.registry.deregister(&mut self.source) {
            tracing::debug!(%error, "a socket was not registered");
        }
    }
}

/// A TCP connection. The task that made it is polled when it has something to say, and must be the one that uses it.
#[derive(Debug)]
pub struct Socket {
    registered: Registered<TcpStream>,
}

impl Socket {
    /// Takes over a connection.
    ///
    /// # Errors
    /// The kernel does not watch it, such as for want of memory. The connection is reset then: its peer must not take this
    /// for an orderly end.
    pub fn new(reactor: &Handle, stream: TcpStream) -> io::Result<Self> {
        let registered = Registered::new(reactor, stream, Interest::READABLE | Interest::WRITABLE).map_err(
            |(error, stream)| {
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).err().unwrap_or(error)
            },
        )?;
        // Nothing was tried yet, so it is not known that there is nothing to be had.
        registered.readiness.readable.set(true);
        registered.readiness.writable.set(true);
        Ok(Self { registered })
    }

    /// Connects to an address.
    ///
    /// # Errors
    /// As connect(2): refused, unreachable, no descriptors. It sets no limit to the time this takes.
    pub async fn connect(reactor: &Handle, address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        let registered = Registered::new(reactor, stream, Interest::READABLE | Interest::WRITABLE)
            .map_err(|(error, _)| error)?;
        let socket = Self { registered };
        poll_fn(|_| socket.poll_connected()).await?;
        Ok(socket)
    }

    fn poll_connected(&self) -> Poll<io::Result<()>> {
        let readiness = &self.registered.readiness;
        if !readiness.may_write() {
            return Poll::Pending;
        }
        if let Some(error) = self.registered.source.take_error()? {
            return Poll::Ready(Err(error));
        }
        match self.registered.source.peer_addr() {
            Err(error) if error.kind() == io::ErrorKind::NotConnected && !readiness.shut.get() => {
                readiness.writable.set(false);
                Poll::Pending
            }
            other => Poll::Ready(other.map(drop)),
        }
    }

    /// Reads what there is, up to the buffer's length; 0 bytes at the end of the stream.
    ///
    /// # Errors
    /// As recv(2).
    pub fn read(&self, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let readiness = &self.registered.readiness;
        while readiness.may_read() {
            match (&self.registered.source).read(buffer) {
                Ok(count) => {
                    // A short read took all there was: whatever comes now is an event of its own.
                    readiness.readable.set(count == buffer.len());
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    readiness.readable.set(false);
                    return Poll::Pending;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Pending
    }

    /// Lets `write` write to the connection if it may take something.
    ///
    /// # Errors
    /// Those of `write`, but for its having to wait.
    pub fn write(
        &self,
        mut write: impl FnMut(&mut &TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let readiness = &self.registered.readiness;
        while readiness.may_write() {
            match write(&mut &self.registered.source) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    readiness.writable.set(false);
                    return Poll::Pending;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return Poll::Ready(other),
            }
        }
        Poll::Pending
    }

    /// Ends our side of the stream.
    ///
    /// # Errors
    /// As shutdown(2), but for a connection that is gone already.
    pub fn shutdown(&self) -> io::Result<()> {
        match self.registered.source.shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            other => other,
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.registered.source.as_fd()
    }
}

/// A listening socket. The task that made it is polled when somebody connects.
#[derive(Debug)]
pub struct Listener {
    registered: Registered<TcpListener>,
}

impl Listener {
    /// Takes over a listening socket, which other threads may have as well.
    ///
    /// # Errors
    /// The kernel does not watch it, such as for want of memory.
    pub fn new(reactor: &Handle, listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let registered = Registered::new(reactor, TcpListener::from_std(listener), Interest::READABLE)
            .map_err(|(error, _)| error)?;
        registered.readiness.readable.set(true);
        Ok(Self { registered })
    }

    /// The next connection.
    ///
    /// # Errors
    /// As accept(2). The connection is still there then, and so is the next attempt's cause.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|_| self.poll_accept()).await
    }

    fn poll_accept(&self) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let readiness = &self.registered.readiness;
        while readiness.readable.get() {
            match self.registered.source.accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => readiness.readable.set(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return Poll::Ready(other),
            }
        }
        Poll::Pending
    }
}
