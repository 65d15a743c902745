//! Every protocol, in the order in which they are tried.

use crate::Protocol;

/// All protocols. Adding one is its folder, its cases, and its line here.
pub static PROTOCOLS: &[&dyn Protocol] = &[&crate::postgres::Postgres];

/// The protocol of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Protocol> {
    PROTOCOLS.iter().copied().find(|protocol| protocol.name() == name)
}
