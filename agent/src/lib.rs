//! The Interlock host agent: the only code with IO.
//!
//! In reading order: a connection is taken by [`intercept`] (or an explicit listener), named by [`identity`], driven by
//! [`session`] under the [`live`] configuration and policies, recorded in the spool (crate `audit`) and shipped by
//! [`sink`]; what the kernel refuses outside sessions, [`boundary`] puts into words. [`serve`] is the daemon around it, [`control`] its socket, [`cli`] the command line.

pub mod boundary;
pub mod cgroup;
pub mod cli;
pub mod config;
pub mod confine;
pub mod control;
pub mod dns;
pub mod identity;
pub mod intercept;
pub mod live;
pub mod reactor;
pub mod serve;
pub mod session;
pub mod sink;
pub mod telemetry;
