//! The kernel side through real sockets: processes in governed cgroups, and what arrives at the listener.
//!
//! Needs root, cgroup v2 and a kernel that lets us load programs; elsewhere each test says loudly that it is skipped.
//! Every attempt that must fail in a governed cgroup is first made from an ungoverned one, where it must work: a
//! refusal proves nothing about an attempt that never could.
//!
//! Addresses are of 127.0.0.0/8 and `::1` only: would a redirection fail, nothing leaves the host.

mod crowd;
mod daemon;
mod lifecycle;
mod lookups;
mod nested;
mod redirect;
mod refuse;
pub(crate) mod scene;
