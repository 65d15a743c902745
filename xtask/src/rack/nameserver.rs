//! A real name server, dnsmasq, on a free port of 127.0.0.1: it knows what it is told, and asks nobody else.

use crate::rack::child::Child;
use crate::rack::scratch::Scratch;
use crate::rack::{free_port, wait_for};
use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

/// A running server; dropping it ends it.
#[derive(Debug)]
pub struct NameServer {
    port: u16,
    child: Child,
    /// Holds its configuration.
    scratch: Scratch,
}

impl NameServer {
    /// Starts one that knows these records, as `dnsmasq.conf` has them (`host-record=db.test,127.0.0.1`), and waits until
    /// it answers.
    pub fn start(records: &[&str]) -> Result<Self> {
        let scratch = Scratch::new("nameserver")?;
        let mut last = None;
        for _attempt in 0..3 {
            match Self::launch(&scratch, records) {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error), // the port was taken in the meantime
            }
        }
        Err(last.context("dnsmasq did not start")?)
    }

    fn launch(scratch: &Scratch, records: &[&str]) -> Result<Self> {
        let port = free_port()?;
        let child = start(scratch, port, records)?;
        let mut server = Self { port, child, scratch: scratch.clone() };
        wait_for("dnsmasq to answer", Duration::from_secs(10), || {
            server.child.check_alive()?;
            Ok(server.child.log().contains("started, version").then_some(()))
        })?;
        Ok(server)
    }

    /// Goes on with other records, on the same port.
    pub fn restart(&mut self, records: &[&str]) -> Result<()> {
        self.child.stop()?;
        let before = self.child.log().matches("started, version").count();
        self.child = start(&self.scratch, self.port, records)?;
        wait_for("dnsmasq to answer again", Duration::from_secs(10), || {
            self.child.check_alive()?;
            Ok((self.child.log().matches("started, version").count() > before).then_some(()))
        })
    }

    /// Ends it.
    pub fn stop(&mut self) -> Result<()> {
        self.child.stop().map(drop)
    }

    /// Where it listens, by UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What it was asked, a line each: `query[A] db.test from 127.0.0.1`.
    pub fn log(&self) -> String {
        self.child.log()
    }
}

fn start(scratch: &Scratch, port: u16, records: &[&str]) -> Result<Child> {
    let path = scratch.dir().join("dnsmasq.conf");
    // `local=/#/`: what it does not know, does not exist.
    let own = [
        &format!("port={port}"),
        "listen-address=127.0.0.1",
        "bind-interfaces",
        "no-resolv",
        "no-hosts",
        "no-daemon",
        "log-queries",
        "log-facility=-",
        "local=/#/",
        "user=root",
        "pid-file=",
    ];
    fs::write(&path, [&own, records].concat().join("\n") + "\n")?;
    let mut command = Command::new("dnsmasq");
    command.arg("-C").arg(&path);
    Child::start("dnsmasq", &mut command, Signal::SIGTERM, scratch)
}
