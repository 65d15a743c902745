//! What the kernel counted at the agents' ends of connections.
use super::ring::Ring;
use interlock_common::Closed as Record;

/// A redirected connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Cookie of the agent's socket.
    pub cookie: u64,
    /// Bytes that the agent's host has certainly delivered to us: it may have delivered one more.
    pub delivered: u64,
    /// Bytes that have certainly arrived at the agent: it may have been one more.
    pub received: u64,
}

/// Takes what is there.
pub(super) fn take(ring: &Ring, mut each: impl FnMut(Closed)) {
    ring.drain(|bytes| {
        if let Some(closed) = read(bytes) {
            each(closed);
        }
    });
}

/// Reads a record. The kernel counts the ends of a connection as bytes: a SYN always, a FIN if there was one.
fn read(bytes: &[u8]) -> Option<Closed> {
    let record = Record::from_bytes(bytes)?;
    let (syn, fin) = (1, 1);
    Some(Closed {
        cookie: record.cookie,
        delivered: record.acknowledged.saturating_sub(syn + fin),
        received: record.received.saturating_sub(fin),
    })
}
