//! Datagrams: nothing leaves but DNS, and that only while the host agent says so. What a connected socket sends, the packet
//! hooks alone decide.
use crate::maps::CONFIG;
use interlock_common::{CONFIG_DNS_PASSES, Count};

const DNS_PORT: u16 = 53;

/// Decides on a datagram that is sent to `port`.
#[inline(always)]
pub fn datagram(port: u16) -> Result<Option<Count>, Count> {
    let passes = CONFIG.get(0).is_some_and(|config| config.flags & CONFIG_DNS_PASSES != 0);
    match passes && port == DNS_PORT {
        true => Ok(Some(Count::DnsPassed)),
        false => Err(Count::Datagram),
    }
}
