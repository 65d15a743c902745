//! Opening and making device nodes: none that packets or virtual machines could be made with.
use crate::{counts::verdict, maps::DEVICES, refusals::Attempt};
use aya_ebpf::{macros::cgroup_device, programs::DeviceContext};
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
    let decision = match listed && access & 0xffff == CHARACTER {
        true => Err(Count::Device),
        false => Ok(None),
    };
    verdict(decision, Attempt { detail: [major, minor], ..Attempt::default() })
}
