//! The embedded kernel programs, and whether they can run here.
use super::error::Unavailable;
use crate::cgroup::Hierarchy;
use std::io;

/// The object that `build.rs` embedded; empty if it is a stub.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/interlock.bpf.o"));

/// The oldest kernel that has what the programs use.
pub(super) const KERNEL_MIN: (u32, u32) = (5, 15);

/// The kernel programs, unless this binary was built without.
pub(super) fn object() -> Result<&'static [u8], Unavailable> {
    match OBJECT {
        [] => Err(Unavailable::Stub),
        object => Ok(object),
    }
}

/// Whether interception can work here: cheap, changes nothing, and the error is one line that says what is missing.
pub fn available() -> Result<(), Unavailable> {
    object()?;
    if !nix::unistd::geteuid().is_root() {
        return Err(Unavailable::NotRoot);
    }
    let (release, version) = kernel_version();
    if version < KERNEL_MIN {
        return Err(Unavailable::Kernel(release));
    }
    Hierarchy::find()?;
    may_create_maps().map_err(Unavailable::NoBpf)
}

/// The running kernel's release as text, and its first two numbers.
pub(super) fn kernel_version() -> (String, (u32, u32)) {
    let release = nix::sys::utsname::uname()
        .map_or_else(|_| String::from("unknown"), |name| name.release().to_string_lossy().into_owned());
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (release, version)
}

/// Makes a map and drops it: the shortest proof that `bpf(2)` works.
pub(super) fn may_create_maps() -> io::Result<()> {
    match aya::maps::Array::<aya::maps::MapData, u32>::create(1, 0) {
        Ok(_) => Ok(()),
        Err(aya::maps::MapError::CreateError { io_error, .. }) => Err(io_error),
        Err(other) => Err(io::Error::other(other.to_string())),
    }
}
