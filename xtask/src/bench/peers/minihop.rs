//! The floor: a relay of our own that only relays (`tests/bench/minihop.rs`).

use super::{Peer, Place, served_command};
use anyhow::Result;
use nix::sys::signal::Signal;
use xtask::paths::{self, Profile};
use xtask::rack::child::Child;

pub const PEER: Peer = Peer { name: "minihop", install: "tests/bench/minihop.rs", start };

fn start(place: &Place<'_>) -> Result<Child> {
    let mut command = served_command(place.cpu, paths::binary("minihop", Profile::Release));
    command.arg(format!("127.0.0.1:{}", place.port)).arg(format!("127.0.0.1:{}", place.backend));
    Child::start("minihop", &mut command, Signal::SIGTERM, place.scratch)
}
