//! What the integration tests stand on: a real PostgreSQL, the real daemon, real clients, and bounded waiting.
//!
//! ```ignore
//! let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);             // a database of its own, a daemon, two agents
//! let out = rig.psql("planner", "select count(*) from orders");  // governed: psql under `interlock exec`
//! assert_eq!(out.ok(), "6\n");
//! let row = rig.row_when(&["--agent", "planner", "--text", "count(*)"]);
//! assert_eq!(row.text("verdict"), "forward");
//! assert!(rig.server_saw("select count(*) from orders"));        // PostgreSQL's own log
//! ```
//!
//! Everything is on 127.0.0.1, runs side by side with other tests, and is gone when the test ends, fails or is killed.
//! Where the kernel side is not there, the rig uses explicit listeners; `rig.daemon.transparent()` tells, and a test that
//! needs the kernel starts with [`Rig::transparent`], which fails without.

pub mod clients;
pub mod ran;
pub mod rig;
pub mod row;

#[cfg(test)]
mod tests;

pub use ran::Ran;
pub use rig::{ALLOW_ALL, Rig, postgres};
pub use row::Row;

use std::time::Duration;

/// Longest wait for anything in a test. Generous: only failures take that long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `condition` holds, asking every 10 ms; panics after [`PATIENCE`] with `what`.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// As [`wait_until`], for a condition that gives something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    match xtask::rack::wait_for(what, PATIENCE, || Ok(ready())) {
        Ok(found) => found,
        Err(error) => panic!("{error:#}"),
    }
}
