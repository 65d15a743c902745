//! The directory in the BPF file system where maps and links outlive us.
//!
//! ```text
//! <bpffs>/                      0700, locked by the host agent that works with it
//!   maps-<schema>/AGENTS …      one file per map; another layout has another directory
//!   cgroups/<id>/connect4 …     one file per link of a governed cgroup
//!   freezing/<id>               a directory per cgroup whose processes stand still while it is tagged
//!   security/<hook>             one file per link to a security hook
//!   proxies/<id>                one link per cgroup that a listening socket of the host agent was made in
//! ```
use super::error::KernelError;
use interlock_common::SCHEMA;
use nix::{
    fcntl::{Flock, FlockArg},
    mount::{MsFlags, mount},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};
use std::{
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Where a BPF file system belongs.
const STANDARD_MOUNT: &str = "/sys/fs/bpf";

/// Where the kernel side keeps its things. Two host agents on one host need different ones of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// A directory of our own in a BPF file system. Made if missing; the file system is mounted if none is there.
    pub bpffs: PathBuf,
    /// The cgroup, by its path from the hierarchy's root, below which we make our own: `/interlock`.
    pub cgroup_base: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self { bpffs: PathBuf::from("/sys/fs/bpf/interlock"), cgroup_base: PathBuf::from("/interlock") }
    }
}

/// The directory, made ready and locked for this process.
#[derive(Debug)]
pub(super) struct Pins {
    directory: PathBuf,
    _lock: Flock<File>,
}

impl Pins {
    /// Makes the directory ready: mounts the file system if need be, and takes the lock.
    pub(super) fn open(directory: &Path) -> Result<Self, KernelError> {
        ensure_mounted(directory)?;
        make_directory(directory)?;
        let protected = fs::set_permissions(directory, Permissions::from_mode(0o700));
        protected.map_err(|source| KernelError::Pins {
            what: "protect",
            path: directory.to_owned(),
            source,
        })?;
        let pins = Self::lock(directory)?;
        pins.refuse_other_schemas()?;
        make_directory(&pins.maps())?;
        make_directory(&pins.cgroups())?;
        make_directory(&pins.freezing())?;
        make_directory(&pins.proxies())?;
        Ok(pins)
    }

    /// Takes the lock of a directory that is there, as it is.
    pub(super) fn lock(directory: &Path) -> Result<Self, KernelError> {
        let fail =
            |what| move |source: io::Error| KernelError::Pins { what, path: directory.to_owned(), source };
        let file = File::open(directory).map_err(fail("open"))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
            nix::errno::Errno::EWOULDBLOCK => KernelError::InUse(directory.to_owned()),
            other => fail("lock")(other.into()),
        })?;
        Ok(Self { directory: directory.to_owned(), _lock: lock })
    }

    /// The directory of the maps.
    pub(super) fn maps(&self) -> PathBuf {
        self.directory.join(format!("maps-{SCHEMA}"))
    }

    /// The directory with one directory of links per governed cgroup.
    pub(super) fn cgroups(&self) -> PathBuf {
        self.directory.join("cgroups")
    }

    /// The directory with a note per cgroup that is being tagged.
    pub(super) fn freezing(&self) -> PathBuf {
        self.directory.join("freezing")
    }

    /// The directory of the links to security hooks.
    pub(super) fn security(&self) -> PathBuf {
        self.directory.join("security")
    }

    /// The directory with a link per cgroup of our listening sockets.
    pub(super) fn proxies(&self) -> PathBuf {
        self.directory.join("proxies")
    }

    /// Maps of another layout can't be read. While they say that something is governed, starting without them would
    /// leave agents that are governed by nobody's rules.
    fn refuse_other_schemas(&self) -> Result<(), KernelError> {
        let ours = self.maps();
        for entry in list(&self.directory)? {
            let is_maps = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with("maps-"));
            if !is_maps || entry == ours {
                continue;
            }
            if !list(&self.cgroups())?.is_empty() {
                return Err(KernelError::OtherSchema { path: entry });
            }
            remove_tree(&entry)?;
        }
        Ok(())
    }
}

/// Mounts a BPF file system if the directory would not be in one: at `/sys/fs/bpf` if it is below that, else at the
/// directory itself.
fn ensure_mounted(directory: &Path) -> Result<(), KernelError> {
    let nearest = directory.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    if is_bpffs(nearest) {
        return Ok(());
    }
    let point = match directory.starts_with(STANDARD_MOUNT) {
        true => Path::new(STANDARD_MOUNT),
        false => directory,
    };
    let fail = |what| move |source: io::Error| KernelError::Pins { what, path: point.to_owned(), source };
    fs::create_dir_all(point).map_err(fail("create"))?;
    // Two host agents that start at once: the second mount would hide what the first has pinned.
    let covered = File::open(point).map_err(fail("open"))?;
    let _turn =
        Flock::lock(covered, FlockArg::LockExclusive).map_err(|(_, error)| fail("lock")(error.into()))?;
    if is_bpffs(point) {
        return Ok(());
    }
    mount(
        Some("bpf"),
        point,
        Some("bpf"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
        Some("mode=0700"),
    )
    .map_err(|error| fail("mount a BPF file system at")(error.into()))
}

/// Whether a path is in a BPF file system.
pub(super) fn is_bpffs(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| found.filesystem_type() == BPF_FS_MAGIC)
}

/// Makes a directory only root can use; no error if it exists.
pub(super) fn make_directory(path: &Path) -> Result<(), KernelError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| KernelError::Pins {
        what: "create",
        path: path.to_owned(),
        source,
    })
}

/// What a directory holds; nothing if it is not there.
pub(super) fn list(directory: &Path) -> Result<Vec<PathBuf>, KernelError> {
    let fail = |source| KernelError::Pins { what: "list", path: directory.to_owned(), source };
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry.map_err(fail)?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(fail(error)),
    }
}

/// Removes a directory of pins. (`remove_dir_all` opens files to look at them, which pins do not allow.)
pub(super) fn remove_tree(directory: &Path) -> Result<(), KernelError> {
    for pin in list(directory)? {
        remove(&pin, |path| fs::remove_file(path))?;
    }
    remove(directory, |path| fs::remove_dir(path))
}

/// Removes one thing; no error if it is gone already.
pub(super) fn remove(path: &Path, how: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), KernelError> {
    match how(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(KernelError::Pins { what: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
