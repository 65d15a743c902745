//! What one key can't tell: names that must exist, addresses that must not meet, files that must be there.

use super::resolve::Address;
use super::schema::{AgentConfig, ClickHouse, Intercept, Limits, ListenerConfig, Policies, TargetConfig};
use super::section::{Reader, did_you_mean, shown};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

/// Bytes of the largest password file.
pub(crate) const PASSWORD_BYTES_MAX: u64 = 64 << 10;
/// Comparisons of addresses with networks; a file that needs more is refused rather than checked for minutes.
const COMPARISONS_MAX: usize = 10_000_000;

/// Refuses more tables of a kind than their limit.
pub(crate) fn counts(reader: &mut Reader<'_>, counted: &[(&str, usize, usize)]) {
    for (heading, count, max) in counted {
        if count > max {
            reader.bad_at(
                heading,
                format!("there are {count} `[[{heading}]]` tables; at most {max} are allowed"),
            );
        }
    }
}

/// Names of agents and of targets are unique, and no two agents claim the same cgroups.
pub(crate) fn names(
    reader: &mut Reader<'_>,
    agents: &[Option<AgentConfig>],
    targets: &[Option<TargetConfig>],
) {
    let mut names = HashMap::new();
    let mut globs: HashMap<&str, &str> = HashMap::new();
    for (index, agent) in agents.iter().enumerate() {
        let Some(agent) = agent else { continue };
        if names.insert(&agent.name, index).is_some() {
            let message = format!("there is another agent `{}`; give each its own name", agent.name);
            reader.bad_at(&format!("agent[{index}].name"), message);
        }
        for (at, glob) in agent.cgroups.iter().enumerate() {
            if let Some(other) = globs.insert(glob, &agent.name) {
                let message =
                    format!("agent `{other}` has `{}` too; a cgroup can be one agent only", shown(glob));
                reader.bad_at(&format!("agent[{index}].cgroups[{at}]"), message);
            }
        }
    }
    names.clear();
    for (index, target) in targets.iter().enumerate() {
        let Some(target) = target else { continue };
        if names.insert(&target.name, index).is_some() {
            let message = format!("there is another target `{}`; give each its own name", target.name);
            reader.bad_at(&format!("target[{index}].name"), message);
        }
        if target.name == crate::config::DNS_TARGET {
            let message = "`dns` is what lookups ask (`[dns]`); give the target another name".to_owned();
            reader.bad_at(&format!("target[{index}].name"), message);
        }
    }
}

/// No address belongs to two targets, else which policies hold would depend on the order of the file. Two host names may have
/// one address: it changes without us, and a connection to it must then be permitted by both targets' rules.
pub(crate) fn addresses(reader: &mut Reader<'_>, targets: &[Option<TargetConfig>]) {
    let mut hosts: BTreeMap<SocketAddr, (usize, bool)> = BTreeMap::new();
    let mut networks: Vec<(&Address, usize)> = Vec::new();
    let mut compared = 0_usize;
    for (index, target) in targets.iter().enumerate() {
        for (at, address) in target.iter().flat_map(|target| target.addresses.iter().enumerate()) {
            compared +=
                networks.len() + if matches!(address, Address::Network(..)) { hosts.len() } else { 0 };
            if compared > COMPARISONS_MAX {
                reader.bad_at("target", "there are too many networks to compare; merge some".to_owned());
                return;
            }
            let clash = networks.iter().find(|(network, other)| *other != index && network.overlaps(address));
            let clash = clash.map(|(_, other)| *other).or_else(|| match address {
                Address::Host(host) => {
                    let owners = host.addresses().filter_map(|socket| hosts.get(&socket).copied());
                    let named = address.host_name().is_some();
                    let mut others = owners.filter(|(other, _)| *other != index);
                    others.find(|(_, is_name)| !(named && *is_name)).map(|(other, _)| other)
                }
                Address::Network(..) => {
                    let inside =
                        hosts.iter().find(|(host, (other, _))| *other != index && address.contains(**host));
                    inside.map(|(_, (other, _))| *other)
                }
            });
            if let Some(other) = clash.and_then(|other| targets.get(other)).and_then(Option::as_ref) {
                let message = format!(
                    "`{address}` overlaps an address of target `{}`; a connection can be for one target only",
                    other.name
                );
                reader.bad_at(&format!("target[{index}].addresses[{at}]"), message);
            }
            match address {
                Address::Host(host) => host.addresses().for_each(|socket| {
                    hosts.entry(socket).or_insert((index, address.host_name().is_some()));
                }),
                Address::Network(..) => networks.push((address, index)),
            }
        }
    }
}

/// Listeners name an agent and a target that exist, can reach it, and don't take each other's address.
pub(crate) fn listeners(
    reader: &mut Reader<'_>,
    listeners: &[Option<ListenerConfig>],
    agents: &[Option<AgentConfig>],
    targets: &[Option<TargetConfig>],
    intercept: Option<&Intercept>,
) {
    // With a broken agent or target, whether a name exists is not known: one report of it is enough.
    let agent_names: Option<Vec<_>> =
        agents.iter().map(|agent| agent.as_ref().map(|agent| agent.name.as_str())).collect();
    let all_targets: Option<Vec<_>> = targets.iter().map(Option::as_ref).collect();
    let mut taken = HashMap::new();
    for (index, listener) in listeners.iter().enumerate() {
        let Some(listener) = listener else { continue };
        if let Some(names) = &agent_names {
            unknown(reader, &format!("listener[{index}].agent"), "agent", &listener.agent, names);
        }
        if let Some(targets) = &all_targets {
            let names: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
            unknown(reader, &format!("listener[{index}].target"), "target", &listener.target, &names);
            let only_networks = targets.iter().any(|target| {
                target.name == listener.target
                    && target.upstream.is_none()
                    && target.addresses.iter().all(|address| matches!(address, Address::Network(..)))
            });
            if only_networks {
                let message = format!(
                    "target `{}` has only networks as addresses; give it an `upstream` to connect to",
                    listener.target
                );
                reader.bad_at(&format!("listener[{index}].target"), message);
            }
        }
        let at = format!("listener[{index}].address");
        let port = listener.address.port();
        if port != 0 && taken.insert(listener.address, index).is_some() {
            reader.bad_at(&at, format!("another listener has `{}` too; give each its own", listener.address));
        }
        if intercept.is_some_and(|on| on.port == port && port != 0 && on.address == listener.address.ip()) {
            let message =
                format!("`{}` is where intercepted connections arrive; take another port", listener.address);
            reader.bad_at(&at, message);
        }
    }
}

fn unknown(reader: &mut Reader<'_>, at: &str, what: &str, name: &str, names: &[&str]) {
    if names.contains(&name) {
        return;
    }
    let guess = did_you_mean(name, names);
    let known = match names {
        [] => format!("there is no `[[{what}]]`"),
        _ => {
            const SHOWN_MAX: usize = 16;
            let some: Vec<_> = names.iter().take(SHOWN_MAX).map(|name| format!("`{name}`")).collect();
            let more = if names.len() > SHOWN_MAX { ", …" } else { "" };
            format!("known: {}{more}", some.join(", "))
        }
    };
    reader.bad_at(at, format!("there is no {what} `{name}`{guess}; {known}"));
}

/// Policy paths exist.
pub(crate) fn policies(reader: &mut Reader<'_>, policies: Option<&Policies>) {
    for (index, path) in policies.iter().flat_map(|policies| policies.paths.iter().enumerate()) {
        if let Err(error) = std::fs::metadata(path) {
            let message = format!(
                "`{}` can't be found: {error}; make it, or name another",
                shown(&path.to_string_lossy())
            );
            reader.bad_at(&format!("policies.paths[{index}]"), message);
        }
    }
}

/// The password file can be read, by us and by nobody else.
pub(crate) fn password(reader: &mut Reader<'_>, sink: Option<&ClickHouse>) {
    let Some(path) = sink.and_then(|sink| sink.password_file.as_ref()) else { return };
    let shown = shown(&path.to_string_lossy());
    let read = || -> Result<(), String> {
        let cannot = |error: std::io::Error| format!("`{shown}` can't be read: {error}");
        if !std::fs::metadata(path).map_err(cannot)?.is_file() {
            return Err(format!("`{shown}` is not a regular file"));
        }
        let file = File::open(path).map_err(cannot)?;
        let mode = file.metadata().map_err(cannot)?.permissions().mode();
        if mode & 0o007 != 0 {
            return Err(format!(
                "`{shown}` is open to every user (mode {:04o}); run `chmod o= {shown}`",
                mode & 0o7777
            ));
        }
        let mut text = String::new();
        file.take(PASSWORD_BYTES_MAX + 1).read_to_string(&mut text).map_err(cannot)?;
        if text.len() as u64 > PASSWORD_BYTES_MAX {
            return Err(format!("`{shown}` is larger than {PASSWORD_BYTES_MAX} bytes"));
        }
        Ok(())
    };
    if let Err(why) = read() {
        reader.bad_at("sink.clickhouse.password_file", why);
    }
}

/// Limits that hold each other.
pub(crate) fn limits(reader: &mut Reader<'_>, limits: Option<&Limits>) {
    let Some(limits) = limits else { return };
    if limits.statement_bytes > limits.message_bytes {
        let message =
            "`limits.statement_bytes` is more than `limits.message_bytes`; a statement is part of a message";
        reader.bad_at("limits.statement_bytes", message.to_owned());
    }
}
