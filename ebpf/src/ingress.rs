//! Every packet that a governed socket is to receive.
use crate::traffic::decide;
use aya_ebpf::{macros::cgroup_skb, programs::SkBuffContext};

/// Nobody reaches a governed server from outside, by whatever interface: the host's own processes do, over loopback.
#[cgroup_skb(ingress)]
pub fn ingress(ctx: SkBuffContext) -> i32 {
    decide(&ctx, |packet| (packet.source, packet.source_port), |_, _, _| Ok(()))
}
