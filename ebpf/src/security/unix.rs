//! Unix sockets: of the agent's own processes freely, of others by the name that the server has bound.
use super::{governed, refuse};
use crate::memory::{layout, read};
use crate::{
    caller::{Caller, caller},
    listener::is_same_agent,
    maps::UNIX_ALLOWED,
    redirect::sockets,
    refusals::Attempt,
};
use aya_ebpf::{
    helpers::{bpf_probe_read_kernel_str_bytes, generated::bpf_sk_storage_get},
    macros::lsm,
    programs::LsmContext,
};
use core::{ffi::c_void, ptr::null_mut};
use interlock_common::{Count, Origin, SOCKET_SK_OFFSET, UNIX_NAME_BYTES_MAX, UnixName};

/// `AF_UNIX`.
const UNIX: i32 = 1;
/// Bytes before the name in `struct sockaddr_un`.
const NAME_OFFSET: u32 = 2;

/// Marks what governed processes make, as `sock_create` does for IPv4 and IPv6.
#[lsm(hook = "socket_post_create")]
pub fn lsm_socket_post_create(ctx: LsmContext) -> i32 {
    let (socket, family): (*const c_void, i32) = (ctx.arg(0), ctx.arg(1));
    if family != UNIX {
        return 0;
    }
    let Ok(caller) = caller() else { return 0 };
    match mark(socket, &caller) {
        true => 0,
        // Without the mark it would be nobody's, and the agent's own processes could not reach it.
        false => refuse(Count::NoMemory, Attempt { family: UNIX as u32, ..Attempt::default() }),
    }
}

#[inline(always)]
fn mark(socket: *const c_void, caller: &Caller) -> bool {
    let mut made = caller.mark(0, 0);
    let sock = sock_of(socket);
    if sock.is_null() {
        return false; // Newer kernels make the verifier ask.
    }
    // SAFETY: map, socket and first value are what the helper takes.
    !unsafe { bpf_sk_storage_get(sockets(), sock, (&raw mut made).cast(), 1) }.is_null()
}

/// `socket->sk`, as a pointer that the verifier knows the type of.
#[inline(always)]
fn sock_of(socket: *const c_void) -> *mut c_void {
    // SAFETY: a socket of the hook's arguments; the host agent has compared the offset with the kernel's.
    unsafe { *socket.byte_add(SOCKET_SK_OFFSET).cast::<*mut c_void>() }
}

/// Arguments: the client's `struct sock`, the server's listening one.
#[lsm(hook = "unix_stream_connect")]
pub fn lsm_unix_stream_connect(ctx: LsmContext) -> i32 {
    let other: *mut c_void = ctx.arg(1);
    reach(other)
}

/// Arguments: the two `struct socket`. For each datagram, and for `connect` of a datagram socket.
#[lsm(hook = "unix_may_send")]
pub fn lsm_unix_may_send(ctx: LsmContext) -> i32 {
    let other: *const c_void = ctx.arg(1);
    let other = sock_of(other);
    if other.is_null() {
        return 0; // Nobody is there to be reached.
    }
    reach(other)
}

#[inline(always)]
fn reach(other: *mut c_void) -> i32 {
    let Ok(caller) = caller() else { return 0 };
    // SAFETY: map and socket are what the helper takes.
    let mark = unsafe { bpf_sk_storage_get(sockets(), other, null_mut(), 0) }.cast::<Origin>();
    // SAFETY: null or a value of the map.
    if unsafe { mark.as_ref() }.is_some_and(|mark| is_same_agent(mark, &caller)) {
        return 0;
    }
    let mut name = UnixName { agent: 0, name_len: 0, name: [0; UNIX_NAME_BYTES_MAX] };
    let found = read_name(other as u64, &mut name);
    if found.is_some() && is_allowed(&mut name, &caller) {
        return 0;
    }
    let attempt = Attempt { family: UNIX as u32, name: Some(&name), ..Attempt::default() };
    governed(|_| Err(Count::UnixSocket), attempt)
}

/// The name that a socket is bound to: a path as its server gave it, or a zero byte and an abstract name.
#[inline(always)]
fn read_name(sock: u64, name: &mut UnixName) -> Option<()> {
    let layout = layout()?;
    let address: u64 = read(sock, layout.unix_addr)?;
    let bytes: u32 = read(address, layout.unix_address_len)?;
    let length = bytes.checked_sub(NAME_OFFSET)?;
    if length == 0 || length as usize > UNIX_NAME_BYTES_MAX {
        return None;
    }
    let start = address + u64::from(layout.unix_address_name + NAME_OFFSET);
    // Read as text, whose room is fixed: the verifier does not follow a length through all that the compiler does to it. Of
    // an abstract name with a zero byte within, the rest is missing, and its length tells it from others.
    let is_abstract = read::<u8>(start, 0)? == 0;
    // SAFETY: the helper checks the address.
    unsafe {
        match is_abstract {
            true => bpf_probe_read_kernel_str_bytes((start + 1) as *const u8, name.name.get_mut(1..)?),
            false => bpf_probe_read_kernel_str_bytes(start as *const u8, &mut name.name),
        }
    }
    .ok()?;
    // An abstract name does not end: what lies behind it in memory was read too.
    let mut at = 0;
    while at < UNIX_NAME_BYTES_MAX {
        if at as u32 >= length {
            name.name[at] = 0;
        }
        at += 1;
    }
    name.name_len = length;
    Some(())
}

#[inline(always)]
fn is_allowed(name: &mut UnixName, caller: &Caller) -> bool {
    name.agent = caller.key;
    // SAFETY: only whether there is an entry is looked at.
    if unsafe { UNIX_ALLOWED.get(&*name) }.is_some() {
        return true;
    }
    name.agent = 0;
    // SAFETY: as above.
    unsafe { UNIX_ALLOWED.get(&*name) }.is_some()
}
