//! The client's side of the hand-over: writes a redirected connection's origin to `FLOWS` before its SYN leaves.
use crate::{
    counts::count,
    maps::{CLOSED, FLOWS},
    redirect::sockets,
    refusals::{Attempt, tell_of_socket},
    sockops::{DONE, key, local, remote, socket},
};
use aya_ebpf::{
    EbpfContext,
    bindings::{BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG, BPF_SOCK_OPS_TCP_CONNECT_CB},
    helpers::generated::{bpf_get_socket_cookie, bpf_ringbuf_query, bpf_sk_storage_get},
    macros::sock_ops,
    programs::SockOpsContext,
};
use aya_log_ebpf::warn;
use core::ptr::{addr_of, from_ref, null_mut, read_volatile};
use interlock_common::{CLOSED_BYTES, Closed, Count, Origin, STATE_IDLE, STATE_PENDING};

/// `TCP_CLOSE`.
const ENDED: u32 = 7;

#[sock_ops]
pub fn sockops_client(ctx: SockOpsContext) -> u32 {
    match ctx.op() {
        BPF_SOCK_OPS_TCP_CONNECT_CB => connecting(&ctx),
        BPF_SOCK_OPS_STATE_CB if ctx.arg(1) == ENDED => closed(&ctx),
        _ => {}
    }
    DONE
}

#[inline(always)]
fn connecting(ctx: &SockOpsContext) {
    let socket = socket(ctx);
    if socket.is_null() {
        return;
    }
    // SAFETY: map and socket are what the helper takes.
    let origin = unsafe { bpf_sk_storage_get(sockets(), socket, null_mut(), 0) }.cast::<Origin>();
    if origin.is_null() {
        return;
    }
    // SAFETY: non-null; the kernel holds the socket's lock.
    let origin = unsafe { &mut *origin };
    if origin.state != STATE_PENDING {
        return; // A program on another level of the hierarchy has been here.
    }
    origin.state = STATE_IDLE;
    // An older entry of this key can only be a connection that never completed: replace it.
    if FLOWS.insert(&key(ctx, local(ctx), remote(ctx)), &*origin, 0).is_err() {
        count(Count::FlowsFull);
        let attempt = Attempt { address: Some(origin.address), port: origin.port, ..Attempt::default() };
        tell_of_socket(Count::FlowsFull, attempt, Some(&*origin), 0);
        warn!(ctx, "no room to hand over a connection of process {}; it will be closed", origin.pid);
        return;
    }
    // Tells us when the connection ends, to remove an entry that nobody fetched. Should this fail, the entry stays
    // until the same addresses and ports are used again.
    let _ = ctx.set_cb_flags(ctx.cb_flags() as i32 | BPF_SOCK_OPS_STATE_CB_FLAG as i32);
}

#[inline(always)]
fn closed(ctx: &SockOpsContext) {
    tell(ctx);
    let key = key(ctx, local(ctx), remote(ctx));
    // SAFETY: one field is read at once. Should the entry be another's by then, its cookie differs.
    let Some(flow) = (unsafe { FLOWS.get(&key) }) else { return };
    // SAFETY: a valid context.
    if flow.cookie == unsafe { bpf_get_socket_cookie(ctx.as_ptr()) } {
        // Fails only if it is gone already.
        let _ = FLOWS.remove(&key);
    }
}

/// What the kernel has counted, for the host agent to hold against what it has read and written. There is no hurry: it looks
/// now and then, and is woken only when there may be no more room soon.
#[inline(always)]
fn tell(ctx: &SockOpsContext) {
    /// `BPF_RB_AVAIL_DATA`, `BPF_RB_NO_WAKEUP`, `BPF_RB_FORCE_WAKEUP`.
    const AVAILABLE: u64 = 0;
    const NO_WAKEUP: u64 = 1;
    const FORCE_WAKEUP: u64 = 2;
    // What finds no room is not held against anything.
    let Some(mut place) = CLOSED.reserve(0) else { return };
    // SAFETY: the context is valid for the whole run, and a socket that ends is a full one.
    let (acknowledged, received) = unsafe {
        (read_volatile(addr_of!((*ctx.ops).bytes_acked)), read_volatile(addr_of!((*ctx.ops).bytes_received)))
    };
    // SAFETY: a valid context.
    let cookie = unsafe { bpf_get_socket_cookie(ctx.as_ptr()) };
    place.write(Closed { cookie, acknowledged, received });
    // SAFETY: map and flag are what the helper takes.
    let available = unsafe { bpf_ringbuf_query(from_ref(&CLOSED).cast_mut().cast(), AVAILABLE) };
    let is_filling = available > CLOSED_BYTES as u64 / 2;
    place.submit(if is_filling { FORCE_WAKEUP } else { NO_WAKEUP });
}
