//! The daemon's own log, on standard error. Customer data never above debug; a warning is what would need a person.

use crate::config::{Format, Log};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

/// Changes the level of a running log.
#[derive(Clone, Debug)]
pub struct LogHandle(reload::Handle<EnvFilter, Registry>);

/// Starts logging. `RUST_LOG` wins over the configured level.
pub fn start(log: &Log) -> LogHandle {
    let (filter, handle) = reload::Layer::new(filter(log));
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    // A second start, as tests do, keeps the first.
    let started = match log.format {
        Format::Json => registry.with(lines.json()).try_init(),
        Format::Text => registry.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init(),
    };
    if let Err(error) = started {
        eprintln!("interlock: logging was started before: {error}");
    }
    LogHandle(handle)
}

impl LogHandle {
    /// Takes over the level of a new configuration.
    pub fn set(&self, log: &Log) {
        if let Err(error) = self.0.reload(filter(log)) {
            tracing::warn!(%error, "the log level could not be changed");
        }
    }
}

fn filter(log: &Log) -> EnvFilter {
    let level: LevelFilter = log.level.as_str().parse().unwrap_or(LevelFilter::INFO);
    EnvFilter::builder().with_default_directive(level.into()).from_env_lossy()
}
