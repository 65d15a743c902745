//! The programs, loaded, and which hook each belongs to.
use super::error::KernelError;
use aya::{
    Ebpf,
    programs::{
        CgroupDevice, CgroupSkb, CgroupSock, CgroupSockAddr, CgroupSockopt, Program, ProgramError, ProgramFd,
        SockOps,
    },
};

/// A program and the hook it is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hook {
    /// The program's name, and that of its link's pin.
    pub(super) name: &'static str,
    /// `enum bpf_attach_type`.
    pub(super) attach_type: u32,
}

/// `BPF_CGROUP_SOCK_OPS`.
const SOCK_OPS: u32 = 3;

/// What every governed cgroup gets, in the order of attaching: first what refuses, last what redirects, so that no
/// socket is redirected before its origin can be handed over.
pub(super) const GOVERNED: [Hook; 16] = [
    Hook { name: "sock_create", attach_type: 2 },
    Hook { name: "ingress", attach_type: 0 },
    Hook { name: "egress", attach_type: 1 },
    Hook { name: "device", attach_type: 6 },
    Hook { name: "bind4", attach_type: 8 },
    Hook { name: "bind6", attach_type: 9 },
    Hook { name: "setsockopt", attach_type: 22 },
    Hook { name: "recvmsg4", attach_type: 19 },
    Hook { name: "recvmsg6", attach_type: 20 },
    Hook { name: "sendmsg4", attach_type: 14 },
    Hook { name: "sendmsg6", attach_type: 15 },
    Hook { name: "sockops_client", attach_type: SOCK_OPS },
    Hook { name: "getpeername4", attach_type: 29 },
    Hook { name: "getpeername6", attach_type: 30 },
    Hook { name: "connect4", attach_type: 10 },
    Hook { name: "connect6", attach_type: 11 },
];

/// What our own cgroup gets.
pub(super) const PROXY: Hook = Hook { name: "sockops_proxy", attach_type: SOCK_OPS };

/// A loaded program.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) hook: Hook,
    pub(super) fd: ProgramFd,
}

/// Every program, loaded into the kernel.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) governed: Vec<Loaded>,
    pub(super) proxy: Loaded,
}

impl Programs {
    /// Loads them all; the verifier sees each here.
    pub(super) fn load(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        let governed = GOVERNED.into_iter().map(|hook| load(ebpf, hook)).collect::<Result<_, _>>()?;
        Ok(Self { governed, proxy: load(ebpf, PROXY)? })
    }
}

fn load(ebpf: &mut Ebpf, hook: Hook) -> Result<Loaded, KernelError> {
    let fail = |reason: String| KernelError::Load { name: hook.name.to_owned(), reason };
    let program =
        ebpf.program_mut(hook.name).ok_or_else(|| fail("it is not in the embedded object".to_owned()))?;
    let loaded = (|| match program {
        Program::CgroupSockAddr(_) => <&mut CgroupSockAddr>::try_from(&mut *program)?.load(),
        Program::CgroupSkb(_) => <&mut CgroupSkb>::try_from(&mut *program)?.load(),
        Program::CgroupSockopt(_) => <&mut CgroupSockopt>::try_from(&mut *program)?.load(),
        Program::CgroupDevice(_) => <&mut CgroupDevice>::try_from(&mut *program)?.load(),
        Program::CgroupSock(_) => <&mut CgroupSock>::try_from(&mut *program)?.load(),
        _ => <&mut SockOps>::try_from(&mut *program)?.load(),
    })();
    loaded.map_err(|error| fail(explain(&error)))?;
    let fd = program.fd().map_err(|error| fail(explain(&error)))?;
    let fd = fd.try_clone().map_err(|error| fail(error.to_string()))?;
    Ok(Loaded { hook, fd })
}

/// The end of the verifier's log is where it says what it does not like.
pub(super) fn explain(error: &ProgramError) -> String {
    const LINES: usize = 12;
    match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n");
            format!("{io_error}\n{tail}")
        }
        other => other.to_string(),
    }
}
