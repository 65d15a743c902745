//! The state of the running daemon, as the control socket asks about it and reloads change it.

use super::governor::Governor;
use super::listeners::{Kind, Listening};
use crate::config::ClickHouse;
use crate::control::message::{Boundary, BoundaryKind};
use crate::intercept::Kernel;
use crate::live::Current;
use crate::session::Registry;
use crate::sink::{self, SinkConfig, SinkHandle};
use crate::telemetry::LogHandle;
use audit::Spool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// The running daemon.
pub(super) struct Daemon {
    pub(super) live: Current,
    pub(super) kernel: Option<Arc<Kernel>>,
    /// Why there is no kernel side.
    pub(super) unavailable: Option<String>,
    pub(super) spool: Spool,
    pub(super) registry: Arc<Registry>,
    pub(super) governor: Arc<Governor>,
    pub(super) boundaries: Vec<Boundary>,
    pub(super) started: SystemTime,
    pub(super) log: LogHandle,
    pub(super) reloads: Mutex<Reloads>,
    sink: Mutex<Option<Sink>>,
}

/// What became of the last reload.
#[derive(Clone, Debug, Default)]
pub(super) struct Reloads {
    /// Why the configuration was refused.
    pub(super) config_error: Option<String>,
    /// Why the policies were refused.
    pub(super) policy_error: Option<String>,
    /// Keys that wait for a restart.
    pub(super) restart_needed: Vec<String>,
}

struct Sink {
    config: ClickHouse,
    handle: SinkHandle,
}

/// What the daemon is made of.
pub(super) struct Parts {
    pub(super) live: Current,
    pub(super) kernel: Option<Arc<Kernel>>,
    pub(super) unavailable: Option<String>,
    pub(super) spool: Spool,
    pub(super) registry: Arc<Registry>,
    pub(super) governor: Arc<Governor>,
    pub(super) log: LogHandle,
}

impl Daemon {
    pub(super) fn new(parts: Parts, listening: &Listening) -> Self {
        let Parts { live, kernel, unavailable, spool, registry, governor, log } = parts;
        let boundaries = boundaries(listening);
        let (started, reloads, sink) = (SystemTime::now(), Mutex::default(), Mutex::new(None));
        Self { live, kernel, unavailable, spool, registry, governor, boundaries, started, log, reloads, sink }
    }

    pub(super) fn reloads(&self) -> MutexGuard<'_, Reloads> {
        lock(&self.reloads)
    }

    /// Starts shipping to the configured sink, if there is one. Call it in the admin runtime.
    pub(super) fn start_sink(&self) {
        let config = self.live.load().config.sink.clone();
        let mut sink = lock(&self.sink);
        *sink = config.and_then(|config| match sink_config(&config) {
            Ok(ready) => Some(Sink { config, handle: sink::spawn(&ready, self.spool.clone()) }),
            Err(error) => {
                tracing::error!(%error, "the sink's password can't be read: rows stay in the spool");
                None
            }
        });
    }

    /// Stops shipping; what has not arrived stays in the spool.
    pub(super) async fn stop_sink(&self) {
        let running = lock(&self.sink).take();
        if let Some(running) = running {
            running.handle.stop().await;
        }
    }

    /// Starts the sink anew if its configuration changed.
    pub(super) async fn renew_sink(&self) {
        let wanted = self.live.load().config.sink.clone();
        let same = lock(&self.sink).as_ref().map(|sink| &sink.config) == wanted.as_ref();
        if !same {
            self.stop_sink().await;
            self.start_sink();
        }
    }

    /// Address and state of the sink.
    pub(super) fn sink_status(&self) -> Option<(String, sink::SinkStatus)> {
        let sink = lock(&self.sink);
        sink.as_ref().map(|sink| (format!("clickhouse {}", sink.config.url), sink.handle.status()))
    }
}

/// The sink's own configuration.
fn sink_config(config: &ClickHouse) -> std::io::Result<SinkConfig> {
    let password = config.password()?;
    Ok(SinkConfig::new(config, password))
}

fn boundaries(listening: &Listening) -> Vec<Boundary> {
    let describe = |listener: &super::listeners::Listener| {
        let (kind, agent, target) = match &listener.kind {
            Kind::Transparent => (BoundaryKind::Transparent, None, None),
            Kind::Explicit { agent, target } => {
                (BoundaryKind::Explicit, Some(agent.clone()), Some(target.clone()))
            }
        };
        Boundary { kind, address: listener.address.to_string(), agent, target }
    };
    listening.all.iter().map(describe).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
