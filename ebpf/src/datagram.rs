//! Datagrams: nothing leaves but DNS, and that as the host agent says: to itself, to the servers it is meant for, or not
//! at all. What a connected socket sends, the packet hooks decide.
use crate::{
    caller::caller,
    context::{self, UDP},
    listener,
    maps::CONFIG,
    redirect::{keep, listener_for, sockets},
};
use aya_ebpf::{EbpfContext, helpers::generated::bpf_sk_storage_get, programs::SockAddrContext};
use core::ptr::null_mut;
use interlock_common::{Address, CONFIG_DNS_ANSWERED, CONFIG_DNS_PASSES, Count, Origin, STATE_IDLE};

/// The port of DNS.
const DNS: u16 = 53;

/// What a hook shall do with the address that a datagram is sent, or its socket connected, to.
pub enum Datagram {
    /// Replace it: the host agent answers.
    To(Address, u16),
    /// Leave it.
    Leave,
    /// Leave it, a lookup that may go where it wants to.
    Passes,
}

/// Decides on a datagram that is sent to an address.
#[inline(always)]
pub fn sent(ctx: &SockAddrContext, address: Address, port: u16) -> Result<Datagram, Count> {
    match toward(ctx, address, port)? {
        // The packet hook sees whether it was this socket's lookup that was sent there.
        Datagram::Leave if port != 0 && is_redirected(ctx, &address, port) => Ok(Datagram::Leave),
        Datagram::Leave => Err(Count::Datagram),
        other => Ok(other),
    }
}

/// Decides on connecting a datagram socket. That sends nothing: programs do it to learn which of their addresses would be
/// used, too. What they send then, the packet hooks see.
#[inline(always)]
pub fn connected(ctx: &SockAddrContext, address: Address, port: u16) -> Result<Datagram, Count> {
    let decided = toward(ctx, address, port)?;
    if matches!(decided, Datagram::Leave) && answers() && !is_redirected(ctx, &address, port) {
        // `getpeername` must not tell of an earlier server.
        keep(ctx, &caller()?, address, port, 0, STATE_IDLE)?;
    }
    Ok(decided)
}

#[inline(always)]
fn toward(ctx: &SockAddrContext, address: Address, port: u16) -> Result<Datagram, Count> {
    if port != DNS {
        return Ok(Datagram::Leave);
    }
    if passes() {
        return Ok(Datagram::Passes);
    }
    if !answers() {
        return Ok(Datagram::Leave);
    }
    let caller = caller()?;
    let (_, to, to_port) = listener_for(ctx, &address)?;
    if !listener::is_ours(ctx.as_ptr(), UDP, &to, to_port) {
        return Err(Count::ListenerNotOurs);
    }
    keep(ctx, &caller, address.specified(), port, to_port, STATE_IDLE)?;
    Ok(Datagram::To(to, to_port))
}

/// Whether this is where a lookup of this socket was sent: by a program on a cgroup below, in this same call, or by an
/// earlier one.
#[inline(always)]
fn is_redirected(ctx: &SockAddrContext, address: &Address, port: u16) -> bool {
    // SAFETY: map and socket are what the helper takes; null or a value of the map.
    let mark = unsafe {
        bpf_sk_storage_get(sockets(), context::socket(ctx), null_mut(), 0).cast::<Origin>().as_ref()
    };
    address.reaches_loopback() && mark.is_some_and(|mark| mark.via_port == port && mark.port == DNS)
}

/// Restores where a datagram came from, as its receiver knows it.
#[inline(always)]
pub fn received(ctx: &SockAddrContext, address: Address) -> Option<(Address, u16)> {
    // SAFETY: as above.
    let mark = unsafe {
        bpf_sk_storage_get(sockets(), context::socket(ctx), null_mut(), 0).cast::<Origin>().as_ref()
    }?;
    (address.reaches_loopback() && context::port(ctx) == mark.via_port).then_some((mark.address, mark.port))
}

/// Whether datagrams to name servers go where they want to.
#[inline(always)]
pub fn passes() -> bool {
    has(CONFIG_DNS_PASSES)
}

/// Whether the host agent answers them.
#[inline(always)]
pub fn answers() -> bool {
    has(CONFIG_DNS_ANSWERED)
}

#[inline(always)]
fn has(flag: u32) -> bool {
    CONFIG.get(0).is_some_and(|config| config.flags & flag != 0)
}
