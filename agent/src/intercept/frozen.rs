//! A cgroup whose processes stand still while it is being tagged.
//!
//! That it is us who stopped them is noted beside the pins, so that a host agent that dies meanwhile does not leave them
//! so: the next one lets them run, once it has adopted what is governed.
use super::{
    error::KernelError,
    pins::{self, Pins},
};
use crate::cgroup::{CgroupError, CgroupId, CgroupPath, Hierarchy};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    fs::{self, File},
    os::fd::AsFd,
    path::PathBuf,
    time::{Duration, Instant},
};

/// The longest that processes are waited for. One that waits for a device stands still only when that answers.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lets the processes run again when it is dropped.
pub(super) struct Frozen {
    cgroup: CgroupPath,
    /// `None` if they stood still before.
    note: Option<PathBuf>,
    /// Whether all of them do.
    pub(super) complete: bool,
}

impl Frozen {
    /// Stops the processes of a cgroup.
    pub(super) fn new(pins: &Pins, cgroup: &CgroupPath, id: CgroupId) -> Result<Self, KernelError> {
        if cgroup.is_freezing()? {
            let complete = wait(cgroup)?;
            return Ok(Self { cgroup: cgroup.clone(), note: None, complete });
        }
        let note = pins.freezing().join(id.to_string());
        pins::make_directory(&note)?;
        let mut frozen = Self { cgroup: cgroup.clone(), note: Some(note), complete: false };
        cgroup.freeze(true)?;
        frozen.complete = wait(cgroup)?;
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let Some(note) = &self.note else { return };
        match self.cgroup.freeze(false) {
            Ok(()) => forget(note),
            Err(_) if !self.cgroup.exists() => forget(note),
            // The note stays, and the next start tries again.
            Err(error) => {
                tracing::error!(%error, "processes that were stopped to be tagged still stand: `echo 0` there")
            }
        }
    }
}

/// Lets run what a host agent that died had stopped. Call it when everything that is governed has its hooks.
pub(super) fn thaw_left(pins: &Pins, hierarchy: &Hierarchy) -> Result<(), KernelError> {
    for note in pins::list(&pins.freezing())? {
        let id = note.file_name().and_then(|name| name.to_str()?.parse().ok()).map(CgroupId);
        if let Some(id) = id
            && let Some(cgroup) = hierarchy.by_id(id)?
        {
            tracing::warn!(%cgroup, "an earlier host agent died while it tagged this: its processes run again");
            cgroup.freeze(false)?;
        }
        forget(&note);
    }
    Ok(())
}

fn forget(note: &PathBuf) {
    if let Err(error) = fs::remove_dir(note) {
        tracing::warn!(%error, note = %note.display(), "a note stays behind; the next start removes it");
    }
}

/// Waits until all stand still; the kernel tells of a change of `cgroup.events`.
fn wait(cgroup: &CgroupPath) -> Result<bool, CgroupError> {
    let started = Instant::now();
    let Ok(events) = File::open(cgroup.directory().join("cgroup.events")) else { return cgroup.is_frozen() };
    while !cgroup.is_frozen()? {
        let Some(left) = PATIENCE.checked_sub(started.elapsed()) else { return Ok(false) };
        let mut watched = [PollFd::new(events.as_fd(), PollFlags::POLLPRI)];
        // An error is as good as a timeout: the state itself is asked again.
        let _ = poll(
            &mut watched,
            PollTimeout::try_from(left.min(Duration::from_millis(50))).unwrap_or(PollTimeout::ZERO),
        );
    }
    Ok(true)
}
