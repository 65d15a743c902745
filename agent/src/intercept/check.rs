//! What `interlock doctor` says about the kernel side: one line each, with the remedy.
use super::{
    error::Unavailable,
    object::{KERNEL_MIN, kernel_version, may_create_maps, object},
    pins::{self, Paths},
};
use crate::cgroup::Hierarchy;
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

/// One line of `interlock doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at: `cgroup v2`.
    pub name: String,
    /// How it is.
    pub state: State,
    /// What was found, in a few words.
    pub detail: String,
    /// What to do about it; empty if it is ok.
    pub remedy: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// Works, with less protection or comfort; the detail says what is lost.
    Degraded,
    /// Does not work.
    Broken,
}

impl Check {
    /// A line that needs no remedy.
    pub fn ok(name: &str, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state: State::Ok, detail: detail.into(), remedy: String::new() }
    }

    /// A line about something that works with less.
    pub fn degraded(name: &str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state: State::Degraded, detail: detail.into(), remedy: remedy.into() }
    }

    /// A line about something that does not work.
    pub fn broken(name: &str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state: State::Broken, detail: detail.into(), remedy: remedy.into() }
    }
}

/// Looks at everything the kernel side needs. Changes nothing.
pub fn checks(paths: &Paths) -> Vec<Check> {
    vec![kernel(), programs(), rights(), cgroup(), btf(), lsm(), bpffs(paths)]
}

fn kernel() -> Check {
    let (release, version) = kernel_version();
    match version >= KERNEL_MIN {
        true => Check::ok("kernel", release),
        false => {
            let (major, minor) = KERNEL_MIN;
            Check::broken("kernel", release, format!("install Linux {major}.{minor} or newer"))
        }
    }
}

fn programs() -> Check {
    const NAME: &str = "kernel programs";
    match object() {
        Ok(object) => Check::ok(NAME, format!("embedded, {} KiB", object.len() / 1024)),
        Err(error) => Check::broken(
            NAME,
            "this binary was built without them",
            remedy_of(&error, "build with `cargo xtask ebpf`"),
        ),
    }
}

fn remedy_of(error: &Unavailable, otherwise: &str) -> String {
    let text = error.to_string();
    text.split_once(": ").map_or_else(|| otherwise.to_owned(), |(_, remedy)| remedy.to_owned())
}

fn rights() -> Check {
    const NAME: &str = "bpf";
    match may_create_maps() {
        Ok(()) => Check::ok(NAME, "maps and programs may be loaded"),
        Err(error) if !nix::unistd::geteuid().is_root() => Check::broken(
            NAME,
            error.to_string(),
            "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN",
        ),
        Err(error) => Check::broken(
            NAME,
            error.to_string(),
            "give the container CAP_BPF and CAP_SYS_ADMIN, or run on the host; the kernel needs CONFIG_BPF_SYSCALL \
             and CONFIG_CGROUP_BPF",
        ),
    }
}

fn cgroup() -> Check {
    const NAME: &str = "cgroup v2";
    match Hierarchy::find() {
        Ok(hierarchy) => {
            let hybrid = hierarchy.mount() != Path::new("/sys/fs/cgroup");
            let how = if hybrid { " (hybrid)" } else { "" };
            Check::ok(NAME, format!("{}{how}", hierarchy.mount().display()))
        }
        Err(_) => Check::broken(
            NAME,
            "not mounted",
            "mount it: `mount -t cgroup2 none /sys/fs/cgroup`, or boot with systemd.unified_cgroup_hierarchy=1",
        ),
    }
}

fn btf() -> Check {
    const NAME: &str = "BTF";
    const FILE: &str = "/sys/kernel/btf/vmlinux";
    match fs::metadata(FILE) {
        Ok(file) => Check::ok(NAME, format!("{FILE}, {} KiB", file.len() / 1024)),
        Err(_) => Check::degraded(
            NAME,
            "the kernel carries no type information",
            "the BPF LSM layer needs a kernel with CONFIG_DEBUG_INFO_BTF=y; redirection works without",
        ),
    }
}

fn lsm() -> Check {
    const NAME: &str = "BPF LSM";
    match fs::read_to_string("/sys/kernel/security/lsm") {
        Ok(list) if list.trim().split(',').any(|name| name == "bpf") => Check::ok(
            NAME,
            format!("listed in {}; the daemon's line says whether it can be used", list.trim()),
        ),
        Ok(list) => Check::degraded(
            NAME,
            format!("not among {}", list.trim()),
            format!("the second layer is missing: boot with `lsm={},bpf` to have it", list.trim()),
        ),
        Err(_) => Check::degraded(
            NAME,
            "can't tell: securityfs is not readable",
            "mount it: `mount -t securityfs none /sys/kernel/security`",
        ),
    }
}

fn bpffs(paths: &Paths) -> Check {
    const NAME: &str = "pins";
    let directory = &paths.bpffs;
    let nearest = directory.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    if !pins::is_bpffs(nearest) {
        return Check::degraded(
            NAME,
            format!("no BPF file system at {}", directory.display()),
            "none to do: the host agent mounts it when it starts",
        );
    }
    match pins::list(&directory.join("cgroups")) {
        Ok(governed) => Check::ok(NAME, format!("{}, {} governed", directory.display(), governed.len())),
        Err(error) => Check::broken(NAME, error.to_string(), "run as root"),
    }
}
