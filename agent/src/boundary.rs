//! What the kernel side refuses outside any session: datagrams, raw sockets, stray packets and so on. Each gets its row,
//! and a process that tries the same thing over and over gets few.
//!
//! `explain.rs` puts a refusal into words, `merge.rs` folds repetitions into one.

mod explain;
mod merge;
#[cfg(test)]
mod tests;

pub use explain::{Words, entered, explain, let_go, lost};
pub use merge::{Merger, Repeated};
