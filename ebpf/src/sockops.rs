//! What the two sockops programs have in common: reading a connection's ends.
use aya_ebpf::{EbpfContext, helpers::generated::bpf_get_netns_cookie, programs::SockOpsContext};
use core::{
    ffi::c_void,
    ptr::{addr_of, read_volatile},
};
use interlock_common::{Address, FlowKey};

/// `AF_INET`.
const INET: u32 = 2;

/// A sockops program's return value: done (only programs that set a reply return anything else).
pub const DONE: u32 = 1;

/// The socket, or null if it is not a full one.
#[inline(always)]
pub fn socket(ctx: &SockOpsContext) -> *mut c_void {
    // SAFETY: the context is valid for the whole run.
    unsafe { read_volatile(addr_of!((*ctx.ops).__bindgen_anon_2.sk)) }.cast()
}

/// One end of a connection.
pub struct End {
    address: Address,
    port: u32,
}

impl End {
    /// Both forms are read, and only then is one chosen: a choice between reads becomes a read at a chosen offset,
    /// which the verifier refuses.
    #[inline(always)]
    fn new(ctx: &SockOpsContext, word: u32, words: [u32; 4], port: u32) -> Self {
        let address = match ctx.family() {
            INET => Address::mapped(word),
            _ => Address(words),
        };
        Self { address, port }
    }
}

/// This socket's own end. The kernel gives its port in host byte order.
#[inline(always)]
pub fn local(ctx: &SockOpsContext) -> End {
    let ops = ctx.ops;
    // SAFETY: the context is valid for the whole run; volatile as in `context`.
    let (word, words, port) = unsafe {
        (
            read_volatile(addr_of!((*ops).local_ip4)),
            [
                read_volatile(addr_of!((*ops).local_ip6[0])),
                read_volatile(addr_of!((*ops).local_ip6[1])),
                read_volatile(addr_of!((*ops).local_ip6[2])),
                read_volatile(addr_of!((*ops).local_ip6[3])),
            ],
            read_volatile(addr_of!((*ops).local_port)),
        )
    };
    End::new(ctx, word, words, port)
}

/// The other end. The kernel gives its port in network byte order.
#[inline(always)]
pub fn remote(ctx: &SockOpsContext) -> End {
    let ops = ctx.ops;
    // SAFETY: as above.
    let (word, words, port) = unsafe {
        (
            read_volatile(addr_of!((*ops).remote_ip4)),
            [
                read_volatile(addr_of!((*ops).remote_ip6[0])),
                read_volatile(addr_of!((*ops).remote_ip6[1])),
                read_volatile(addr_of!((*ops).remote_ip6[2])),
                read_volatile(addr_of!((*ops).remote_ip6[3])),
            ],
            read_volatile(addr_of!((*ops).remote_port)),
        )
    };
    End::new(ctx, word, words, u32::from_be(port))
}

/// The key of a connection in `FLOWS`.
#[inline(always)]
pub fn key(ctx: &SockOpsContext, client: End, listener: End) -> FlowKey {
    FlowKey {
        // SAFETY: a valid context.
        netns: unsafe { bpf_get_netns_cookie(ctx.as_ptr()) },
        client: client.address,
        listener: listener.address,
        client_port: client.port,
        listener_port: listener.port,
    }
}
