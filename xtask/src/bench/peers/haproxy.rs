//! HAProxy as a plain TCP proxy.

use super::{Peer, Place, served_command};
use crate::bench::Cpu;
use anyhow::Result;
use nix::sys::signal::Signal;
use std::fs;
use xtask::rack::child::Child;

pub const PEER: Peer = Peer { name: "haproxy", install: "apt: haproxy", start };

fn start(place: &Place<'_>) -> Result<Child> {
    let threads = if place.cpu == Cpu::One { 1 } else { 2 };
    let config = format!(
        "global
  maxconn 5000
  nbthread {threads}
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen postgres
  bind 127.0.0.1:{}
  server postgres 127.0.0.1:{}
",
        place.port, place.backend
    );
    let file = place.scratch.dir().join("haproxy.cfg");
    fs::write(&file, config)?;
    let mut command = served_command(place.cpu, "/usr/sbin/haproxy".into());
    command.arg("-db").arg("-f").arg(file);
    Child::start("haproxy", &mut command, Signal::SIGTERM, place.scratch)
}
