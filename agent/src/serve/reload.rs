//! New configurations and policies: taken whole, or not at all, and said so.

use super::daemon::Daemon;
use crate::config::watch::Watch;
use crate::control::message::Reloaded;
use crate::live::{Live, LiveError};
use std::path::PathBuf;
use std::sync::Arc;

impl Daemon {
    /// Reads everything anew. What is wrong leaves in force what was.
    pub(super) async fn reload_now(&self) -> Result<Reloaded, String> {
        let old = self.live.load_full();
        let file = old.config.file.clone();
        let generation = old.generation + 1;
        // Host names are resolved and files are read: that blocks.
        let loaded = tokio::task::spawn_blocking(move || Live::load(&file, generation)).await;
        let new = match loaded {
            Ok(Ok(new)) => new,
            Ok(Err(error)) => return Err(self.refused(&error)),
            Err(error) => return Err(error.to_string()),
        };
        let changes = old.config.changes(&new.config);
        {
            let mut reloads = self.reloads();
            reloads.config_error = None;
            reloads.policy_error = None;
            reloads.restart_needed.clone_from(&changes.restart);
        }
        self.log.set(&new.config.log);
        for warning in new.policies.warnings() {
            tracing::warn!("{warning}");
        }
        self.live.store(Arc::new(new));
        let live = self.live.load_full();
        self.governor.start_over(&live.config);
        self.governor.follow_all(&live.config);
        self.renew_sink().await;
        tracing::info!(generation, %changes, policies = live.policies.len(), "reloaded");
        Ok(Reloaded { generation, changes: changes.to_string(), restart_needed: changes.restart })
    }

    fn refused(&self, error: &LiveError) -> String {
        let text = error.to_string();
        tracing::error!("the new configuration is refused, the one before stays in force:\n{text}");
        let mut reloads = self.reloads();
        match error {
            LiveError::Config(_) => reloads.config_error = Some(text.clone()),
            LiveError::Read(..) | LiveError::Policies(_) => reloads.policy_error = Some(text.clone()),
        }
        text
    }
}

/// Watches the files that are in force, and for `SIGHUP`.
pub(super) fn watch(daemon: &Daemon) -> Option<Watch> {
    match Watch::new(followed(daemon)) {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::error!(%error, "files can't be followed: reload with `interlock reload`");
            None
        }
    }
}

/// Reloads whenever a file changes or `SIGHUP` comes.
pub(super) async fn follow(daemon: Arc<Daemon>, mut watch: Watch) {
    loop {
        let change = watch.next().await;
        tracing::info!(?change, "reading the configuration again");
        if daemon.reload_now().await.is_ok() {
            watch.follow(followed(&daemon));
        }
    }
}

fn followed(daemon: &Daemon) -> Vec<PathBuf> {
    let live = daemon.live.load();
    std::iter::once(live.config.file.clone()).chain(live.config.policies.paths.iter().cloned()).collect()
}
