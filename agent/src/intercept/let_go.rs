//! Lets everything go: for good, and whatever version has pinned it.
use super::{
    error::{KernelError, Unavailable},
    frozen, links,
    maps::entries,
    pins::{self, Paths, Pins},
};
use crate::cgroup::{CgroupId, Hierarchy};
use aya::maps::{HashMap, MapData};
use interlock_common::Agent;
use std::{fs, path::PathBuf};

/// A cgroup that is governed by what is pinned, or was until now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// Its id.
    pub cgroup_id: CgroupId,
    /// Its path; `None` if it is gone or can't be told.
    pub path: Option<PathBuf>,
    /// Its agent; `None` if another version has written it down.
    pub agent: Option<String>,
}

/// What is governed by the pins of a host agent that does not run.
pub fn pinned(paths: &Paths) -> Result<Vec<Pinned>, KernelError> {
    let directory = paths.bpffs.join("cgroups");
    let hierarchy = Hierarchy::find().ok();
    let names = names(paths);
    let ids = pins::list(&directory)?
        .into_iter()
        .filter_map(|path| path.file_name()?.to_str()?.parse().ok().map(CgroupId));
    Ok(ids
        .map(|cgroup_id| Pinned {
            cgroup_id,
            path: hierarchy.as_ref().and_then(|it| Some(it.by_id(cgroup_id).ok()??.name())),
            agent: names.iter().find(|(id, _)| *id == cgroup_id.0).map(|(_, name)| name.clone()),
        })
        .collect())
}

/// Takes every program away and removes the pins. Fails if a host agent works with them.
pub fn let_go(paths: &Paths) -> Result<(), KernelError> {
    if !paths.bpffs.exists() {
        return Ok(());
    }
    let pins = Pins::lock(&paths.bpffs)?;
    for id in links::linked(&pins)? {
        links::detach_all(&pins, id)?;
    }
    for proxy in pins::list(&pins.proxies())? {
        links::detach(&proxy)?;
    }
    // These have no links that could be detached first: they end with their last pin.
    for directory in pins::list(&paths.bpffs)? {
        match directory.file_name().and_then(|name| name.to_str()) {
            Some("freezing") => {
                frozen::thaw_left(&pins, &Hierarchy::find().map_err(Unavailable::from)?)?;
                pins::remove(&directory, |path| fs::remove_dir(path))?;
            }
            _ => pins::remove_tree(&directory)?,
        }
    }
    drop(pins);
    pins::remove(&paths.bpffs, |path| fs::remove_dir(path))
}

/// Agents' names by cgroup, if this version can read them.
fn names(paths: &Paths) -> Vec<(u64, String)> {
    let pin = paths.bpffs.join(format!("maps-{}", interlock_common::SCHEMA)).join("AGENTS");
    let map = MapData::from_pin(pin).ok().map(aya::maps::Map::HashMap);
    let agents: Option<HashMap<MapData, u64, Agent>> = map.and_then(|map| HashMap::try_from(map).ok());
    let entries = agents.and_then(|agents| entries(&agents, "AGENTS").ok()).unwrap_or_default();
    entries.into_iter().map(|(id, agent)| (id, super::agent::name_of(&agent))).collect()
}
