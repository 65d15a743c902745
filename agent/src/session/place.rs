//! Where a connection is meant to go.

use super::{Sessions, target};
use crate::config::TargetConfig;
use crate::identity::Caller;
use crate::live::Live;
use std::net::SocketAddr;

/// Why a connection goes nowhere.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The target, if one was found.
    pub(super) target: String,
    /// One sentence for the row.
    pub(super) reason: String,
}

/// The target of a connection and the address to connect to.
pub(super) fn place<'a>(
    sessions: &Sessions,
    live: &'a Live,
    caller: &Caller,
    explicit: Option<&str>,
) -> Result<(&'a TargetConfig, SocketAddr), Refusal> {
    let refusal = |target: &str, reason: String| Refusal { target: target.to_owned(), reason };
    if live.config.agent(&caller.agent).is_none() {
        let reason = format!("the configuration has no agent `{}` any more", caller.agent);
        return Err(refusal("", reason));
    }
    let (target, upstream) = match explicit {
        Some(name) => {
            let found = target(live, name).and_then(|found| Some((found, found.first_upstream()?)));
            found.ok_or_else(|| {
                refusal(name, format!("target `{name}` has no single address to connect to"))
            })?
        }
        None => {
            let found = live.config.target_at(caller.destination);
            let found = found.ok_or_else(|| {
                refusal("", format!("no target of the configuration is at {}", caller.destination))
            })?;
            (found, found.upstream_for(caller.destination))
        }
    };
    if sessions.own.contains(&upstream) {
        return Err(refusal(&target.name, format!("{upstream} is Interlock's own listener: a loop")));
    }
    Ok((target, upstream))
}
