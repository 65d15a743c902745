//! `socket(2)` of every family, also by io_uring: a list of what may be.
use super::governed;
use crate::refusals::Attempt;
use aya_ebpf::{macros::lsm, programs::LsmContext};
use interlock_common::Count;

/// `AF_UNIX`, `AF_INET`, `AF_INET6`, `AF_NETLINK`.
const UNIX: i32 = 1;
const INET: i32 = 2;
const INET6: i32 = 10;
const NETLINK: i32 = 16;
/// `NETLINK_ROUTE`: programs read the host's addresses by it when they start.
const ROUTE: i32 = 0;
const EPROTONOSUPPORT: i32 = 93;
const EAFNOSUPPORT: i32 = 97;

#[lsm(hook = "socket_create")]
pub fn lsm_socket_create(ctx: LsmContext) -> i32 {
    let (family, kind, protocol, kern): (i32, i32, i32, i32) =
        (ctx.arg(0), ctx.arg(1), ctx.arg(2), ctx.arg(3));
    // Programs take these errors for a kernel that lacks it, and go on; EPERM stops some, such as PAM at its audit socket.
    let error = match family {
        _ if kern != 0 => return 0, // The kernel's own.
        UNIX | INET | INET6 => return 0,
        NETLINK if protocol == ROUTE => return 0,
        NETLINK => EPROTONOSUPPORT,
        _ => EAFNOSUPPORT,
    };
    let attempt =
        Attempt { family: family as u32, detail: [kind as u32, protocol as u32], ..Attempt::default() };
    match governed(|_| Err(Count::Family), attempt) {
        0 => 0,
        _ => -error,
    }
}
