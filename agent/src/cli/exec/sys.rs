//! The one system call of `exec` that has no safe wrapper.

use std::io;

/// Marks every open file from this number on to be closed by the next `exec`. Linux 5.11.
#[expect(unsafe_code, reason = "close_range has no safe wrapper in nix or std")]
pub(super) fn close_on_exec_from(first: u32) -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC.cast_signed();
    // SAFETY: takes no pointers; with CLOEXEC it closes nothing now, so that no open file of this process becomes invalid.
    let done = unsafe { libc::close_range(first, u32::MAX, flags) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
