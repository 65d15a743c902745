//! The kernel side of the host agent: loads and pins the kernel programs, attaches them to governed cgroups, and tells
//! of an accepted connection where it wanted to go and who made it.
//!
//! What is pinned outlives the process: governed cgroups stay governed while the host agent is dead (their connections
//! are refused), and the next one adopts them by opening the same directory. Only `release` ends it.

mod agent;
mod asker;
mod check;
mod closed;
mod devices;
mod diag;
mod entered;
mod error;
mod executed;
mod foreign;
mod frozen;
mod kernel;
mod layout;
mod let_go;
mod links;
mod logs;
mod maps;
mod object;
mod options;
mod origin;
mod pins;
mod placement;
mod programs;
mod refused;
mod ring;
mod security;
mod sys;
#[cfg(test)]
mod tests;
mod told;
mod tracepoint;
mod unix;

pub use check::{Check, State, checks};
pub use closed::Closed;
pub use entered::Entered;
pub use error::{KernelError, OriginError, Unavailable};
pub use executed::Executed;
pub use foreign::Foreign;
pub use kernel::{Governed, Kernel, Tagging};
pub use let_go::{Pinned, let_go, pinned};
pub use object::available;
pub use options::{KernelOptions, Listeners, Lookups};
pub use origin::Origin;
pub use pins::Paths;
pub use placement::Placement;
pub use refused::Refused;
pub use security::Security;
pub use sys::netns_cookie;
