//! A ring buffer that the programs write records to.
use super::error::KernelError;
use aya::maps::{MapData, RingBuf};
use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{Mutex, PoisonError},
};

/// How many records are taken at a time: they may come as fast as they are taken.
const TAKEN_MAX: usize = 4_096;

/// The reading end.
pub(super) struct Ring {
    name: &'static str,
    ring: Mutex<RingBuf<MapData>>,
}

impl Ring {
    pub(super) fn new(name: &'static str, ring: RingBuf<MapData>) -> Self {
        Self { name, ring: Mutex::new(ring) }
    }

    /// Takes what is there, oldest first. What others take meanwhile is done when this returns.
    pub(super) fn drain(&self, mut each: impl FnMut(&[u8])) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..TAKEN_MAX {
            let Some(record) = ring.next() else { return };
            each(&record);
        }
    }

    /// A descriptor of its own that becomes readable when there is something.
    pub(super) fn descriptor(&self) -> Result<OwnedFd, KernelError> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.as_fd().try_clone_to_owned().map_err(|error| KernelError::Map {
            what: "watch",
            map: self.name,
            reason: error.to_string(),
        })
    }
}
