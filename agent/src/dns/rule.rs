//! May it be asked? First what `[dns]` says, then the policies.

use super::budget::{Budgets, Spent};
use super::name::HostName;
use super::query::Query;
use crate::config::{DNS_TARGET, DataLabels, DnsConfig};
use crate::live::Live;
use crate::session::Desk;
use bytes::Bytes;
use policy::{Asked, Effect, Place, Ruling};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use wire::{Access, Action, Certainty, Facts, Meaning, OpId, Operation, Phase, Resource, ResourceKind};

/// A lookup as an operation: `read name dns/host/com/example/www`.
pub(super) fn operation(id: u64, query: &Query, name: Option<&HostName>) -> Operation {
    let kind = query.kind().to_string();
    let text =
        format!("{kind} {}", name.map_or_else(|| query.name().to_ascii(), |name| name.text().to_string()));
    let path: Vec<&str> = ["host"].into_iter().chain(name.into_iter().flat_map(HostName::upwards)).collect();
    let certainty = if name.is_some() { Certainty::Exact } else { Certainty::Opaque };
    let meaning = Meaning {
        verb: kind.into(),
        action: Action::Read,
        accesses: Box::new([Access {
            action: Action::Read,
            resource: Resource::new(ResourceKind::Name, &path),
        }]),
        certainty,
        doubt: if name.is_some() {
            "".into()
        } else {
            "the name has characters that no host name has".into()
        },
        facts: Facts::default(),
        fingerprint: 0,
    };
    Operation {
        id: OpId(id),
        phase: Phase::Run,
        meaning: Arc::new(meaning),
        text: Bytes::from(text),
        binds: Vec::new(),
        cancel: None,
    }
}

/// What a lookup may be refused for before its policies are asked; `None` if for nothing.
pub(super) enum Checked {
    /// Nothing is wrong with it.
    Fine,
    /// Refused by this rule, for this reason.
    Refused(&'static str, String),
    /// Refused; there is a row of this and others.
    Untold,
}

/// Holds a lookup against `[dns]`.
pub(super) fn check(
    budgets: &Mutex<Budgets>,
    agent: &Arc<str>,
    (query, name): (&Query, Option<&HostName>),
    live: &Live,
) -> Checked {
    let config = &live.config.dns;
    let is_own = name.is_some_and(|name| live.config.targets_named(name.text()).next().is_some());
    let spent = {
        let mut budgets = budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.spend(agent, name, is_own, config, Instant::now())
    };
    match spent {
        Spent::Within => check_question(query, name, is_own, config),
        Spent::Again => Checked::Untold,
        Spent::Queries { untold } => {
            let more = if untold == 0 { String::new() } else { format!("; {untold} before it have no row") };
            let limit = config.queries_per_minute;
            let reason = format!(
                "the agent looks up more than {limit} names a minute (`dns.queries_per_minute`){more}"
            );
            Checked::Refused("interlock:dns-queries", reason)
        }
        Spent::Names(domain) => Checked::Refused(
            "interlock:dns-names",
            format!(
                "the agent looks up more than {} new names of `{domain}` a minute (`dns.new_names_per_minute`), as one does that \
                 carries data out",
                config.new_names_per_minute
            ),
        ),
        Spent::Bytes(domain) => Checked::Refused(
            "interlock:dns-bytes",
            format!(
                "the new names of `{domain}` that the agent looks up are more than {} bytes an hour \
                 (`dns.new_name_bytes_per_hour`), as of one that carries data out",
                config.new_name_bytes_per_hour
            ),
        ),
    }
}

fn check_question(query: &Query, name: Option<&HostName>, is_own: bool, config: &DnsConfig) -> Checked {
    let kind = query.kind().to_string();
    if !config.types.contains(&kind.as_str()) {
        let reason =
            format!("records of type {kind} are not among those that agents may ask for (`dns.types`)");
        return Checked::Refused("interlock:dns-type", reason);
    }
    let Some(name) = name else {
        let reason = "the name has characters that no host name has".to_owned();
        return Checked::Refused("interlock:dns-name", reason);
    };
    let data = Some(name)
        .filter(|_| !is_own && config.data_labels == DataLabels::Refuse)
        .and_then(HostName::data_label);
    match data {
        Some(label) => {
            let reason = format!("label `{label}` looks like data, not like a name (`dns.data_labels`)");
            Checked::Refused("interlock:dns-data", reason)
        }
        None => Checked::Fine,
    }
}

/// The ruling on a lookup that `[dns]` has nothing against. What an agent may connect to, it may look up.
pub(super) fn rule(
    desk: &Desk,
    live: &Live,
    op: &Operation,
    hour: u8,
    name: Option<&HostName>,
) -> Arc<Ruling> {
    if let Some(reason) = desk.unknown(live) {
        return refusal(op, "interlock:unknown-agent", &reason);
    }
    let connect = Access { action: Action::Connect, resource: Resource::new(ResourceKind::Target, &[]) };
    let meaning = Arc::new(Meaning {
        action: Action::Connect,
        accesses: Box::new([connect]),
        ..Meaning::clone(&op.meaning)
    });
    let targets: Vec<Place> = name
        .into_iter()
        .flat_map(|name| live.config.targets_named(name.text()))
        .map(|target| Place::new(target.name.as_str().into(), "".into()))
        .collect();
    desk.strictest(|who| {
        let ask = |at, meaning| live.policies.rule(&Asked { who, at, meaning, hour });
        let by_name = ask(desk.place(), &op.meaning);
        if by_name.effect == Effect::Forward {
            return by_name;
        }
        let by_target = targets.iter().map(|at| ask(at, &meaning)).find(|it| it.effect == Effect::Forward);
        by_target.map_or_else(
            || Arc::clone(&by_name),
            |it| Arc::new(Ruling { resources: Arc::clone(&by_name.resources), ..Ruling::clone(&it) }),
        )
    })
}

/// The ruling on a lookup that `[dns]` refuses.
pub(super) fn refusal(op: &Operation, rule: &str, reason: &str) -> Arc<Ruling> {
    let path = op.meaning.accesses.first().map(|access| access.resource.path.join("/")).unwrap_or_default();
    Arc::new(Ruling {
        effect: Effect::Deny,
        policies: Arc::new([rule.into()]),
        reason: reason.into(),
        hint: "".into(),
        resources: Arc::new([format!("read name {DNS_TARGET}/{path}").into()]),
        record_binds: false,
    })
}
