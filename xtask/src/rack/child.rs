//! A server process that ends when its handle goes, or with us at the latest.

use crate::rack::scratch::Scratch;
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long a server may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// What a command begins with that is to have a session of its own, and in it a process group. The program makes them
/// without a further process as long as it does not lead a group already.
pub const SESSION: &str = "setsid";

/// A running server. Its output goes to a file; dropping the handle ends it.
#[derive(Debug)]
pub struct Child {
    name: String,
    inner: process::Child,
    stop: Signal,
    log: PathBuf,
    scratch: Scratch,
    ended: Option<ExitStatus>,
}

impl Child {
    /// Starts `command` in a process group of its own (a session, if it starts with [`SESSION`]), with its output appended to `<scratch>/<name>.log`. `stop` is the
    /// signal that makes it end in good order.
    pub fn start(name: &str, command: &mut Command, stop: Signal, scratch: &Scratch) -> Result<Self> {
        let log = scratch.dir().join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        if command.get_program() != SESSION {
            command.process_group(0);
        }
        let inner = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("cannot start {name} ({})", command.get_program().display()))?;
        scratch.owns_process(inner.id(), stop.as_str().trim_start_matches("SIG"));
        Ok(Self { name: name.to_owned(), inner, stop, log, scratch: scratch.clone(), ended: None })
    }

    /// Its process id, also its process group.
    pub fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// Where its output goes.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Everything it printed so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Fails, with the end of its output, if it is no longer running.
    pub fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.poll()? {
            bail!("{} ended: {status}\n{}", self.name, tail(&self.log(), 30));
        }
        Ok(())
    }

    /// Its exit status, if it has ended.
    pub fn poll(&mut self) -> Result<Option<ExitStatus>> {
        if self.ended.is_none()
            && let Some(status) = self.inner.try_wait()?
        {
            // What it started and left behind in its process group. Now, while the number cannot be somebody else's yet.
            let _gone = killpg(pid(self.pid())?, Signal::SIGKILL);
            self.scratch.process_ended(self.pid());
            self.ended = Some(status);
        }
        Ok(self.ended)
    }

    /// Sends a signal to the process itself, not its group.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        if self.ended.is_some() {
            bail!("{} has ended already", self.name);
        }
        kill(pid(self.pid())?, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Waits for it to end.
    pub fn wait(&mut self, within: Duration) -> Result<ExitStatus> {
        let name = self.name.clone();
        crate::rack::wait_for(&format!("the end of {name}"), within, || self.poll())
    }

    /// Ends it in good order; kills it if it takes longer than ten seconds, which is an error.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.poll()? {
            return Ok(status);
        }
        self.signal(self.stop)?;
        match self.wait(GRACE) {
            Ok(status) => Ok(status),
            Err(late) => {
                self.kill()?;
                Err(late.context(format!("{}\n{} was killed", tail(&self.log(), 30), self.name)))
            }
        }
    }

    /// kill -9 of the process itself, then waits for it.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.poll()? {
            return Ok(status);
        }
        self.signal(Signal::SIGKILL)?;
        self.wait(GRACE)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.stop().is_err() {
            let _gone = self.inner.kill();
        }
    }
}

/// The last `lines` lines of a log.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    let from = all.len().saturating_sub(lines);
    all.get(from..).unwrap_or_default().join("\n")
}

fn pid(number: u32) -> Result<Pid> {
    Ok(Pid::from_raw(i32::try_from(number)?))
}
