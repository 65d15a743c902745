//! The pinned maps, typed.
use super::error::KernelError;
use aya::{
    Ebpf, Pod,
    maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray, RingBuf, SkStorage},
};
use interlock_common::{Agent, Config, Count, Datagrams, FlowKey, Layout, Listener, Origin, Taken, UnixName};
use std::path::Path;

/// The maps that are pinned, by their names in the object, and the sizes of their keys and values in bytes.
pub(super) const PINNED: [(&str, usize, usize); 14] = [
    ("AGENTS", 8, size_of::<Agent>()),
    ("LISTENERS", 8, size_of::<Listener>()),
    ("SOCKETS", 4, size_of::<Origin>()),
    ("FLOWS", size_of::<FlowKey>(), size_of::<Origin>()),
    ("DATAGRAMS", size_of::<FlowKey>(), size_of::<Datagrams>()),
    ("TAKEN", size_of::<FlowKey>(), size_of::<Taken>()),
    ("ORIGINS", 4, size_of::<Origin>()),
    ("OURS", 4, 8),
    ("CONFIG", 4, size_of::<Config>()),
    ("COUNTS", 4, 8),
    ("DEVICES", 8, 4),
    ("REFUSALS", 0, 0),
    ("UNIX_ALLOWED", size_of::<UnixName>(), 4),
    ("LAYOUT", 4, size_of::<Layout>()),
];

/// Refuses pinned maps of other sizes than ours, whatever their directory is called: the kernel would write past the
/// ends of our values.
pub(super) fn check_layout(directory: &Path) -> Result<(), KernelError> {
    for (name, key, value) in PINNED {
        let path = directory.join(name);
        if !path.exists() {
            continue;
        }
        let info = MapData::from_pin(&path).and_then(|map| map.info()).map_err(failed("open", name))?;
        if (info.key_size() as usize, info.value_size() as usize) != (key, value) {
            return Err(KernelError::OtherSchema { path });
        }
    }
    Ok(())
}

/// What user space reads and writes. (`SOCKETS` and `FLOWS` are the programs' own.)
pub(super) struct Maps {
    pub(super) agents: HashMap<MapData, u64, Agent>,
    pub(super) listeners: HashMap<MapData, u64, Listener>,
    pub(super) ours: SkStorage<MapData, u64>,
    config: Array<MapData, Config>,
    devices: HashMap<MapData, u64, u32>,
    unix_allowed: HashMap<MapData, UnixName, u32>,
    layout: Array<MapData, Layout>,
}

impl Maps {
    /// Takes the writable maps out of the loaded object.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        Ok(Self {
            agents: take(ebpf, "AGENTS")?,
            listeners: take(ebpf, "LISTENERS")?,
            ours: take(ebpf, "OURS")?,
            config: take(ebpf, "CONFIG")?,
            devices: take(ebpf, "DEVICES")?,
            unix_allowed: take(ebpf, "UNIX_ALLOWED")?,
            layout: take(ebpf, "LAYOUT")?,
        })
    }

    /// Replaces the flags that the programs read.
    pub(super) fn configure(&mut self, flags: u32) -> Result<(), KernelError> {
        let config = self.config()?;
        self.set_config(Config { flags, ..config })
    }

    /// How many of the lost refusals are new, which are told from now on.
    pub(super) fn tell_lost(&mut self, lost: u64) -> Result<u64, KernelError> {
        let config = self.config()?;
        let more = lost.saturating_sub(config.lost_told);
        if more > 0 {
            self.set_config(Config { lost_told: lost, ..config })?;
        }
        Ok(more)
    }

    fn config(&self) -> Result<Config, KernelError> {
        self.config.get(&0, 0).map_err(failed("read", "CONFIG"))
    }

    fn set_config(&mut self, config: Config) -> Result<(), KernelError> {
        self.config.set(0, config, 0).map_err(failed("write", "CONFIG"))
    }

    /// Tells the security hooks where the running kernel keeps what they read.
    pub(super) fn lay_out(&mut self, layout: Layout) -> Result<(), KernelError> {
        self.layout.set(0, layout, 0).map_err(failed("write", "LAYOUT"))
    }

    /// Replaces the list of Unix sockets that agents may connect to. What stays allowed is so all the time.
    pub(super) fn allow_unix(&mut self, allowed: &[UnixName]) -> Result<(), KernelError> {
        for name in allowed {
            self.unix_allowed.insert(name, 1, 0).map_err(failed("write", "UNIX_ALLOWED"))?;
        }
        let is_kept = |key: &UnixName| {
            allowed
                .iter()
                .any(|name| (name.agent, name.name_len, name.name) == (key.agent, key.name_len, key.name))
        };
        let keys: Vec<UnixName> = self.unix_allowed.keys().filter_map(Result::ok).collect();
        for key in keys.iter().filter(|key| !is_kept(key)) {
            self.unix_allowed.remove(key).map_err(failed("clear", "UNIX_ALLOWED"))?;
        }
        Ok(())
    }

    /// Replaces the list of character devices that governed processes may not open.
    pub(super) fn forbid(&mut self, devices: &[u64]) -> Result<(), KernelError> {
        for device in devices {
            self.devices.insert(device, 1, 0).map_err(failed("write", "DEVICES"))?;
        }
        for (device, _) in entries(&self.devices, "DEVICES")? {
            if !devices.contains(&device) {
                self.devices.remove(&device).map_err(failed("clear", "DEVICES"))?;
            }
        }
        Ok(())
    }
}

/// What the programs tell: refusals, executions.
pub(super) fn take_ring(ebpf: &mut Ebpf, name: &'static str) -> Result<RingBuf<MapData>, KernelError> {
    take(ebpf, name)
}

/// The accepted sockets' origins: read for every connection, so outside any lock.
pub(super) fn take_origins(ebpf: &mut Ebpf) -> Result<SkStorage<MapData, Origin>, KernelError> {
    take(ebpf, "ORIGINS")
}

/// Who sends lookups, and how many of them were taken.
pub(super) fn take_datagrams(ebpf: &mut Ebpf) -> Result<DatagramMaps, KernelError> {
    Ok((take(ebpf, "DATAGRAMS")?, take(ebpf, "TAKEN")?))
}

/// `DATAGRAMS` and `TAKEN`.
pub(super) type DatagramMaps = (HashMap<MapData, FlowKey, Datagrams>, HashMap<MapData, FlowKey, Taken>);

/// The counters.
pub(super) fn take_counts(ebpf: &mut Ebpf) -> Result<PerCpuArray<MapData, u64>, KernelError> {
    take(ebpf, "COUNTS")
}

/// Sums the counters over the CPUs.
pub(super) fn sums(counts: &PerCpuArray<MapData, u64>) -> Vec<(&'static str, u64)> {
    Count::ALL.into_iter().map(|count| (count.name(), sum(counts, count))).collect()
}

/// Sums one counter over the CPUs.
pub(super) fn sum(counts: &PerCpuArray<MapData, u64>, count: Count) -> u64 {
    counts.get(&(count as u32), 0).map_or(0, |values| values.iter().copied().fold(0, u64::wrapping_add))
}

fn take<M>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, KernelError>
where
    M: TryFrom<Map, Error = MapError>,
{
    let fail = |reason: String| KernelError::Load { name: name.to_owned(), reason };
    let map = ebpf.take_map(name).ok_or_else(|| fail("it is not in the embedded object".to_owned()))?;
    M::try_from(map).map_err(|error| fail(error.to_string()))
}

/// Makes our error of aya's.
pub(super) fn failed(what: &'static str, map: &'static str) -> impl FnOnce(MapError) -> KernelError {
    move |error| {
        let reason = match &error {
            MapError::SyscallError(call) => call.io_error.to_string(),
            other => other.to_string(),
        };
        KernelError::Map { what, map, reason }
    }
}

/// Whether a map has no such key.
pub(super) fn is_missing(error: &MapError) -> bool {
    match error {
        MapError::KeyNotFound | MapError::ElementNotFound => true,
        MapError::SyscallError(call) => call.io_error.raw_os_error() == Some(libc::ENOENT),
        _ => false,
    }
}

/// Takes it for no error that a map has no such key.
pub(super) fn ignore_missing(error: MapError) -> Result<(), MapError> {
    match is_missing(&error) {
        true => Ok(()),
        false => Err(error),
    }
}

/// All entries of a hash map. An entry that goes while we read is left out.
pub(super) fn entries<V: Pod>(
    map: &HashMap<MapData, u64, V>,
    name: &'static str,
) -> Result<Vec<(u64, V)>, KernelError> {
    let mut found = Vec::new();
    for key in map.keys() {
        let key = key.map_err(failed("list", name))?;
        match map.get(&key, 0) {
            Ok(value) => found.push((key, value)),
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(failed("read", name)(error)),
        }
    }
    Ok(found)
}
