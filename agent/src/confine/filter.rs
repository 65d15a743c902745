//! The filter itself: tables of system calls, and their translation.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};
use std::collections::BTreeMap;

/// Something that some commands need, and that lets them do more than the boundary would: given by name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Need {
    /// Debuggers: looking into other processes, and taking their open files
    Ptrace,
    /// Sandboxes and containers: user, network, mount and cgroup namespaces, mounts
    Namespaces,
    /// io_uring, which makes sockets that this filter does not see
    IoUring,
    /// The kernel's key service, which can look names up over the network
    Keys,
    /// Unix sockets where the kernel can't tell an agent's own from those of others (no security hooks): also docker's and databases'
    UnixSockets,
}

/// Whether a command may make Unix sockets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnixSockets {
    /// The kernel's security hooks tell whom they reach.
    Watched,
    /// Nobody does: pairs that are connected to each other are left.
    Closed,
}

/// Never of use to an agent, and each a way around or out.
const NEVER: &[libc::c_long] = &[
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_open_by_handle_at,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_acct,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
];

/// Unless they are needed.
const PTRACE: &[libc::c_long] =
    &[libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_pidfd_getfd];
const NAMESPACES: &[libc::c_long] = &[
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
];
const IO_URING: &[libc::c_long] =
    &[libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];
const KEYS: &[libc::c_long] = &[libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl];

/// Namespaces that are a way around: a network of one's own, rights over it, other mounts, another view of cgroups.
const NAMESPACE_FLAGS: [i32; 4] =
    [libc::CLONE_NEWUSER, libc::CLONE_NEWNET, libc::CLONE_NEWNS, libc::CLONE_NEWCGROUP];

/// Socket families that the hooks see, or that stay on the host.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// `SOCK_PACKET`: a packet socket under the name of an IPv4 one (packet(7)), and the bits of a type that are it.
const SOCK_PACKET: i32 = 10;
const TYPE_BITS: u64 = 0xf;

/// `TIOCSTI` and `TIOCLINUX`: what they type into the terminal, the shell that ran us would do, which is governed by nobody.
const TERMINAL_INPUT: [u64; 2] = [0x5412, 0x541c];

/// From this number on, x86-64's system calls are those of x32, which the filters would not know by these numbers.
const X32: u32 = 0x4000_0000;

/// The filters, each to be installed. What they refuse fails with EPERM, but for sockets, and for `clone3`: that fails with
/// ENOSYS, so that the C library goes back to `clone`, whose flags a filter can read.
///
/// # Errors
/// This architecture is none that seccompiler knows.
pub fn filters(needs: &[Need], unix: UnixSockets) -> Result<Vec<BpfProgram>, seccompiler::BackendError> {
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> = NEVER.iter().map(|&call| (call, vec![])).collect();
    let groups = [
        (Need::Ptrace, PTRACE),
        (Need::Namespaces, NAMESPACES),
        (Need::IoUring, IO_URING),
        (Need::Keys, KEYS),
    ];
    for (need, calls) in groups {
        if !needs.contains(&need) {
            refused.extend(calls.iter().map(|&call| (call, vec![])));
        }
    }
    if !needs.contains(&Need::Namespaces) {
        for call in [libc::SYS_clone, libc::SYS_unshare] {
            refused.insert(call, NAMESPACE_FLAGS.into_iter().map(has_flag).collect::<Result<_, _>>()?);
        }
    }
    refused.insert(
        libc::SYS_ioctl,
        TERMINAL_INPUT.into_iter().map(|request| is(1, request)).collect::<Result<_, _>>()?,
    );
    let mut pairs = vec![SeccompRule::new(vec![is_not(0, libc::AF_UNIX)?])?];
    let is_closed = unix == UnixSockets::Closed && !needs.contains(&Need::UnixSockets);
    if is_closed {
        // One of these can be sent elsewhere from; the other kinds are connected for good.
        pairs.push(SeccompRule::new(vec![is_type(libc::SOCK_DGRAM)?])?);
    }
    refused.insert(libc::SYS_socketpair, pairs);
    let clone3 = BTreeMap::from([(libc::SYS_clone3, vec![])]);
    let (families, netlink) = sockets(is_closed)?;
    Ok(vec![
        other_numbers(),
        translate(clone3, libc::ENOSYS)?,
        translate(BTreeMap::from([(libc::SYS_socket, families)]), libc::EAFNOSUPPORT)?,
        translate(BTreeMap::from([(libc::SYS_socket, netlink)]), libc::EPROTONOSUPPORT)?,
        translate(refused, libc::EPERM)?,
    ])
}

/// A list of what may be: a family that is new in some kernel is refused. Of netlink, only routing information, which
/// programs read at their start to learn the host's addresses. Both are refused as by a kernel that lacks them: programs
/// go on then.
fn sockets(unix_is_closed: bool) -> Result<(Vec<SeccompRule>, Vec<SeccompRule>), seccompiler::BackendError> {
    let families = FAMILIES.into_iter().filter(|family| !(unix_is_closed && *family == libc::AF_UNIX));
    let other = families.map(|family| is_not(0, family)).collect::<Result<_, _>>()?;
    let netlink =
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, number(libc::AF_NETLINK))?;
    let packet = is_type(SOCK_PACKET)?;
    Ok((
        vec![SeccompRule::new(other)?, SeccompRule::new(vec![packet])?],
        vec![SeccompRule::new(vec![netlink, is_not(2, libc::NETLINK_ROUTE)?])?],
    ))
}

fn is_type(kind: i32) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(TYPE_BITS), number(kind))
}

fn is(argument: u8, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?])
}

fn is_not(argument: u8, value: i32) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, number(value))
}

fn has_flag(flag: i32) -> Result<SeccompRule, seccompiler::BackendError> {
    let flag = number(flag);
    let is_set = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag)?;
    SeccompRule::new(vec![is_set])
}

/// None of them is negative.
fn number(value: i32) -> u64 {
    u64::from(value.unsigned_abs())
}

fn translate(
    calls: BTreeMap<i64, Vec<SeccompRule>>,
    error: i32,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let refuse = SeccompAction::Errno(error.unsigned_abs());
    let target: TargetArch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(calls, SeccompAction::Allow, refuse, target)?.try_into()
}

/// Refuses x32's numbers with ENOSYS, as a kernel without it does. (linux/filter.h, linux/seccomp.h)
fn other_numbers() -> BpfProgram {
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS; the number is at offset 0
    const JUMP_IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const ALLOW: u32 = 0x7fff_0000; // SECCOMP_RET_ALLOW
    const REFUSE: u32 = 0x0005_0000 | libc::ENOSYS.unsigned_abs(); // SECCOMP_RET_ERRNO
    vec![
        sock_filter { code: LOAD, jt: 0, jf: 0, k: 0 },
        sock_filter { code: JUMP_IF_AT_LEAST, jt: 1, jf: 0, k: X32 },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: ALLOW },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: REFUSE },
    ]
}
