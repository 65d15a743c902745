//! The shared maps; `interlock_common` says what they hold.
use aya_ebpf::{
    bindings::{BPF_F_CLONE, BPF_F_NO_PREALLOC, bpf_map_type::BPF_MAP_TYPE_SK_STORAGE},
    btf_maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf, SkStorage},
    macros::btf_map,
};
use core::ptr::null;
use interlock_common::{
    AGENTS_MAX, Agent, CLOSED_BYTES, Closed, Config, Count, DATAGRAMS_MAX, DEVICES_MAX, Datagrams, ENTERED_BYTES, EXECUTED_BYTES, Entered, Executed,
    FLOWS_MAX, FlowKey, LISTENERS_MAX, Layout, Listener, Origin, REFUSALS_BYTES, Refusal, Taken,
    UNIX_ALLOWED_MAX, UnixName,
};

const NO_PREALLOC: usize = BPF_F_NO_PREALLOC as usize;

/// Governed cgroup id → agent. Never an LRU map: an evicted agent would be a refused one.
#[btf_map]
pub static AGENTS: HashMap<u64, Agent, AGENTS_MAX, NO_PREALLOC> = HashMap::new();

/// Network namespace cookie → where its connections go.
#[btf_map]
pub static LISTENERS: HashMap<u64, Listener, LISTENERS_MAX, NO_PREALLOC> = HashMap::new();

/// On every socket of a governed process, from its making on: who made it and, after `connect`, where it wanted to go.
/// A socket without it is from before the cgroup was governed. What a server accepts inherits its listening socket's.
#[btf_map]
pub static SOCKETS: InheritedSkStorage = InheritedSkStorage::new();

/// Connections between the client's SYN and the listener's accepted socket.
#[btf_map]
pub static FLOWS: HashMap<FlowKey, Origin, FLOWS_MAX, NO_PREALLOC> = HashMap::new();

/// Who sends lookups to the host agent from where. Written before the datagram leaves.
#[btf_map]
pub static DATAGRAMS: LruHashMap<FlowKey, Datagrams, DATAGRAMS_MAX> = LruHashMap::new();

/// How many of those the host agent has taken: its own note.
#[btf_map]
pub static TAKEN: LruHashMap<FlowKey, Taken, DATAGRAMS_MAX> = LruHashMap::new();

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

/// Character devices that governed processes may not open; by `device_key`.
#[btf_map]
pub static DEVICES: HashMap<u64, u32, DEVICES_MAX, NO_PREALLOC> = HashMap::new();

/// Unix sockets that agents may connect to though they are not their own.
#[btf_map]
pub static UNIX_ALLOWED: HashMap<UnixName, u32, UNIX_ALLOWED_MAX, NO_PREALLOC> = HashMap::new();

/// One element; all zeros where the kernel does not say.
#[btf_map]
pub static LAYOUT: Array<Layout, 1> = Array::new();

/// What was refused, for the host agent to write rows of.
#[btf_map]
pub static REFUSALS: RingBuf<Refusal, REFUSALS_BYTES> = RingBuf::new();

/// Processes that were moved into governed cgroups.
#[btf_map]
pub static ENTERED: RingBuf<Entered, ENTERED_BYTES> = RingBuf::new();

/// Redirected connections that have ended.
#[btf_map]
pub static CLOSED: RingBuf<Closed, CLOSED_BYTES> = RingBuf::new();

/// Programs that governed processes have begun to run.
#[btf_map]
pub static EXECUTED: RingBuf<Executed, EXECUTED_BYTES> = RingBuf::new();

/// Socket storage that `accept` copies to the accepted socket (`BPF_F_CLONE`), which aya's type can't say. The fields
/// are never read: their types are what the loader makes the map of.
#[repr(C)]
pub struct InheritedSkStorage {
    r#type: *const [i32; BPF_MAP_TYPE_SK_STORAGE as usize],
    key: *const i32,
    value: *const Origin,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; (BPF_F_NO_PREALLOC | BPF_F_CLONE) as usize],
}

// SAFETY: null pointers that nobody follows.
unsafe impl Sync for InheritedSkStorage {}

impl InheritedSkStorage {
    const fn new() -> Self {
        Self { r#type: null(), key: null(), value: null(), max_entries: null(), map_flags: null() }
    }
}
