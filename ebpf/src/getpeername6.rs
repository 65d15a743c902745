//! `getpeername(2)` on an IPv6 socket: tells the client what it connected to, not our listener.
use crate::{context, counts::ALLOW, redirect::sockets};
use aya_ebpf::{helpers::generated::bpf_sk_storage_get, macros::cgroup_sock_addr, programs::SockAddrContext};
use core::ptr::null_mut;
use interlock_common::Origin;

/// May only allow: the kernel refuses a program for this hook that could return anything else.
#[cgroup_sock_addr(getpeername6)]
pub fn getpeername6(ctx: SockAddrContext) -> i32 {
    // SAFETY: map and socket are what the helper takes.
    let origin =
        unsafe { bpf_sk_storage_get(sockets(), context::socket(&ctx), null_mut(), 0) }.cast::<Origin>();
    if !origin.is_null() {
        // SAFETY: non-null.
        let origin = unsafe { &*origin };
        if context::address6(&ctx).reaches_loopback() && context::port(&ctx) == origin.via_port {
            context::set6(&ctx, &origin.address, origin.port);
        }
    }
    ALLOW
}
