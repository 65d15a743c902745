//! ClickHouse's Native format: rows as columns. One encoding serves three: blocks are stored like this in the spool,
//! shipped like this to ClickHouse, and come back like this from it.
//!
//! The layout is that of HTTP without a client protocol version: the numbers of columns and rows, then for each column
//! its name, type and values. What was learned from the engine itself: LowCardinality starts with a version (1), then,
//! unless there are no values, flags and index width, a dictionary of this block alone and the indexes into it; inside
//! an array the version comes before the offsets. Texts of LowCardinality shrink to one byte a row this way, which
//! makes a block smaller and faster to write than plain strings would, before any compression.

pub mod frame;
mod low;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{BlockReader, NativeError, read_block};
pub use write::write_block;

/// State version of a LowCardinality column ("shared dictionaries with additional keys").
const LOW_VERSION: u64 = 1;
/// The keys of a dictionary are in this block.
const LOW_OWN_KEYS: u64 = 1 << 9;
/// The dictionary replaces the one of the block before.
const LOW_NEW_KEYS: u64 = 1 << 10;
/// A dictionary outside the block: never written in this format.
const LOW_GLOBAL_KEYS: u64 = 1 << 8;
/// Most rows that one block may claim to hold; ClickHouse sends at most 65,409 unless told otherwise.
pub const BLOCK_ROWS_MAX: usize = 1 << 17;
