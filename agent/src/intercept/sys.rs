//! The system calls that neither std, nix nor aya wraps: links to cgroups, and two socket options. All unsafe code of
//! `intercept` is here; everything that goes in and out is safe.
use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

/// Commands of `bpf(2)` (include/uapi/linux/bpf.h, `enum bpf_cmd`).
#[derive(Clone, Copy)]
#[repr(i32)]
enum Command {
    ObjPin = 6,
    ObjGet = 7,
    ObjGetInfoByFd = 15,
    RawTracepointOpen = 17,
    LinkCreate = 28,
    LinkUpdate = 29,
    LinkDetach = 34,
}

/// `attr` of BPF_OBJ_PIN and BPF_OBJ_GET.
#[repr(C)]
struct ObjAttr {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

/// `attr` of BPF_LINK_CREATE, as far as links to cgroups need it.
#[repr(C)]
struct LinkCreateAttr {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
}

/// `attr` of BPF_OBJ_GET_INFO_BY_FD.
#[repr(C)]
struct InfoAttr {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// `struct bpf_link_info` of a link to a cgroup.
#[repr(C)]
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    prog_id: u32,
    padding: u32,
    cgroup_id: u64,
    attach_type: u32,
    padding2: u32,
}

/// `attr` of BPF_RAW_TRACEPOINT_OPEN.
#[repr(C)]
struct RawTracepointAttr {
    name: u64,
    prog_fd: u32,
    reserved: u32,
}

/// `attr` of BPF_LINK_UPDATE.
#[repr(C)]
struct LinkUpdateAttr {
    link_fd: u32,
    new_prog_fd: u32,
    flags: u32,
    old_prog_fd: u32,
}

/// `attr` of BPF_LINK_DETACH.
#[repr(C)]
struct LinkDetachAttr {
    link_fd: u32,
}

/// Calls `bpf(2)`. `T` must be the leading part of `union bpf_attr` for the command; the kernel takes what is missing
/// for 0.
fn bpf<T>(command: Command, attr: &mut T) -> io::Result<i64> {
    // SAFETY: pointer and size are those of one live object, which the kernel reads, and writes at most that much.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command as libc::c_int, std::ptr::from_mut(attr), size_of::<T>())
    };
    match result {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

fn owned(fd: i64) -> io::Result<OwnedFd> {
    let fd = i32::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else has its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Descriptors are never negative.
fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().unsigned_abs()
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// Attaches a program to a cgroup. It stays attached as long as the link has a descriptor or a pin.
pub(super) fn link_create(
    program: BorrowedFd<'_>,
    cgroup: BorrowedFd<'_>,
    attach_type: u32,
) -> io::Result<OwnedFd> {
    let mut attr = LinkCreateAttr { prog_fd: raw(program), target_fd: raw(cgroup), attach_type, flags: 0 };
    owned(bpf(Command::LinkCreate, &mut attr)?)
}

/// Attaches a program to the hook that it was loaded for (security hooks are attached like tracepoints). It stays attached
/// as long as the link has a descriptor or a pin.
pub(super) fn attach_to_tracepoint(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = RawTracepointAttr { name: 0, prog_fd: raw(program), reserved: 0 };
    owned(bpf(Command::RawTracepointOpen, &mut attr)?)
}

/// The cgroup that a link is to; 0 if the kernel has detached it, since the cgroup and all of its sockets are gone.
pub(super) fn linked_cgroup(link: BorrowedFd<'_>) -> io::Result<u64> {
    let mut info = LinkInfo::default();
    let mut attr = InfoAttr {
        bpf_fd: raw(link),
        info_len: u32::try_from(size_of::<LinkInfo>()).unwrap_or(0),
        info: (&raw mut info) as u64,
    };
    bpf(Command::ObjGetInfoByFd, &mut attr)?;
    Ok(info.cgroup_id)
}

/// Puts another program in a link's place, atomically. `ENOLINK`: the cgroup is gone, or the link was detached.
pub(super) fn link_update(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = LinkUpdateAttr { link_fd: raw(link), new_prog_fd: raw(program), flags: 0, old_prog_fd: 0 };
    bpf(Command::LinkUpdate, &mut attr).map(drop)
}

/// Detaches at once. (Removing the last pin detaches too, but later, from a kernel worker.)
pub(super) fn link_detach(link: BorrowedFd<'_>) -> io::Result<()> {
    bpf(Command::LinkDetach, &mut LinkDetachAttr { link_fd: raw(link) }).map(drop)
}

/// Pins a link, program or map at a path in a BPF file system.
pub(super) fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    let mut attr = ObjAttr { pathname: path.as_ptr() as u64, bpf_fd: raw(object), file_flags: 0 };
    bpf(Command::ObjPin, &mut attr).map(drop)
}

/// Opens what is pinned at a path.
pub(super) fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let mut attr = ObjAttr { pathname: path.as_ptr() as u64, bpf_fd: 0, file_flags: 0 };
    owned(bpf(Command::ObjGet, &mut attr)?)
}

/// The cookie of a socket's network namespace: what programs see (`SO_NETNS_COOKIE`, Linux 5.14).
pub fn netns_cookie(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut cookie = 0u64;
    let mut size = size_of::<u64>() as libc::socklen_t;
    // SAFETY: value and size are live for the call, and the kernel writes at most `size` bytes.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut size,
        )
    };
    match result {
        0 => Ok(cookie),
        _ => Err(io::Error::last_os_error()),
    }
}
