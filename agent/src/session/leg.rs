//! One side of a session: its socket, what is still to be written to it, and whether it still sends.

use bytes::Bytes;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// Pieces written at once.
const PIECES: usize = 16;
/// Bytes waiting to be written to one side at which the other side is not read any more.
const WAITING_BYTES_MAX: usize = 256 << 10;
/// Idle time after which the kernel asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

thread_local! {
    /// One read buffer serves all sessions of a thread: an idle session holds no memory for reading.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// One side of a session.
#[derive(Debug)]
pub(super) struct Leg {
    stream: TcpStream,
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
    /// It may still send.
    pub(super) reads: bool,
    /// Nothing more will be queued for it: shut down once all is written.
    closing: bool,
    /// It takes nothing any more.
    shut: bool,
}

impl Leg {
    pub(super) fn new(stream: TcpStream) -> Self {
        tune(&stream);
        Self { stream, waiting: VecDeque::new(), waiting_bytes: 0, reads: true, closing: false, shut: false }
    }

    pub(super) fn queue(&mut self, bytes: Bytes) {
        if !self.shut && !self.closing {
            self.waiting_bytes += bytes.len();
            self.waiting.push_back(bytes);
        }
    }

    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// Is so much waiting for it that the other side should pause?
    pub(super) const fn is_full(&self) -> bool {
        self.waiting_bytes >= WAITING_BYTES_MAX
    }

    pub(super) const fn is_shut(&self) -> bool {
        self.shut
    }

    /// Reads what there is: empty at the end of the stream.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
        })
    }

    /// Writes what is waiting, then shuts down if that is due. Ready only on error: there may always come more.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        while !self.shut && !self.waiting.is_empty() {
            let written = match self.poll_write_some(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(error)) => return Poll::Ready(error),
            };
            self.waiting_bytes -= written;
            self.drop_written(written);
        }
        if self.closing && !self.shut {
            self.shut = true;
            if let Poll::Ready(Err(error)) = Pin::new(&mut self.stream).poll_shutdown(cx) {
                return Poll::Ready(error);
            }
        }
        Poll::Pending
    }

    fn poll_write_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        if let (1, Some(only)) = (self.waiting.len(), self.waiting.front()) {
            return stream.poll_write(cx, only);
        }
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let mut count = 0;
        for (piece, bytes) in pieces.iter_mut().zip(&self.waiting) {
            *piece = IoSlice::new(bytes);
            count += 1;
        }
        stream.poll_write_vectored(cx, pieces.get(..count).unwrap_or_default())
    }

    fn drop_written(&mut self, mut written: usize) {
        while let Some(front) = self.waiting.front_mut() {
            if front.len() > written {
                drop(front.split_to(written));
                return;
            }
            written -= front.len();
            self.waiting.pop_front();
        }
    }

    /// Gives up what is still waiting: the peer is gone.
    pub(super) fn abandon(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.shut = true;
        self.reads = false;
    }

    /// Lets the peer see an abrupt end instead of an orderly one.
    pub(super) fn reset(&self) {
        reset(&self.stream);
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
