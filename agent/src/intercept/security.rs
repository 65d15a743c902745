//! The second layer: programs at the kernel's security hooks (BPF LSM), where the kernel has them.
//!
//! They are for the whole host, so there is one set of them, pinned beside the maps. A newer host agent attaches its own
//! before it takes the older ones away: for a moment both decide, never none.
use super::{
    layout,
    pins::{self, Pins},
    sys,
};
use aya::{Btf, Ebpf, programs::Lsm};
use std::{fs, io, os::fd::AsFd, path::Path, sync::OnceLock};

/// The list of security modules that are in force.
pub(super) const LIST: &str = "/sys/kernel/security/lsm";
/// Ends the name of a pin that is to take the place of an older one. (The BPF file system refuses names with a dot.)
const NEXT: &str = "-next";

/// A program, and the hook it is for.
struct Hook {
    program: &'static str,
    name: &'static str,
    /// Since when kernels have it, if not all that are supported do.
    since: Option<&'static str>,
}

const fn hook(program: &'static str, name: &'static str) -> Hook {
    Hook { program, name, since: None }
}

/// First what marks, then what asks for marks.
const HOOKS: [Hook; 16] = [
    hook("lsm_socket_post_create", "socket_post_create"),
    hook("lsm_socket_create", "socket_create"),
    hook("lsm_unix_stream_connect", "unix_stream_connect"),
    hook("lsm_unix_may_send", "unix_may_send"),
    hook("lsm_file_receive", "file_receive"),
    hook("lsm_file_open", "file_open"),
    hook("lsm_ptrace_access_check", "ptrace_access_check"),
    hook("lsm_bpf", "bpf"),
    hook("lsm_task_alloc", "task_alloc"),
    hook("lsm_inode_unlink", "inode_unlink"),
    hook("lsm_inode_rmdir", "inode_rmdir"),
    hook("lsm_inode_rename", "inode_rename"),
    hook("lsm_sb_mount", "sb_mount"),
    hook("lsm_sb_umount", "sb_umount"),
    hook("lsm_move_mount", "move_mount"),
    Hook { program: "lsm_userns_create", name: "userns_create", since: Some("6.1") },
];

/// Whether the layer is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// Hooks that are attached.
    pub attached: Vec<&'static str>,
    /// What is missing and why, in one sentence; `None` if nothing is.
    pub missing: Option<String>,
}

impl Security {
    /// A layer that is not there.
    pub(super) fn absent(why: impl Into<String>) -> Self {
        Self { attached: Vec::new(), missing: Some(why.into()) }
    }
}

/// Whether the hooks can be had; the reason why not.
pub(super) fn possible() -> Result<(), String> {
    match fs::read_to_string(LIST) {
        Ok(list) if !list.trim().split(',').any(|name| name == "bpf") => {
            return Err(format!(
                "`bpf` is not among the kernel's security modules: boot with `lsm={},bpf`",
                list.trim()
            ));
        }
        Err(error) => return Err(format!("{LIST} can't be read ({error}): mount securityfs")),
        Ok(_) => {}
    }
    layout::running().map(drop)
}

/// Loads and attaches what can be, and takes away what an earlier host agent had attached. Call it when the layout is
/// written.
pub(super) fn attach(ebpf: &mut Ebpf, pins: &Pins) -> Security {
    let mut security = Security::default();
    let btf = match kernel_types() {
        Ok(btf) => btf,
        Err(why) => return Security::absent(why),
    };
    if let Err(error) = pins::make_directory(&pins.security()) {
        return Security::absent(error.to_string());
    }
    for hook in &HOOKS {
        match attach_one(ebpf, btf, hook, &pins.security()) {
            Ok(()) => security.attached.push(hook.name),
            Err(error) => {
                let since = hook.since.map_or(String::new(), |since| format!(" (Linux {since})"));
                security.missing =
                    Some(format!("the kernel does not take hook `{}`{since}: {error}", hook.name));
                // Where the first is refused, all are.
                if security.attached.is_empty() {
                    break;
                }
            }
        }
    }
    security
}

fn kernel_types() -> Result<&'static Btf, String> {
    static TYPES: OnceLock<Result<Btf, String>> = OnceLock::new();
    TYPES
        .get_or_init(|| Btf::from_sys_fs().map_err(|error| error.to_string()))
        .as_ref()
        .map_err(String::clone)
}

fn attach_one(ebpf: &mut Ebpf, btf: &Btf, hook: &Hook, directory: &Path) -> Result<(), String> {
    let program = ebpf.program_mut(hook.program).ok_or("it is not in the embedded object")?;
    let lsm = <&mut Lsm>::try_from(program).map_err(|error| error.to_string())?;
    lsm.load(hook.name, btf).map_err(|error| format!("loading: {}", super::programs::explain(&error)))?;
    let fd = lsm.fd().map_err(|error| error.to_string())?;
    let link = sys::attach_to_tracepoint(fd.as_fd()).map_err(|error| format!("attaching: {error}"))?;
    replace(link.as_fd(), &directory.join(hook.name)).map_err(|error| format!("pinning: {error}"))
}

/// Pins a link in the place of an older one, which ends with its last pin.
fn replace(link: std::os::fd::BorrowedFd<'_>, pin: &Path) -> io::Result<()> {
    let mut next = pin.as_os_str().to_owned();
    next.push(NEXT);
    let next = Path::new(&next);
    for stale in [next, pin] {
        // The new link holds by its descriptor until it is pinned.
        match fs::remove_file(stale) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if stale == next {
            sys::pin(link, next)?;
        }
    }
    fs::rename(next, pin)
}
