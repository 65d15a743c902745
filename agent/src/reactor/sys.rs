//! Gives back a thread's restartable sequences (rseq(2)), which has no safe form.
//!
//! The C library registers every thread for them (glibc 2.35 and newer), so the kernel writes the CPU's number to the
//! thread's memory, and makes a detour on the way out for it, each time the thread comes to run: 7 % of the system time of a
//! thread that waits as often as a proxy's. Only `sched_getcpu` uses it, and asks the kernel without it.

/// Ends this thread's registration. False if there was none, or none that we know how to end.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) fn leave_rseq() -> bool {
    /// `RSEQ_FLAG_UNREGISTER`, include/uapi/linux/rseq.h.
    const UNREGISTER: libc::c_int = 1;
    /// The mark before an abort handler (glibc's sysdeps/unix/sysv/linux/*/bits/rseq.h), part of the registration.
    const MARK: u32 = if cfg!(target_arch = "x86_64") { 0x5305_3053 } else { 0xd428_bc00 };
    let Some((area, bytes)) = rseq_area() else { return false };
    // SAFETY: the kernel compares area, length and mark to the registration of this very thread, and refuses with EINVAL
    // if they are not the same. When it agrees it marks the area as unregistered, as glibc expects it of one.
    unsafe { libc::syscall(libc::SYS_rseq, area, bytes, UNREGISTER, MARK) == 0 }
}

/// Where this thread's registration is and how long, if the C library has made one.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) fn rseq_area() -> Option<(usize, u32)> {
    /// The least that glibc registers, whatever the kernel knows to fill.
    const BYTES_MIN: u32 = 32;
    // SAFETY: dlsym only reads the names. Where there are such symbols they are glibc's, of types `const ptrdiff_t` and
    // `const unsigned int` (its manual, "Restartable Sequences"), set before main and never changed.
    let (offset, bytes) = unsafe {
        let offset = libc::dlsym(libc::RTLD_DEFAULT, c"__rseq_offset".as_ptr());
        let bytes = libc::dlsym(libc::RTLD_DEFAULT, c"__rseq_size".as_ptr());
        if offset.is_null() || bytes.is_null() {
            return None;
        }
        (offset.cast::<isize>().read(), bytes.cast::<u32>().read())
    };
    // 0: glibc was told not to register (`glibc.pthread.rseq=0`), or the kernel has no rseq.
    (bytes > 0).then(|| (thread_pointer().wrapping_add_signed(offset), bytes.max(BYTES_MIN)))
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) const fn leave_rseq() -> bool {
    false
}

#[cfg(all(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(super) const fn rseq_area() -> Option<(usize, u32)> {
    None
}

#[cfg(target_arch = "x86_64")]
fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: the psABI keeps the thread pointer at `fs:0`; it is only read.
    unsafe { std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, preserves_flags, readonly)) };
    pointer
}

#[cfg(target_arch = "aarch64")]
fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: the register holds the thread pointer; it is only read.
    unsafe {
        std::arch::asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nostack, preserves_flags, nomem))
    };
    pointer
}
