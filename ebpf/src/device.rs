//! Opening and making device nodes: none that packets or virtual machines could be made with.
use crate::{
    counts::{ALLOW, DENY, count},
    maps::DEVICES,
    refusals::{Attempt, tell_of_socket},
};
use aya_ebpf::{helpers::bpf_get_current_cgroup_id, macros::cgroup_device, programs::DeviceContext};
use core::ptr::{addr_of, read_volatile};
use interlock_common::{Count, device_key};

/// `BPF_DEVCG_DEV_CHAR`, in the low half of `access_type`.
const CHARACTER: u32 = 2;

#[cgroup_device]
pub fn device(ctx: DeviceContext) -> i32 {
    // SAFETY: the context is valid for the whole run; volatile as in `context`.
    let (access, major, minor) = unsafe {
        (
            read_volatile(addr_of!((*ctx.device).access_type)),
            read_volatile(addr_of!((*ctx.device).major)),
            read_volatile(addr_of!((*ctx.device).minor)),
        )
    };
    // SAFETY: only whether there is an entry is looked at.
    let listed = unsafe { DEVICES.get(&device_key(major, minor)) }.is_some();
    if !listed || access & 0xffff != CHARACTER {
        return ALLOW;
    }
    count(Count::Device);
    // Before Linux 6.1 a program of this kind can't ask for the process, nor for cgroups above.
    // SAFETY: no arguments; never fails.
    let cgroup = unsafe { bpf_get_current_cgroup_id() };
    let attempt = Attempt { detail: [major, minor], ..Attempt::default() };
    tell_of_socket(Count::Device, attempt, None, cgroup);
    DENY
}
