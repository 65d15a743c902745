//! Where a TCP connection goes: what `connect4` and `connect6` have in common.
use crate::{
    caller::{Caller, caller},
    context::{self, TCP},
    listener,
    maps::{LISTENERS, SOCKETS},
};
use aya_ebpf::{
    EbpfContext,
    helpers::{
        bpf_get_current_pid_tgid,
        generated::{bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_sk_storage_get},
    },
    programs::SockAddrContext,
};
use aya_log_ebpf::warn;
use core::ptr::{from_ref, null_mut};
use interlock_common::{Address, Count, Listener, Origin, STATE_IDLE, STATE_PENDING};

/// What the connect hook shall do with the call's address.
pub enum Way {
    /// Replace it.
    To(Address, u16),
    /// A server of the same agent, at this address.
    Local(Address),
    /// Leave it: a program on a cgroup below has replaced it already, in this same call.
    Done,
}

/// Decides on a TCP connect to `address` and `port`, and keeps the origin on the socket.
#[inline(always)]
pub fn redirect(ctx: &SockAddrContext, address: Address, port: u16) -> Result<Way, Count> {
    let caller = caller()?;
    if address.reaches_loopback() {
        // The kernel's choice for an unspecified address depends on the socket: it is taken from it.
        let address = address.specified();
        if listener::is_same_agents(ctx, &address, port, &caller) {
            keep(ctx, &caller, address, port, port, STATE_IDLE)?;
            return Ok(Way::Local(address));
        }
    }
    let (listener, to, to_port) = listener_for(ctx, &address)?;
    if address.reaches_loopback() && (port == listener.port4 || port == listener.port6) {
        let thread = bpf_get_current_pid_tgid() as u32;
        return match pending(ctx, thread) && address == to && port == to_port {
            true => Ok(Way::Done),
            false => Err(Count::OwnListener),
        };
    }
    if !listener::is_ours(ctx.as_ptr(), TCP, &to, to_port) {
        return Err(Count::ListenerNotOurs);
    }
    keep(ctx, &caller, address, port, to_port, STATE_PENDING)?;
    Ok(Way::To(to, to_port))
}

/// Keeps on the socket who connects, and where it wants to go and where it does.
#[inline(always)]
pub fn keep(
    ctx: &SockAddrContext,
    caller: &Caller,
    address: Address,
    port: u16,
    via_port: u16,
    state: u16,
) -> Result<(), Count> {
    // SAFETY: map and socket are what the helper takes; it makes a zeroed value if there is none, which is so for a
    // socket from before the cgroup was governed.
    let origin =
        unsafe { bpf_sk_storage_get(sockets(), context::socket(ctx), null_mut(), 1) }.cast::<Origin>();
    if origin.is_null() {
        warn!(
            ctx,
            "no memory to keep the destination of a connection of process {}",
            (bpf_get_current_pid_tgid() >> 32) as u32
        );
        return Err(Count::NoMemory);
    }
    // SAFETY: a valid context.
    let (cookie, netns) =
        unsafe { (bpf_get_socket_cookie(ctx.as_ptr()), bpf_get_netns_cookie(ctx.as_ptr())) };
    // SAFETY: a non-null value of the map. The kernel holds the socket's lock throughout connect, so nobody else
    // writes it; a getpeername hook may read a mix of two connects that follow each other.
    unsafe {
        *origin = Origin { address, port, via_port, state, ..caller.mark(cookie, netns) };
    }
    Ok(())
}

/// The published listener of the socket's network namespace, and its address for this destination's family.
#[inline(always)]
pub fn listener_for(ctx: &SockAddrContext, address: &Address) -> Result<(Listener, Address, u16), Count> {
    // SAFETY: a valid context.
    let netns = unsafe { bpf_get_netns_cookie(ctx.as_ptr()) };
    // SAFETY: copied at once. Should the entry be replaced meanwhile and its memory used again, `is_ours` finds no
    // socket of ours at what was read.
    let listener = *unsafe { LISTENERS.get(&netns) }.ok_or(Count::NoListener)?;
    let (to, port) = match address.is_mapped() {
        true => (listener.address4, listener.port4),
        false => (listener.address6, listener.port6),
    };
    match port {
        0 => Err(Count::NoListener),
        _ => Ok((listener, to, port)),
    }
}

/// Whether a connect hook has redirected this thread's call already. It stays so if the kernel gives a call up before
/// the SYN; then a direct connect to the listener by the same thread and socket counts as the call that failed.
#[inline(always)]
fn pending(ctx: &SockAddrContext, thread: u32) -> bool {
    // SAFETY: as in `redirect`, without making a value.
    let origin =
        unsafe { bpf_sk_storage_get(sockets(), context::socket(ctx), null_mut(), 0) }.cast::<Origin>();
    // SAFETY: non-null.
    !origin.is_null() && unsafe { (*origin).state == STATE_PENDING && (*origin).thread == thread }
}

/// `SOCKETS`, as the helpers take it.
#[inline(always)]
pub fn sockets() -> *mut core::ffi::c_void {
    from_ref(&SOCKETS).cast_mut().cast()
}
