//! One socket or connection that asks: its desk, and the way of one question through it.

use super::budget::Budgets;
use super::name::HostName;
use super::names::Names;
use super::query::{Query, Unreadable};
use super::reply::{Reply, encode};
use super::rule::{self, Checked};
use super::upstream::{Found, Upstream};
use crate::config::{DnsConfig, Refusal};
use crate::session::{Admission, Desk, Sessions};
use audit::SpoolError;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, Record};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wire::{OpEnd, Operation};

/// What all askers share.
pub(super) struct Common {
    pub(super) sessions: Sessions,
    pub(super) budgets: Mutex<Budgets>,
    pub(super) upstream: Upstream,
}

/// One asker.
pub(super) struct Asker {
    agent: Arc<str>,
    desk: Mutex<Desk>,
    asked: AtomicU64,
}

/// What a question came by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Over {
    /// A datagram.
    Udp,
    /// A connection.
    Tcp,
}

impl Asker {
    pub(super) fn new(agent: Arc<str>, desk: Desk) -> Self {
        Self { agent, desk: Mutex::new(desk), asked: AtomicU64::new(0) }
    }

    /// Records that nobody can take its questions now.
    pub(super) fn refuse(&self, reason: &str) {
        self.desk().refused("LOOKUP", reason);
    }

    /// Answers one question: the bytes to send back, if any.
    pub(super) async fn answer(&self, common: &Common, bytes: &[u8], over: Over) -> Option<Vec<u8>> {
        let query = match Query::read(bytes) {
            Ok(query) => query,
            Err(Unreadable::Silent(why)) => {
                self.unreadable(common, why);
                return None;
            }
            Err(Unreadable::Answered(why, reply)) => {
                self.unreadable(common, why);
                return Some(reply);
            }
        };
        let bytes_max = match over {
            Over::Udp => usize::from(query.datagram_bytes),
            Over::Tcp => usize::from(u16::MAX),
        };
        let name = HostName::read(query.name());
        let live = common.sessions.live.load_full();
        let id = self.asked.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let op = rule::operation(id, &query, name.as_ref());
        let checked = rule::check(&common.budgets, &self.agent, (&query, name.as_ref()), &live);
        if let Some(why) = self.refused(&op, &checked, name.as_ref()).await {
            let code = refusal_code(&live.config.dns);
            return Some(encode(&query, &Reply::Refused(code, &why), bytes_max));
        }
        let found = common.upstream.ask(&query, &live.config.dns).await;
        let is_targets =
            name.as_ref().is_some_and(|name| live.config.targets_named(name.text()).next().is_some());
        self.remember(&common.sessions.names, (&query, name.as_ref()), is_targets, &found);
        let reply = match &found {
            Found::Records(records, ttl) => Reply::Records(records, *ttl),
            Found::Nothing(code, authority) => Reply::Nothing(*code, authority.as_deref()),
            Found::Failed(_) => Reply::Failed,
        };
        let encoded = encode(&query, &reply, bytes_max);
        self.desk().done(end(id, (bytes.len(), encoded.len()), &found));
        Some(encoded)
    }

    /// A row now and then: who sends such messages may send many.
    fn unreadable(&self, common: &Common, why: &str) {
        let told = {
            let mut budgets = common.budgets.lock().unwrap_or_else(PoisonError::into_inner);
            budgets.unreadable(&self.agent, &common.sessions.live.load().config.dns, Instant::now())
        };
        match told {
            Some(0) => self.desk().refused("LOOKUP", why),
            Some(untold) => {
                self.desk().refused("LOOKUP", &format!("{why}; {untold} such messages before it have no row"))
            }
            None => {}
        }
    }

    /// Why a question is refused, if it is.
    async fn refused(&self, op: &Operation, checked: &Checked, name: Option<&HostName>) -> Option<String> {
        let admission = {
            let mut desk = self.desk();
            match checked {
                Checked::Untold => return Some("too many lookups".to_owned()),
                Checked::Refused(rule, reason) => {
                    desk.admit(op, |_, _, op, _| rule::refusal(op, rule, reason))
                }
                Checked::Fine => {
                    desk.admit(op, |desk, live, op, hour| rule::rule(desk, live, op, hour, name))
                }
            }
        };
        let settled = match admission {
            Admission::Soon(row) => {
                let begun = row.await.unwrap_or(Err(SpoolError::Closed));
                self.desk().settle(op.id, begun)
            }
            other => other,
        };
        match settled {
            Admission::Refused(denial) => Some(denial.message.into()),
            _ => None,
        }
    }

    /// The agent knows the addresses by the name that it asked for. Aliases on the way are their owner's word alone.
    fn remember(
        &self,
        names: &Names,
        (query, name): (&Query, Option<&HostName>),
        is_targets: bool,
        found: &Found,
    ) {
        let (Some(name), Found::Records(records, ttl)) = (name, found) else { return };
        let addresses = addresses(query.name(), records);
        let good_for = Duration::from_secs(u64::from(*ttl));
        if is_targets {
            names.learn_target(name.text(), &addresses, good_for, Instant::now());
        }
        names.learn(&self.agent, name.text(), &addresses, good_for, Instant::now());
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The addresses that the aliases of a name lead to; what else is in the answer was not asked for.
pub(super) fn addresses(asked: &Name, records: &[Record]) -> Vec<IpAddr> {
    let mut chain = vec![asked];
    for _ in 0..records.len() {
        let alias = records.iter().find_map(|record| match &record.data {
            RData::CNAME(alias) if chain.contains(&&record.name) && !chain.contains(&&alias.0) => {
                Some(&alias.0)
            }
            _ => None,
        });
        let Some(alias) = alias else { break };
        chain.push(alias);
    }
    let led_to = records.iter().filter(|record| chain.contains(&&record.name));
    led_to.filter_map(|record| record.data.ip_addr()).collect()
}

fn refusal_code(config: &DnsConfig) -> ResponseCode {
    match config.refusal {
        Refusal::NoName => ResponseCode::NXDomain,
        Refusal::Refused => ResponseCode::Refused,
    }
}

fn end(id: u64, (bytes_in, bytes_out): (usize, usize), found: &Found) -> OpEnd {
    let error = match found {
        Found::Records(..) => None,
        Found::Nothing(ResponseCode::NXDomain, _) => {
            Some(("NXDOMAIN".into(), "there is no such name".into()))
        }
        // No records of this type: an answer like any other.
        Found::Nothing(ResponseCode::NoError, _) => None,
        Found::Nothing(code, _) => Some((code.to_str().into(), "the server's answer is an error".into())),
        Found::Failed(why) => Some(("SERVFAIL".into(), why.as_str().into())),
    };
    let rows = match found {
        Found::Records(records, _) => records.len() as u64,
        _ => 0,
    };
    OpEnd { id, rows, bytes_in: bytes_in as u64, bytes_out: bytes_out as u64, error }
}
