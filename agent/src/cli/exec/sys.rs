//! The system calls of `exec` that have no safe wrapper.

use seccompiler::sock_filter;
use std::io;

/// Marks every open file from this number on to be closed by the next `exec`. Linux 5.11.
#[expect(unsafe_code, reason = "close_range has no safe wrapper in nix or std")]
pub(super) fn close_on_exec_from(first: u32) -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC.cast_signed();
    // SAFETY: takes no pointers; with CLOEXEC it closes nothing now, so that no open file of this process becomes invalid.
    let done = unsafe { libc::close_range(first, u32::MAX, flags) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Installs a seccomp filter for this thread and what it becomes. Without "no new privileges" only root may.
#[expect(unsafe_code, reason = "seccompiler's own function always sets \"no new privileges\"")]
pub(super) fn install(filter: &[sock_filter]) -> io::Result<()> {
    let length = u16::try_from(filter.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    // seccompiler's instruction is laid out as libc's (linux/filter.h), and only read.
    let program = libc::sock_fprog { len: length, filter: filter.as_ptr().cast_mut().cast() };
    // SAFETY: pointer and length are those of one live slice, which the kernel copies.
    let done =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program, 0, 0) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
