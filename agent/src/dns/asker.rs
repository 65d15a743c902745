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
use hickory_proto::rr::{RData, Record};
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
                self.desk().refused("LOOKUP", why);
                return None;
            }
            Err(Unreadable::Answered(why, reply)) => {
                self.desk().refused("LOOKUP", why);
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
        self.remember(&common.sessions.names, name.as_ref(), &found);
        let reply = match &found {
            Found::Records(records, ttl) => Reply::Records(records, *ttl),
            Found::Nothing(code, authority) => Reply::Nothing(*code, authority.as_deref()),
            Found::Failed(_) => Reply::Failed,
        };
        let encoded = encode(&query, &reply, bytes_max);
        self.desk().done(end(id, (bytes.len(), encoded.len()), &found));
        Some(encoded)
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

    /// Every name on the way to an address is one that the agent knows it by.
    fn remember(&self, names: &Names, name: Option<&HostName>, found: &Found) {
        let (Some(name), Found::Records(records, ttl)) = (name, found) else { return };
        let mut known = vec![Arc::clone(name.text())];
        for record in records {
            if let RData::CNAME(alias) = &record.data
                && let Some(alias) = HostName::read(&alias.0)
            {
                known.push(Arc::clone(alias.text()));
            }
        }
        let addresses: Vec<_> = records.iter().filter_map(|record: &Record| record.data.ip_addr()).collect();
        names.learn(&self.agent, &known, &addresses, Duration::from_secs(u64::from(*ttl)), Instant::now());
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
