//! One side of a session: its socket, what is still to be written to it, and whether it still sends.

use crate::reactor::Socket;
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};
use std::mem;
use std::os::fd::AsFd;
use std::task::{Poll, ready};
use std::time::Duration;

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

/// One side of a session. Only the task that made its socket may use it: that is the one which is woken for it.
#[derive(Debug)]
pub(super) struct Leg {
    socket: Socket,
    waiting: Waiting,
    /// It may still send.
    pub(super) reads: bool,
    /// Nothing more will be queued for it: shut down once all is written.
    closing: bool,
    /// It takes nothing any more.
    shut: bool,
    /// Bytes that were written to it.
    written: u64,
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

impl Leg {
    pub(super) fn new(socket: Socket) -> Self {
        tune(&socket);
        Self { socket, waiting: Waiting::default(), reads: true, closing: false, shut: false, written: 0 }
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

    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    pub(super) const fn is_shut(&self) -> bool {
        self.shut
    }

    /// Reads what there is: empty at the end of the stream.
    pub(super) fn read(&self) -> Poll<io::Result<Bytes>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let count = ready!(self.socket.read(scratch))?;
            Poll::Ready(Ok(Bytes::copy_from_slice(scratch.get(..count).unwrap_or_default())))
        })
    }

    /// Writes what is waiting, then shuts down if that is due. Ready only on error: there may always come more.
    pub(super) fn write(&mut self) -> Poll<io::Error> {
        while !self.shut && self.waiting.bytes > 0 {
            let waiting = &self.waiting;
            match ready!(self.socket.write(|stream| waiting.write_to(stream))) {
                Ok(0) => return Poll::Ready(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.written = self.written.saturating_add(written as u64);
                    self.waiting.drop_written(written);
                }
                Err(error) => return Poll::Ready(error),
            }
        }
        if self.closing && !self.shut {
            self.shut = true;
            if let Err(error) = self.socket.shutdown() {
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
        reset(&self.socket);
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
pub(super) fn reset(stream: &impl AsFd) {
    if let Err(error) = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)) {
        tracing::debug!(%error, "a connection is closed instead of reset");
    }
}

/// Small messages go out at once, and a peer that vanished is noticed.
fn tune(socket: &Socket) {
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
    let socket = socket2::SockRef::from(socket);
    if let Err(error) = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive)) {
        tracing::debug!(%error, "a socket option could not be set");
    }
}
