//! A real ClickHouse: its engine as shipped by chDB, with its HTTP and native servers switched on.

use crate::paths;
use crate::rack::child::Child;
use crate::rack::scratch::Scratch;
use crate::rack::{free_port, wait_for};
use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::Duration;

/// Starts the servers and keeps the engine busy with a query that never ends.
const LAUNCHER: &str = r#"
import sys
from chdb import _chdb
_chdb.query("SYSTEM START LISTEN QUERIES ALL; SELECT * FROM file('%s/stop.fifo', 'LineAsString')" % sys.argv[1],
            "TabSeparated", path=sys.argv[1] + "/data")
"#;

/// A running server with an account `default` without and an account `audit` with the password `secret`.
#[derive(Debug)]
pub struct ClickHouse {
    http_port: u16,
    tcp_port: u16,
    child: Option<Child>,
    scratch: Scratch,
    prefix: Vec<String>,
}

impl ClickHouse {
    /// Starts one and waits until it answers.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// As [`Self::start`], with words put before its command line, such as `taskset -c 1`.
    pub fn start_with(prefix: &[&str]) -> Result<Self> {
        let python = paths::chdb().join("bin/python");
        ensure!(python.exists(), "no chDB in `{}`: `cargo xtask setup` installs it", paths::chdb().display());
        let scratch = Scratch::new("clickhouse")?;
        let (http_port, tcp_port) = (free_port()?, free_port()?);
        fs::write(scratch.dir().join("config.xml"), config(http_port, tcp_port))?;
        fs::write(scratch.dir().join("users.xml"), USERS)?;
        fs::write(scratch.dir().join("launch.py"), LAUNCHER)?;
        nix::unistd::mkfifo(&scratch.dir().join("stop.fifo"), nix::sys::stat::Mode::S_IRWXU)?;
        let prefix = prefix.iter().map(|&word| word.to_owned()).collect();
        let mut server = Self { http_port, tcp_port, child: None, scratch, prefix };
        server.resume()?;
        Ok(server)
    }

    /// Port of the HTTP interface.
    pub fn http_port(&self) -> u16 {
        self.http_port
    }

    /// Port of the native protocol.
    pub fn tcp_port(&self) -> u16 {
        self.tcp_port
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }

    /// Process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::pid)
    }

    /// Kills it (-9): the outage of a test. Its data stays.
    pub fn outage(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
        }
        Ok(())
    }

    /// Starts it again on the same ports and data.
    pub fn resume(&mut self) -> Result<()> {
        if self.child.is_some() {
            return Ok(());
        }
        let python = paths::chdb().join("bin/python").display().to_string();
        let mut line = self.prefix.clone();
        let dir = self.scratch.dir();
        line.extend([python, dir.join("launch.py").display().to_string(), dir.display().to_string()]);
        let (program, arguments) = line.split_first().context("no command line")?;
        // SIGKILL: MergeTree survives it, and an engine that waits in a query takes its time for anything milder.
        let mut command = Command::new(program);
        let mut child = Child::start(
            "clickhouse",
            command.args(arguments).current_dir(dir),
            Signal::SIGKILL,
            &self.scratch,
        )?;
        wait_for("ClickHouse to answer", Duration::from_secs(60), || {
            child.check_alive()?;
            Ok(self.query("SELECT 1").is_ok_and(|answer| answer == "1\n").then_some(()))
        })?;
        self.child = Some(child);
        Ok(())
    }

    /// Runs one query over HTTP; the answer is in the format it asks for, tab separated by default.
    pub fn query(&self, sql: &str) -> Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.http_port))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        // HTTP/1.0: the answer is not chunked and ends with the connection.
        write!(stream, "POST / HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{sql}", sql.len())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
        if !head.lines().next().unwrap_or_default().contains(" 200 ") {
            bail!("ClickHouse: {}", body.trim_end());
        }
        Ok(body.to_owned())
    }

    /// Everything it printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.dir().join("clickhouse.log")).unwrap_or_default()
    }
}

fn config(http_port: u16, tcp_port: u16) -> String {
    format!(
        "<clickhouse>
  <http_port>{http_port}</http_port>
  <tcp_port>{tcp_port}</tcp_port>
  <listen_host>127.0.0.1</listen_host>
  <user_directories><users_xml><path>users.xml</path></users_xml></user_directories>
</clickhouse>
"
    )
}

const USERS: &str = "\
<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
    </default>
    <audit>
      <password>secret</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
    </audit>
  </users>
</clickhouse>
";
