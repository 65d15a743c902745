//! One side of a session: its socket, what is still to be written to it, and whether it still sends.

use bytes::Bytes;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// Pieces written at once.
const PIECES: usize = 16;
/// Pieces shorter than this are gathered: to copy them costs less than to write them apart.
const SMALL_BYTES: usize = 4 << 10;
/// A buffer for gathered pieces that is larger is not kept when it is empty.
const KEPT_BYTES: usize = 1 << 10;
/// Bytes waiting to be written to one side at which the other side is not read any more.
const WAITING_BYTES_MAX: usize = 256 << 10;
/// Idle time after which the kernel asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

thread_local! {
    /// One read buffer serves all sessions of a thread: an idle session holds no memory for reading.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// One side of a session. Its methods must all be polled by the same task, and without tokio's budget
/// (`tokio::task::unconstrained`): see [`Self::poll_read`].
#[derive(Debug)]
pub(super) struct Leg {
    stream: TcpStream,
    waiting: Waiting,
    /// It may still send.
    pub(super) reads: bool,
    /// The task will be woken when there is something to read.
    armed: bool,
    /// Nothing more will be queued for it: shut down once all is written.
    closing: bool,
    /// It takes nothing any more.
    shut: bool,
}

/// Bytes to be written, in order: the large pieces, then the gathered small ones.
#[derive(Debug, Default)]
struct Waiting {
    large: VecDeque<Bytes>,
    small: Vec<u8>,
    /// Bytes at the start of `small` that are written already.
    small_written: usize,
    bytes: usize,
}

/// What came of an attempt to read without waiting.
enum Tried {
    Done(io::Result<Bytes>),
    /// The kernel was asked, and gave nothing.
    Nothing,
    /// The kernel was not even asked: it has not said that there is something since the last time.
    Silent,
}

impl Leg {
    pub(super) fn new(stream: TcpStream) -> Self {
        tune(&stream);
        Self { stream, waiting: Waiting::default(), reads: true, armed: false, closing: false, shut: false }
    }

    pub(super) fn queue(&mut self, bytes: Bytes) {
        if !self.shut && !self.closing {
            self.waiting.push(bytes);
        }
    }

    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// Is so much waiting for it that the other side should pause?
    pub(super) const fn is_full(&self) -> bool {
        self.waiting.bytes >= WAITING_BYTES_MAX
    }

    pub(super) const fn is_shut(&self) -> bool {
        self.shut
    }

    /// Reads what there is: empty at the end of the stream.
    ///
    /// As long as the kernel is silent, the waker of an earlier call is still in place: it goes only when the kernel
    /// speaks, and then the next attempt does ask it. Not to register it again saves most of the cost of a call.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        loop {
            match self.try_read() {
                Tried::Done(result) => {
                    self.armed = false;
                    return Poll::Ready(result);
                }
                Tried::Silent if self.armed => return Poll::Pending,
                Tried::Silent | Tried::Nothing => self.armed = false,
            }
            match self.stream.poll_read_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.armed = true;
                    return Poll::Pending;
                }
            }
        }
    }

    fn try_read(&self) -> Tried {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut tried = Tried::Silent;
            let drained = self.stream.try_io(Interest::READABLE, || {
                let count = match (&*socket2::SockRef::from(&self.stream)).read(scratch) {
                    Ok(count) => count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        tried = Tried::Nothing;
                        return Err(error);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                        // Still readable: the caller comes again.
                        tried = Tried::Nothing;
                        return Ok(());
                    }
                    Err(error) => {
                        tried = Tried::Done(Err(error));
                        return Ok(());
                    }
                };
                tried = Tried::Done(Ok(Bytes::copy_from_slice(scratch.get(..count).unwrap_or_default())));
                // A short read took all there was: tokio is told to wait for the kernel's next word.
                if count < scratch.len() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            // Which of the two it was is in `tried`.
            drop(drained);
            tried
        })
    }

    /// Writes what is waiting, then shuts down if that is due. Ready only on error: there may always come more.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        while !self.shut && self.waiting.bytes > 0 {
            let written = self.stream.try_io(Interest::WRITABLE, || {
                self.waiting.write_to(&mut &*socket2::SockRef::from(&self.stream))
            });
            match written {
                Ok(0) => return Poll::Ready(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.waiting.drop_written(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if let Err(error) = ready!(self.stream.poll_write_ready(cx)) {
                        return Poll::Ready(error);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(error),
            }
        }
        if self.closing && !self.shut {
            self.shut = true;
            if let Poll::Ready(Err(error)) = Pin::new(&mut self.stream).poll_shutdown(cx) {
                return Poll::Ready(error);
            }
        }
        Poll::Pending
    }

    /// Gives up what is still waiting: the peer is gone.
    pub(super) fn abandon(&mut self) {
        self.waiting = Waiting::default();
        self.shut = true;
        self.reads = false;
    }

    /// Lets the peer see an abrupt end instead of an orderly one.
    pub(super) fn reset(&self) {
        reset(&self.stream);
    }
}

impl Waiting {
    fn push(&mut self, bytes: Bytes) {
        self.bytes += bytes.len();
        if bytes.len() < SMALL_BYTES {
            return self.small.extend_from_slice(&bytes);
        }
        if !self.small.is_empty() {
            let mut earlier = Bytes::from(mem::take(&mut self.small));
            drop(earlier.split_to(mem::take(&mut self.small_written)));
            self.large.push_back(earlier);
        }
        self.large.push_back(bytes);
    }

    fn small_left(&self) -> &[u8] {
        self.small.get(self.small_written..).unwrap_or_default()
    }

    fn write_to(&self, socket: &mut impl Write) -> io::Result<usize> {
        if self.large.is_empty() {
            return socket.write(self.small_left());
        }
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let mut count = 0;
        let all = self.large.iter().map(|piece| &**piece).chain([self.small_left()]);
        for (piece, bytes) in pieces.iter_mut().zip(all) {
            *piece = IoSlice::new(bytes);
            count += 1;
        }
        socket.write_vectored(pieces.get(..count).unwrap_or_default())
    }

    fn drop_written(&mut self, mut written: usize) {
        self.bytes = self.bytes.saturating_sub(written);
        while let Some(front) = self.large.front_mut() {
            if front.len() > written {
                drop(front.split_to(written));
                return;
            }
            written -= front.len();
            self.large.pop_front();
        }
        self.small_written += written;
        if self.small_written >= self.small.len() {
            self.small_written = 0;
            self.small.clear();
            if self.small.capacity() > KEPT_BYTES {
                self.small = Vec::new();
            }
        }
    }
}

/// Dropping this stream will reset the connection: the peer must not take a refusal for an orderly end.
pub(super) fn reset(stream: &TcpStream) {
    if let Err(error) = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)) {
        tracing::debug!(%error, "a connection is closed instead of reset");
    }
}

/// Small messages go out at once, and a peer that vanished is noticed.
fn tune(stream: &TcpStream) {
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
    let socket = socket2::SockRef::from(stream);
    if let Err(error) = stream.set_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive)) {
        tracing::debug!(%error, "a socket option could not be set");
    }
}
