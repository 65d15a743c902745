//! Running a client to its end, or in the background.

use super::PATIENCE;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How a program ended and what it printed.
#[derive(Debug)]
pub struct Ran {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Runs a command with nothing to read.
    #[track_caller]
    pub fn run(command: &mut Command) -> Self {
        Self::run_with(command, "")
    }

    /// Runs a command that reads `input`.
    #[track_caller]
    pub fn run_with(command: &mut Command, input: &str) -> Self {
        Running::start(command, input).end()
    }

    /// What it printed; panics, with its errors, if it failed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.status.success(), "{}\nstdout: {}\nstderr: {}", self.status, self.stdout, self.stderr);
        self.stdout
    }

    /// What it complained of; panics, with its output, if it succeeded.
    #[track_caller]
    pub fn fails(self) -> String {
        assert!(!self.status.success(), "it did not fail\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stderr
    }
}

/// A program in the background, in a process group of its own; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    out: File,
    err: File,
}

impl Running {
    /// Starts it, with `input` to read.
    #[track_caller]
    pub fn start(command: &mut Command, input: &str) -> Self {
        let (out, err) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let mut stdin = tempfile::tempfile().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        stdin.seek(SeekFrom::Start(0)).unwrap();
        let child = command
            .stdin(stdin)
            .stdout(Stdio::from(out.try_clone().unwrap()))
            .stderr(Stdio::from(err.try_clone().unwrap()))
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
        Self { child, out, err }
    }

    /// Its process id, also its process group.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Has it ended?
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it printed so far.
    pub fn stdout(&self) -> String {
        all(&self.out)
    }

    /// Waits for its end; panics, with what it printed, if it takes more than twice [`PATIENCE`].
    #[track_caller]
    pub fn end(mut self) -> Ran {
        let end = Instant::now() + 2 * PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "it hangs\nstdout: {}\nstderr: {}", all(&self.out), all(&self.err));
            std::thread::sleep(Duration::from_millis(2));
        };
        Ran { status, stdout: all(&self.out), stderr: all(&self.err) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let group = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
            let _gone = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
            let _reaped = self.child.wait();
        }
    }
}

fn all(file: &File) -> String {
    let mut file = file.try_clone().unwrap();
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
