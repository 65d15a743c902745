//! Who sends lookups: what the packet hook noted of a datagram's ends.
use super::{
    error::OriginError,
    maps::{DatagramMaps, is_missing},
};
use aya::maps::{HashMap, MapData};
use interlock_common::{Address, Datagrams, FlowKey, Origin, Taken};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
};

/// Takes the packet hook's notes.
pub(super) struct Askers {
    sent: HashMap<MapData, FlowKey, Datagrams>,
    taken: Mutex<HashMap<MapData, FlowKey, Taken>>,
}

impl Askers {
    pub(super) fn new((sent, taken): DatagramMaps) -> Self {
        Self { sent, taken: Mutex::new(taken) }
    }

    /// The sender of a datagram; notes that it was taken, so that another socket may use the same end.
    pub(super) fn take(&self, netns: u64, from: SocketAddr, to: SocketAddr) -> Result<Origin, OriginError> {
        let key = key(netns, from, to);
        let sent = self.sent.get(&key, 0).map_err(|error| match is_missing(&error) {
            true => OriginError::NotRedirected,
            false => OriginError::System(error.to_string()),
        })?;
        let cookie = sent.origin.cookie;
        let mut notes = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let before = notes.get(&key, 0).ok().filter(|note| note.cookie == cookie);
        let before = before.map_or(0, |note| note.taken);
        // As many as were sent are taken: this one is of somebody who came to the same address and port, and is not governed.
        if before.saturating_mul(sent.levels) >= sent.seen {
            return Err(OriginError::NotRedirected);
        }
        let taken = before.saturating_add(1);
        notes
            .insert(key, Taken { cookie, taken }, 0)
            .map_err(|error| OriginError::System(error.to_string()))?;
        Ok(sent.origin)
    }
}

fn key(netns: u64, from: SocketAddr, to: SocketAddr) -> FlowKey {
    FlowKey {
        netns,
        client: address(from),
        listener: address(to),
        client_port: u32::from(from.port()),
        listener_port: u32::from(to.port()),
    }
}

fn address(of: SocketAddr) -> Address {
    match of.ip() {
        IpAddr::V4(v4) => Address::from(v4),
        IpAddr::V6(v6) => Address::from(v6),
    }
}
