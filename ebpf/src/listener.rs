//! Is what listens on the listener's address really the host agent's socket?
use crate::maps::OURS;
use aya_ebpf::{
    EbpfContext,
    bindings::{
        bpf_sock_tuple, bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1,
        bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2,
    },
    helpers::generated::{bpf_sk_lookup_tcp, bpf_sk_release, bpf_sk_storage_get},
    programs::SockAddrContext,
};
use core::{
    mem::zeroed,
    ptr::{from_ref, null_mut},
};
use interlock_common::Address;

/// `BPF_F_CURRENT_NETNS`: look in the network namespace of the context's socket.
const CURRENT_NETNS: u64 = u64::MAX;

/// Whether the socket listening on `address` and `port` carries the host agent's mark. While the host agent is dead,
/// another process can take the port: it must never be handed an agent's connections.
#[inline(always)]
pub fn is_ours(ctx: &SockAddrContext, address: &Address, port: u16) -> bool {
    // SAFETY: a union of plain integers.
    let mut tuple: bpf_sock_tuple = unsafe { zeroed() };
    let size = if address.is_mapped() {
        tuple.__bindgen_anon_1.ipv4.daddr = address.0[3];
        tuple.__bindgen_anon_1.ipv4.dport = port.to_be();
        size_of::<bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1>()
    } else {
        tuple.__bindgen_anon_1.ipv6.daddr = address.0;
        tuple.__bindgen_anon_1.ipv6.dport = port.to_be();
        size_of::<bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2>()
    };
    // SAFETY: tuple and size belong together; the socket is released below on the one path that has it.
    unsafe {
        let found = bpf_sk_lookup_tcp(ctx.as_ptr(), &raw mut tuple, size as u32, CURRENT_NETNS, 0);
        if found.is_null() {
            return false;
        }
        let mark = bpf_sk_storage_get(from_ref(&OURS).cast_mut().cast(), found.cast(), null_mut(), 0);
        let ours = !mark.is_null();
        bpf_sk_release(found.cast());
        ours
    }
}
