//! What a command of `interlock exec` may not ask of the kernel: a seccomp filter over the system calls that lead around
//! the hooks of its cgroup, or out of it.
//!
//! The hooks see IPv4 and IPv6 sockets only. Packet, vsock and other sockets, namespaces of one's own, other processes'
//! descriptors, io_uring (which makes sockets past every such filter), the kernel's key service (which looks names up by
//! itself), bpf and modules are closed here; where the kernel has BPF LSM, a second time there. The filter holds for the
//! command and all it starts, and can't be taken off.

mod filter;
#[cfg(test)]
mod tests;

pub use filter::{Need, UnixSockets, filters};
