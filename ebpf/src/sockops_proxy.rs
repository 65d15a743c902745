//! The host agent's side of the hand-over: moves a connection's origin from `FLOWS` to the accepted socket.
use crate::{
    maps::{FLOWS, ORIGINS},
    sockops::{DONE, key, local, remote, socket},
};
use aya_ebpf::{
    bindings::BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, helpers::generated::bpf_sk_storage_get, macros::sock_ops,
    programs::SockOpsContext,
};
use aya_log_ebpf::warn;
use core::ptr::{from_ref, null_mut};
use interlock_common::Origin;

/// Runs when the client's ACK has made the accepted socket, before `accept` can return it. The client's SYN was sent
/// after its entry was written, so an accepted socket without an entry was not redirected.
#[sock_ops]
pub fn sockops_proxy(ctx: SockOpsContext) -> u32 {
    if ctx.op() == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB {
        accepted(&ctx);
    }
    DONE
}

#[inline(always)]
fn accepted(ctx: &SockOpsContext) {
    let socket = socket(ctx);
    if socket.is_null() {
        return;
    }
    let key = key(ctx, remote(ctx), local(ctx));
    // SAFETY: copied at once, and checked below.
    let Some(&flow) = (unsafe { FLOWS.get(&key) }) else { return };
    // The client may have been closed, and its entry removed and used for another connection, while it was copied:
    // then there is no entry of this cookie any more, and nobody who waits for an answer.
    // SAFETY: one field is read at once.
    if unsafe { FLOWS.get(&key) }.is_none_or(|again| again.cookie != flow.cookie) {
        return;
    }
    // SAFETY: map and socket are what the helper takes; it makes a zeroed value if there is none.
    let origin = unsafe { bpf_sk_storage_get(from_ref(&ORIGINS).cast_mut().cast(), socket, null_mut(), 1) }
        .cast::<Origin>();
    if origin.is_null() {
        warn!(ctx, "no memory to hand over a connection of process {}; it will be closed", flow.pid);
    } else {
        // SAFETY: non-null; nobody has this socket yet.
        unsafe { *origin = flow };
    }
    // Fails only if the client has removed it.
    let _ = FLOWS.remove(&key);
}
