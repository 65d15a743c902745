//! The shared maps; `interlock_common` says what they hold.
use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    btf_maps::{Array, HashMap, PerCpuArray, SkStorage},
    macros::btf_map,
};
use interlock_common::{
    AGENTS_MAX, Agent, Config, Count, FLOWS_MAX, FlowKey, LISTENERS_MAX, Listener, Origin,
};

const NO_PREALLOC: usize = BPF_F_NO_PREALLOC as usize;

/// Governed cgroup id → agent. Never an LRU map: an evicted agent would be a refused one.
#[btf_map]
pub static AGENTS: HashMap<u64, Agent, AGENTS_MAX, NO_PREALLOC> = HashMap::new();

/// Network namespace cookie → where its connections go.
#[btf_map]
pub static LISTENERS: HashMap<u64, Listener, LISTENERS_MAX, NO_PREALLOC> = HashMap::new();

/// On a client's socket: where it wanted to go.
#[btf_map]
pub static SOCKETS: SkStorage<Origin> = SkStorage::new();

/// Connections between the client's SYN and the listener's accepted socket.
#[btf_map]
pub static FLOWS: HashMap<FlowKey, Origin, FLOWS_MAX, NO_PREALLOC> = HashMap::new();

/// On an accepted socket of the host agent: where its client wanted to go.
#[btf_map]
pub static ORIGINS: SkStorage<Origin> = SkStorage::new();

/// On a listening socket: present if it is the host agent's. Nobody else can write it.
#[btf_map]
pub static OURS: SkStorage<u64> = SkStorage::new();

/// One element.
#[btf_map]
pub static CONFIG: Array<Config, 1> = Array::new();

/// By `Count`.
#[btf_map]
pub static COUNTS: PerCpuArray<u64, { Count::LEN }> = PerCpuArray::new();
