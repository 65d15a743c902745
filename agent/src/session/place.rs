//! Where a connection is meant to go.

use super::{Sessions, target};
use crate::config::{TargetConfig, UNNAMED};
use crate::identity::Caller;
use crate::live::Live;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// Why a connection goes nowhere.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The target, if one was found.
    pub(super) target: String,
    /// One sentence for the row.
    pub(super) reason: String,
}

/// Addresses of one host that are tried.
const UPSTREAMS_MAX: usize = 8;

/// Where a connection goes.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    /// What it is for.
    pub(super) target: &'a TargetConfig,
    /// What it may be for as well: another host name has the same address.
    pub(super) also: Vec<&'a str>,
    /// The address to connect to, and others of the same host: a client whose connection we have taken can't try them itself.
    pub(super) upstreams: Vec<SocketAddr>,
    /// The names that the agent knows the address by, from its lookups.
    pub(super) names: Vec<Arc<str>>,
}

/// Finds the targets of a connection and the address to connect to.
pub(super) fn place<'a>(
    sessions: &Sessions,
    live: &'a Live,
    caller: &Caller,
    explicit: Option<&str>,
) -> Result<Placed<'a>, Refusal> {
    let refusal = |target: &str, reason: String| Refusal { target: target.to_owned(), reason };
    if let Some(reason) = unknown_agent(live, caller) {
        return Err(refusal("", reason));
    }
    let placed = match explicit {
        Some(name) => {
            let found = target(live, name).and_then(|found| Some((found, found.first_upstream()?)));
            let (target, upstream) = found.ok_or_else(|| {
                refusal(name, format!("target `{name}` has no single address to connect to"))
            })?;
            Placed { target, also: Vec::new(), upstreams: vec![upstream], names: Vec::new() }
        }
        None => at_destination(sessions, live, caller)?,
    };
    if let Some(own) = placed.upstreams.iter().find(|upstream| sessions.own.contains(upstream)) {
        return Err(refusal(&placed.target.name, format!("{own} is Interlock's own listener: a loop")));
    }
    Ok(placed)
}

/// Why nobody can decide for a caller: its agent, or one that it is inside of, is none of the configuration's.
pub(super) fn unknown_agent(live: &Live, caller: &Caller) -> Option<String> {
    if &*caller.agent == UNNAMED {
        return Some(format!(
            "cgroup `{}` has no network before what is in it has a name (`intercept.default_deny`): start it with `interlock \
             exec`, tag its cgroup, or give an agent a glob",
            caller.cgroup
        ));
    }
    let mut agents = [&caller.agent].into_iter().chain(caller.outer.iter());
    let unknown = agents.find(|agent| live.config.agent(agent).is_none())?;
    Some(format!("the configuration has no agent `{unknown}` any more"))
}

/// Several targets can have an address by their host names. Which of them is meant can't be told, so all of their rules must
/// permit; and they must agree on where the connection goes.
fn at_destination<'a>(sessions: &Sessions, live: &'a Live, caller: &Caller) -> Result<Placed<'a>, Refusal> {
    let destination = caller.destination;
    let now = Instant::now();
    let names = sessions.names.of(&caller.known_as(), destination.ip(), now);
    let known = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    let found = live.config.targets_at(destination, &names);
    let Some((target, others)) = found.split_first() else {
        let reason = format!("no target of the configuration is at {destination}{known}");
        return Err(Refusal { target: String::new(), reason });
    };
    let upstream = target.upstream_for(destination);
    let mut also = Vec::new();
    for other in others {
        if other.protocol != target.protocol || other.upstream_for(destination) != upstream {
            let reason = format!(
                "{destination}{known} is of target `{}` and of target `{}`, which differ in protocol or `upstream`",
                target.name, other.name
            );
            return Err(Refusal { target: target.name.clone(), reason });
        }
        also.push(other.name.as_str());
    }
    let mut upstreams = vec![upstream];
    if target.upstream.is_none() {
        upstreams.extend(others_of(sessions, live, caller, (&found, &names), now));
    }
    Ok(Placed { target, also, upstreams, names })
}

/// The other addresses of the same host: those that the agent was told for a name that the targets bear themselves, and that are
/// theirs by their own names. What other names, of whoever, have led to the destination counts for nothing.
fn others_of(
    sessions: &Sessions,
    live: &Live,
    caller: &Caller,
    (found, names): (&[&TargetConfig], &[Arc<str>]),
    now: Instant,
) -> Vec<SocketAddr> {
    let destination = caller.destination;
    let agent = caller.known_as();
    let bears = |target: &TargetConfig, name: &str| {
        target.addresses.iter().any(|address| address.host_name() == Some(name))
    };
    let own_names = names.iter().filter(|name| found.iter().any(|target| bears(target, name)));
    let addresses = own_names.flat_map(|name| sessions.names.addresses(&agent, name, now));
    let mut others = Vec::new();
    for other in addresses.map(|address| SocketAddr::new(address, destination.port())) {
        let at_other = live.config.targets_at(other, &sessions.names.of(&agent, other.ip(), now));
        let is_same = at_other.iter().map(|it| &it.name).eq(found.iter().map(|it| &it.name));
        if is_same && other != destination && !others.contains(&other) && others.len() + 1 < UPSTREAMS_MAX {
            others.push(other);
        }
    }
    others
}
