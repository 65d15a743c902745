//! The kernel programs: they send the TCP connections of governed cgroups to the host agent, carry the original
//! destination and the caller's identity over to the accepted socket, and refuse what could go around that.
//!
//! Attached to a governed cgroup (and so to everything below it): `sock_create`, `bind4`, `bind6`, `setsockopt`,
//! `device`, `ingress`, `egress`, `connect4`, `connect6`, `sendmsg4`, `sendmsg6`, `recvmsg4`, `recvmsg6`, `getpeername4`,
//! `getpeername6`, `sockops_client`. Attached to the host agent's own cgroup: `sockops_proxy`. To the host: `executed`, `entered` and,
//! where it may be, `security`.
//!
//! The way of an origin: connect hook → the client socket's storage (`SOCKETS`) → `FLOWS` by the connection's
//! addresses, before the SYN leaves → the accepted socket's storage (`ORIGINS`), before `accept` can return.
//!
//! Lookups (datagrams to port 53) go to the host agent the same way: `sendmsg` and `connect` hooks → `DATAGRAMS` by the
//! packet's addresses, before it leaves.
//!
//! What a program can't find, it refuses: no listener, an unknown caller, no memory all mean EPERM for the caller. Each
//! refusal is counted, and told to the host agent through `REFUSALS`.
#![no_std]
#![no_main]

mod bind;
mod bind4;
mod bind6;
mod caller;
mod connect4;
mod connect6;
mod context;
mod counts;
mod datagram;
mod device;
mod egress;
mod entered;
mod executed;
mod getpeername4;
mod getpeername6;
mod ingress;
mod listener;
mod maps;
mod memory;
mod packet;
mod program;
mod recvmsg4;
mod recvmsg6;
mod redirect;
mod refusals;
mod security;
mod sendmsg4;
mod sendmsg6;
mod setsockopt;
mod sock_create;
mod sockops;
mod sockops_client;
mod sockops_proxy;
mod traffic;

/// The kernel offers the helpers used here to GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Nothing here can panic (the linker drops this); the language wants it all the same.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
