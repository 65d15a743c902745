//! Reading what the kernel keeps in its own memory, by offsets that the host agent has looked up.
use crate::maps::LAYOUT;
use aya_ebpf::helpers::bpf_probe_read_kernel;
use core::ptr::read_volatile;
use interlock_common::Layout;

/// 1 where programs may read the kernel's memory: written by the host agent before they are loaded. Where it is 0 (a kernel in
/// lockdown), the verifier never gets to see the calls that it would refuse.
#[unsafe(no_mangle)]
static READS_KERNEL: u32 = 0;

/// Whether the kernel's memory can be read.
#[inline(always)]
pub fn is_readable() -> bool {
    // SAFETY: a static; volatile, because the compiler would take it for 0.
    unsafe { read_volatile(&raw const READS_KERNEL) != 0 }
}

/// The running kernel's offsets. There is always one; the compiler can't know.
#[inline(always)]
pub fn layout() -> Option<&'static Layout> {
    LAYOUT.get(0)
}

/// Reads a value that lies `offset` bytes behind an address of the kernel; a bad address reads as `None`.
#[inline(always)]
pub fn read<T>(address: u64, offset: u32) -> Option<T> {
    let address = address.checked_add(u64::from(offset))? as *const T;
    // SAFETY: the helper checks the address; every `T` used here is an integer.
    unsafe { bpf_probe_read_kernel(address) }.ok()
}
