//! Which ports a governed process may not bind to.
use crate::{context, maps::LISTENERS};
use aya_ebpf::{EbpfContext, helpers::generated::bpf_get_netns_cookie, programs::SockAddrContext};
use interlock_common::Count;

/// The listener's ports are not to be asked for on any address, also after the host agent was killed. (Connections would not
/// be sent there even so: see `listener`. A port that the kernel chooses is not seen here.)
#[inline(always)]
pub fn bind(ctx: &SockAddrContext) -> Result<Option<Count>, Count> {
    let port = context::port(ctx);
    // SAFETY: a valid context; the two ports are read at once, and a wrong one refuses or allows a bind at worst.
    let listener = unsafe { LISTENERS.get(&bpf_get_netns_cookie(ctx.as_ptr())) };
    match listener {
        Some(listener) if port != 0 && (port == listener.port4 || port == listener.port6) => Err(Count::Bind),
        _ => Ok(None),
    }
}
