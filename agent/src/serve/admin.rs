//! The answers to the control socket.

use super::daemon::Daemon;
use super::report;
use crate::cgroup::CgroupId;
use crate::control::message::{
    AgentStatus, Code, Failure, Place, Prepare, Prepared, Reloaded, Status, Tagged,
};
use crate::control::{Admin, Answering, Lease, TailItem};
use crate::intercept::Check;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Rows on their way to one watcher.
const TAIL_ROWS: usize = 1_024;

impl Admin for Daemon {
    fn peer_is_governed(&self, pid: u32) -> bool {
        self.governor.is_governed(pid)
    }

    fn status(&self) -> Answering<'_, Status> {
        Box::pin(async { Ok(report::status(self)) })
    }

    fn agents(&self) -> Answering<'_, Vec<AgentStatus>> {
        Box::pin(async { agents(self) })
    }

    fn tag(&self, agent: String, place: Place) -> Answering<'_, Tagged> {
        Box::pin(async move {
            self.must_know(&agent)?;
            self.governor.tag(&agent, &place)
        })
    }

    fn untag(&self, place: Place) -> Answering<'_, Tagged> {
        Box::pin(async move { self.governor.untag(&place) })
    }

    fn prepare(&self, prepare: Prepare) -> Answering<'_, (Prepared, Lease)> {
        Box::pin(async move {
            self.must_know(&prepare.agent)?;
            let (directory, id) =
                self.governor.prepare(&prepare.agent, prepare.task.as_deref().unwrap_or_default())?;
            let lease = Lease::new(Kept { governor: Arc::clone(&self.governor), id });
            let unix_sockets = self.may_make_unix_sockets(&prepare.agent);
            Ok((Prepared { agent: prepare.agent, directory, unix_sockets }, lease))
        })
    }

    fn flush(&self) -> Answering<'_, ()> {
        Box::pin(async {
            let spool = self.spool.clone();
            let flushed = tokio::task::spawn_blocking(move || spool.flush()).await;
            match flushed {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(Failure::new(Code::Failed, error.to_string())),
                Err(error) => Err(Failure::new(Code::Failed, error.to_string())),
            }
        })
    }

    fn tail(&self, _: serde_json::Value) -> Answering<'_, mpsc::Receiver<TailItem>> {
        Box::pin(async { Ok(tail(self)) })
    }

    fn reload(&self) -> Answering<'_, Reloaded> {
        Box::pin(async {
            let report = self.reload_now().await;
            report.map_err(|why| Failure::new(Code::Failed, format!("nothing was changed:\n{why}")))
        })
    }

    fn doctor(&self) -> Answering<'_, Vec<Check>> {
        Box::pin(async { Ok(report::checks(self)) })
    }
}

impl Daemon {
    /// Names that the configuration allows an agent are told apart by the security hooks alone: without them, all are open to it.
    fn may_make_unix_sockets(&self, agent: &str) -> bool {
        let is_watched = self.kernel.as_ref().is_some_and(|kernel| kernel.security().missing.is_none());
        let live = self.live.load();
        is_watched || live.config.agent(agent).is_some_and(|agent| !agent.unix_sockets.is_empty())
    }

    fn must_know(&self, agent: &str) -> Result<(), Failure> {
        let live = self.live.load();
        if live.config.agent(agent).is_some() {
            return Ok(());
        }
        let known: Vec<&str> = live.config.agents.iter().map(|agent| agent.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { format!("`{}`", known.join("`, `")) };
        let message =
            format!("no agent `{agent}` is configured (configured: {known}); add an `[[agent]]` table");
        Err(Failure::new(Code::UnknownAgent, message))
    }
}

/// A cgroup that waits for its command.
struct Kept {
    governor: Arc<super::governor::Governor>,
    id: CgroupId,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.governor.end_lease(self.id);
    }
}

fn agents(daemon: &Daemon) -> Result<Vec<AgentStatus>, Failure> {
    let live = daemon.live.load();
    let mut agents: BTreeMap<String, AgentStatus> = BTreeMap::new();
    for agent in &live.config.agents {
        let status = AgentStatus {
            name: agent.name.clone(),
            roles: agent.roles.clone(),
            configured: true,
            ..AgentStatus::default()
        };
        agents.insert(agent.name.clone(), status);
    }
    for (name, governed) in daemon.governor.list()? {
        let fresh = || AgentStatus { name: name.to_string(), ..AgentStatus::default() };
        agents.entry(name.to_string()).or_insert_with(fresh).cgroups.push(governed);
    }
    for (name, open) in daemon.registry.open().1 {
        if let Some(agent) = agents.get_mut(&*name) {
            agent.sessions = open as u64;
        }
    }
    Ok(agents.into_values().collect())
}

/// The spool's watchers block, so each has a thread; it ends when the watcher hangs up or the spool closes.
fn tail(daemon: &Daemon) -> mpsc::Receiver<TailItem> {
    let rows = daemon.spool.subscribe();
    let (sender, receiver) = mpsc::channel(TAIL_ROWS);
    let spawned = std::thread::Builder::new().name("tail".to_owned()).spawn(move || {
        loop {
            match rows.next_timeout(std::time::Duration::from_secs(1)) {
                Ok(audit::Live::Rows(chunk)) => {
                    for row in chunk.rows() {
                        let Ok(row) = serde_json::from_str(&audit::render::json(row)) else { continue };
                        if sender.blocking_send(TailItem::Row(row)).is_err() {
                            return;
                        }
                    }
                }
                Ok(audit::Live::Missed(missed)) => {
                    if sender.blocking_send(TailItem::Missed(missed)).is_err() {
                        return;
                    }
                }
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) if !sender.is_closed() => {}
                Err(_) => return,
            }
        }
    });
    if let Err(error) = spawned {
        tracing::warn!(%error, "rows can't be followed");
    }
    receiver
}
