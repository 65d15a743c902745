//! Links: what ties programs to cgroups, and their pins.
use super::{
    error::KernelError,
    pins::{self, Pins},
    programs::{Hook, Loaded},
    sys,
};
use crate::cgroup::{CgroupId, CgroupPath};
use std::{
    fs, io,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

/// The directory of a governed cgroup's links.
pub(super) fn directory(pins: &Pins, id: CgroupId) -> PathBuf {
    pins.cgroups().join(id.to_string())
}

/// The cgroups that have a directory of links.
pub(super) fn linked(pins: &Pins) -> Result<Vec<CgroupId>, KernelError> {
    let directories = pins::list(&pins.cgroups())?;
    Ok(directories.iter().filter_map(|path| path.file_name()?.to_str()?.parse().ok().map(CgroupId)).collect())
}

/// Whether a cgroup that was removed still has sockets: the kernel keeps its programs for them, and so do we. Detached,
/// a socket that a process elsewhere holds would be free.
pub(super) fn has_sockets(pins: &Pins, id: CgroupId) -> Result<bool, KernelError> {
    for pin in pins::list(&directory(pins, id))? {
        // One that can't be asked is taken for attached.
        if sys::open_pin(&pin).and_then(|link| sys::linked_cgroup(link.as_fd())).unwrap_or(1) != 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Puts these programs in the place of those that a removed cgroup has.
pub(super) fn renew(pins: &Pins, programs: &[Loaded], id: CgroupId) {
    for program in programs {
        let pin = directory(pins, id).join(program.hook.name);
        let renewed = sys::open_pin(&pin).and_then(|link| sys::link_update(link.as_fd(), program.fd.as_fd()));
        if let Err(error) = renewed {
            // The older program stays, and refuses as it did.
            tracing::debug!(pin = %pin.display(), %error, "a program of a removed cgroup is not renewed");
        }
    }
}

/// Attaches every program to a cgroup and pins the links: all or none. Links that are pinned already get the new
/// program in the old one's place, without a gap.
pub(super) fn attach_all(
    pins: &Pins,
    programs: &[Loaded],
    cgroup: &CgroupPath,
    id: CgroupId,
) -> Result<(), KernelError> {
    let directory = directory(pins, id);
    let is_new = !directory.exists();
    pins::make_directory(&directory)?;
    let result =
        programs.iter().try_for_each(|program| attach(program, cgroup, &directory.join(program.hook.name)));
    if result.is_err()
        && is_new
        && let Err(error) = detach_all(pins, id)
    {
        // The error of attaching is the one that matters; the next start undoes the rest.
        tracing::warn!(%cgroup, %error, "can't undo a tagging that failed: its connections are refused");
    }
    result
}

/// Attaches one program and pins its link, or updates the link that is pinned there.
pub(super) fn attach(program: &Loaded, cgroup: &CgroupPath, pin: &Path) -> Result<(), KernelError> {
    let hook = program.hook;
    let fail = |source| failed(hook, cgroup, source);
    match sys::open_pin(pin) {
        Ok(link) => match sys::link_update(link.as_fd(), program.fd.as_fd()) {
            Ok(()) => return Ok(()),
            // Detached by somebody, or left by a cgroup that had the same place: attach anew.
            Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => {
                pins::remove(pin, |path| fs::remove_file(path))?;
            }
            Err(error) => return Err(fail(error)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(fail(error)),
    }
    let target = cgroup.open()?;
    let link = sys::link_create(program.fd.as_fd(), target.as_fd(), hook.attach_type).map_err(fail)?;
    sys::pin(link.as_fd(), pin).map_err(|source| KernelError::Pins {
        what: "pin",
        path: pin.to_owned(),
        source,
    })
}

/// Attaches the program that hands origins over to our own cgroup. A link to the cgroup of an earlier host agent goes, unless
/// listening sockets that were made in it live on here: then it gets the new program in the old one's place.
pub(super) fn attach_proxy(
    pins: &Pins,
    program: &Loaded,
    own: &CgroupPath,
    inherits: bool,
) -> Result<(), KernelError> {
    let ours = pins.proxies().join(own.id()?.to_string());
    attach(program, own, &ours)?;
    for pin in pins::list(&pins.proxies())?.into_iter().filter(|pin| *pin != ours) {
        let link = sys::open_pin(&pin);
        let is_used = link.as_ref().is_ok_and(|link| sys::linked_cgroup(link.as_fd()).unwrap_or(1) != 0);
        if !inherits || !is_used {
            detach(&pin)?;
        } else if let Err(error) = link.and_then(|link| sys::link_update(link.as_fd(), program.fd.as_fd())) {
            // The older program stays, and hands over as it did.
            tracing::debug!(pin = %pin.display(), %error, "the program of an earlier host agent is not renewed");
        }
    }
    Ok(())
}

/// Detaches every program of a governed cgroup and removes the pins. What is gone already is no error.
pub(super) fn detach_all(pins: &Pins, id: CgroupId) -> Result<(), KernelError> {
    let directory = directory(pins, id);
    for pin in pins::list(&directory)? {
        detach(&pin)?;
    }
    pins::remove(&directory, |path| fs::remove_dir(path))
}

/// Detaches a pinned link at once and removes its pin.
pub(super) fn detach(pin: &Path) -> Result<(), KernelError> {
    if let Ok(link) = sys::open_pin(pin)
        && let Err(error) = sys::link_detach(link.as_fd())
    {
        // The cgroup is gone, and the attachment with it.
        tracing::debug!(pin = %pin.display(), %error, "nothing to detach");
    }
    pins::remove(pin, |path| fs::remove_file(path))
}

fn failed(hook: Hook, cgroup: &CgroupPath, source: io::Error) -> KernelError {
    let hint = match source.raw_os_error() {
        Some(libc::EPERM) => {
            "; another program there or above forbids more (a systemd unit with IPAddressAllow= or IPAddressDeny= \
             and without Delegate=?): govern a cgroup above it, or remove that setting"
        }
        Some(libc::E2BIG) => "; the cgroup has as many programs as the kernel allows",
        _ => "",
    };
    KernelError::Attach { hook: hook.name, cgroup: cgroup.to_string(), source, hint }
}
