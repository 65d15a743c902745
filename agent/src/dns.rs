//! Lookups of governed cgroups: whatever server they ask, we answer.
//!
//! The kernel side brings them ([`crate::intercept::Lookups::Answered`]). Each is an operation of the target `dns`: decided by
//! policy and by `[dns]`, recorded, and only then asked of the servers that the configuration names. What comes back is
//! remembered, so that the connection that follows has a name.
//!
//! | file | holds |
//! |---|---|
//! | `query.rs` | a question as it came: checked, nothing of it passed on but name and type |
//! | `reply.rs` | what goes back |
//! | `name.rs` | a name as policies have it, and what about it looks like data |
//! | `budget.rs` | how much one agent may ask |
//! | `rule.rs` | may it be asked? |
//! | `upstream.rs` | asking |
//! | `targets.rs` | the addresses of targets, asked again now and then |
//! | `names.rs` | which names an agent knows an address by |
//! | `asker.rs` | one socket or connection that asks |
//! | `askers.rs` | all of them that ask by datagrams |
//! | `server.rs`, `datagram.rs` | our sockets |

mod asker;
mod askers;
mod budget;
mod datagram;
mod name;
mod names;
mod query;
mod reply;
mod rule;
mod server;
mod targets;
#[cfg(test)]
mod tests;
mod upstream;

pub use names::Names;
pub use server::{Handle, Server};
pub use upstream::{addresses, system_servers};

/// The port of name servers.
pub const PORT: u16 = 53;
