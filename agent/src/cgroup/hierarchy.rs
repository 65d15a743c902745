//! The mounted hierarchy, and the cgroups in it.
use super::{CgroupError, Pattern, sys};
use std::{
    fmt,
    fs::{self, File},
    io,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

/// How many cgroups a search through the hierarchy looks at before it stops.
const SEARCH_MAX: usize = 100_000;

/// The kernel's id of a cgroup, unique on this host until it restarts: what programs see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CgroupId(pub u64);

impl fmt::Display for CgroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The mounted cgroup v2 hierarchy. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hierarchy {
    mount: Arc<Path>,
}

impl Hierarchy {
    /// Finds the mount in `/proc/self/mountinfo`.
    pub fn find() -> Result<Self, CgroupError> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|_| CgroupError::NoHierarchy)?;
        Self::from_mountinfo(&mounts).ok_or(CgroupError::NoHierarchy)
    }

    /// The last cgroup2 mount listed, whose root is the hierarchy's (a bind mount of a part of it is none).
    pub(super) fn from_mountinfo(mounts: &str) -> Option<Self> {
        let mut found = None;
        for line in mounts.lines() {
            let Some((before, after)) = line.split_once(" - ") else { continue };
            let mut fields = before.split(' ').skip(3);
            let (root, point) = (fields.next(), fields.next());
            if after.split(' ').next() == Some("cgroup2")
                && let (Some("/"), Some(point)) = (root, point)
            {
                found = Some(Self { mount: PathBuf::from(unescape(point)).into() });
            }
        }
        found
    }

    /// Where it is mounted.
    pub fn mount(&self) -> &Path {
        &self.mount
    }

    /// A cgroup by its path from the hierarchy's root (`/agents/planner`; the leading `/` may be left out). It need not
    /// exist.
    pub fn at(&self, path: impl AsRef<Path>) -> Result<CgroupPath, CgroupError> {
        let path = path.as_ref();
        let mut full = self.mount.to_path_buf();
        for component in path.components() {
            match component {
                Component::RootDir | Component::CurDir => {}
                Component::Normal(name) => full.push(name),
                Component::ParentDir | Component::Prefix(_) => {
                    return Err(CgroupError::OutOfHierarchy(path.to_owned()));
                }
            }
        }
        Ok(CgroupPath { mount: Arc::clone(&self.mount), full })
    }

    /// A cgroup by its directory under the mount, or by its path from the root: what a person would type.
    pub fn named(&self, path: impl AsRef<Path>) -> Result<CgroupPath, CgroupError> {
        let path = path.as_ref();
        let cgroup = self.at(path.strip_prefix(&self.mount).unwrap_or(path))?;
        match cgroup.exists() {
            true => Ok(cgroup),
            false => Err(CgroupError::NotFound(cgroup.name())),
        }
    }

    /// The cgroup a process is in.
    pub fn of_process(&self, pid: u32) -> Result<CgroupPath, CgroupError> {
        let list =
            fs::read_to_string(format!("/proc/{pid}/cgroup")).map_err(|_| CgroupError::NoProcess(pid))?;
        let path =
            list.lines().find_map(|line| line.strip_prefix("0::")).ok_or(CgroupError::NoProcess(pid))?;
        self.at(path.strip_suffix(" (deleted)").unwrap_or(path))
    }

    /// The cgroup this process is in.
    pub fn own(&self) -> Result<CgroupPath, CgroupError> {
        self.of_process(std::process::id())
    }

    /// The cgroup of an id; `None` if it is gone. Needs root.
    pub fn by_id(&self, id: CgroupId) -> Result<Option<CgroupPath>, CgroupError> {
        let fail =
            |source| CgroupError::System { what: "look up", path: PathBuf::from(format!("id {id}")), source };
        let mount = File::open(&self.mount).map_err(fail)?;
        let fd = match sys::open_by_id(&mount, id.0) {
            Ok(fd) => fd,
            Err(error) if matches!(error.raw_os_error(), Some(libc::ESTALE | libc::ENOENT)) => {
                return Ok(None);
            }
            Err(error) => return Err(fail(error)),
        };
        let full = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).map_err(fail)?;
        let cgroup = CgroupPath { mount: Arc::clone(&self.mount), full };
        // A removed cgroup that something still holds can be opened; its path, if any, is another's by now.
        Ok((cgroup.id().ok() == Some(id)).then_some(cgroup))
    }

    /// All cgroups that a pattern means, at most 100,000 looked at.
    pub fn matching(&self, pattern: &Pattern) -> Vec<CgroupPath> {
        let mut found = Vec::new();
        let mut pending = vec![self.mount.to_path_buf()];
        let mut looked_at = 0;
        while let Some(directory) = pending.pop() {
            looked_at += 1;
            if looked_at > SEARCH_MAX {
                break;
            }
            // A cgroup removed meanwhile is simply not there.
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            for entry in entries.flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    pending.push(entry.path());
                }
            }
            let cgroup = CgroupPath { mount: Arc::clone(&self.mount), full: directory };
            if pattern.matches(&cgroup.name()) {
                found.push(cgroup);
            }
        }
        found.sort_by(|a, b| a.full.cmp(&b.full));
        found
    }
}

/// A cgroup by its place in the hierarchy, whether it exists or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupPath {
    mount: Arc<Path>,
    full: PathBuf,
}

impl CgroupPath {
    /// Its directory in the file system.
    pub fn directory(&self) -> &Path {
        &self.full
    }

    /// Its path from the hierarchy's root, starting with `/`: as `/proc/PID/cgroup` shows it.
    pub fn name(&self) -> PathBuf {
        Path::new("/").join(self.full.strip_prefix(&self.mount).unwrap_or(&self.full))
    }

    /// Whether it is the root, which holds every process of the host.
    pub fn is_root(&self) -> bool {
        self.full == *self.mount
    }

    /// Whether `other` is this cgroup or below it.
    pub fn contains(&self, other: &Self) -> bool {
        other.full.starts_with(&self.full)
    }

    /// Whether it exists.
    pub fn exists(&self) -> bool {
        self.full.is_dir()
    }

    /// The cgroup of this name below.
    pub fn child(&self, name: &str) -> Result<Self, CgroupError> {
        let mut components = Path::new(name).components();
        match (components.next(), components.next()) {
            (Some(Component::Normal(name)), None) => {
                Ok(Self { mount: Arc::clone(&self.mount), full: self.full.join(name) })
            }
            _ => Err(CgroupError::OutOfHierarchy(PathBuf::from(name))),
        }
    }

    /// Its id: the number of its directory's node.
    pub fn id(&self) -> Result<CgroupId, CgroupError> {
        match fs::metadata(&self.full) {
            Ok(metadata) if metadata.is_dir() => Ok(CgroupId(metadata.ino())),
            Ok(_) => Err(CgroupError::NotFound(self.name())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(CgroupError::NotFound(self.name())),
            Err(error) => Err(self.error("read the id of", error)),
        }
    }

    /// Opens its directory, as the kernel wants it to attach programs.
    pub fn open(&self) -> Result<File, CgroupError> {
        File::open(&self.full).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => CgroupError::NotFound(self.name()),
            _ => self.error("open", error),
        })
    }

    /// Makes it and what is missing above it. No error if it exists.
    pub fn create(&self) -> Result<(), CgroupError> {
        fs::create_dir_all(&self.full).map_err(|error| self.error("create", error))
    }

    /// Removes it; it must be empty. No error if it does not exist.
    pub fn remove(&self) -> Result<(), CgroupError> {
        match fs::remove_dir(&self.full) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.error("remove", error)),
            _ => Ok(()),
        }
    }

    /// Moves a process (all of its threads) into it. Its open sockets stay with the cgroup they were made in.
    pub fn admit(&self, pid: u32) -> Result<(), CgroupError> {
        fs::write(self.full.join("cgroup.procs"), pid.to_string())
            .map_err(|error| self.error("move a process into", error))
    }

    /// The processes directly in it, in no order; processes of other pid namespaces show as 0 and are left out.
    pub fn processes(&self) -> Result<Vec<u32>, CgroupError> {
        let list = fs::read_to_string(self.full.join("cgroup.procs"))
            .map_err(|error| self.error("list the processes of", error))?;
        Ok(list.lines().filter_map(|line| line.parse().ok()).filter(|&pid| pid != 0).collect())
    }

    /// This cgroup and all below it; those that go meanwhile are left out.
    pub fn with_all_below(&self) -> Result<Vec<Self>, CgroupError> {
        let mut found = vec![self.clone()];
        let mut next = 0;
        while let Some(directory) = found.get(next).map(|cgroup| cgroup.full.clone()) {
            next += 1;
            match fs::read_dir(&directory) {
                Ok(entries) => found.extend(
                    entries
                        .flatten()
                        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                        .map(|entry| Self { mount: Arc::clone(&self.mount), full: entry.path() }),
                ),
                Err(error) if next == 1 => return Err(self.error("list what is below", error)),
                Err(_) => {}
            }
        }
        Ok(found)
    }

    /// Whether a process is in it or below it.
    pub fn is_populated(&self) -> Result<bool, CgroupError> {
        let events = fs::read_to_string(self.full.join("cgroup.events"))
            .map_err(|error| self.error("read the state of", error))?;
        Ok(events.lines().any(|line| line == "populated 1"))
    }

    /// Whether it was asked to be frozen, by whomever.
    pub fn is_freezing(&self) -> Result<bool, CgroupError> {
        let state = fs::read_to_string(self.full.join("cgroup.freeze"))
            .map_err(|error| self.error("read the state of", error))?;
        Ok(state.trim() == "1")
    }

    /// Stops every process in it and below it, or lets them run again (Linux 5.2). Stopping takes a moment: see
    /// [`is_frozen`](Self::is_frozen).
    pub fn freeze(&self, freeze: bool) -> Result<(), CgroupError> {
        let (what, state) = if freeze { ("freeze", "1") } else { ("thaw", "0") };
        fs::write(self.full.join("cgroup.freeze"), state).map_err(|error| self.error(what, error))
    }

    /// Whether every process in it and below it stands still.
    pub fn is_frozen(&self) -> Result<bool, CgroupError> {
        let events = fs::read_to_string(self.full.join("cgroup.events"))
            .map_err(|error| self.error("read the state of", error))?;
        Ok(events.lines().any(|line| line == "frozen 1"))
    }

    /// Kills every process in it and below it (`cgroup.kill`, Linux 5.14).
    pub fn kill(&self) -> Result<(), CgroupError> {
        fs::write(self.full.join("cgroup.kill"), "1")
            .map_err(|error| self.error("kill the processes of", error))
    }

    fn error(&self, what: &'static str, source: io::Error) -> CgroupError {
        CgroupError::System { what, path: self.full.clone(), source }
    }
}

impl fmt::Display for CgroupPath {
    /// The path from the hierarchy's root.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name().display().fmt(f)
    }
}

/// mountinfo writes space, tab, newline and backslash as `\` and three octal digits.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        match after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}
