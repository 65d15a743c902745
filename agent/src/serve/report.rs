//! What `interlock status` and `interlock doctor` say.

use super::daemon::Daemon;
use crate::control::message::{
    ConfigStatus, KernelStatus, PolicyStatus, SessionStatus, SinkStatus, SpoolStatus, Status, time,
};
use crate::intercept::{Check, State};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How the daemon is.
pub(super) fn status(daemon: &Daemon) -> Status {
    let live = daemon.live.load();
    let reloads = daemon.reloads().clone();
    let (total, forwarded, denied, broken) = daemon.registry.counts.read();
    let operations = [("forward", forwarded), ("deny", denied), ("protocol-error", broken)];
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        started: time(daemon.started),
        config: ConfigStatus {
            path: live.config.file.clone(),
            loaded: time(live.since),
            error: reloads.config_error,
            restart_needed: reloads.restart_needed,
        },
        policies: PolicyStatus {
            generation: live.generation,
            count: live.policies.len(),
            loaded: time(live.since),
            error: reloads.policy_error,
            warnings: live.policies.warnings().iter().map(ToString::to_string).collect(),
        },
        boundaries: daemon.boundaries.clone(),
        kernel: kernel(daemon),
        sessions: SessionStatus { open: daemon.registry.open().0 as u64, total },
        operations: operations.into_iter().map(|(name, count)| (name.to_owned(), count)).collect(),
        spool: spool(daemon),
        sink: sink(daemon),
    }
}

fn kernel(daemon: &Daemon) -> KernelStatus {
    let Some(kernel) = &daemon.kernel else {
        return KernelStatus { unavailable: daemon.unavailable.clone(), ..KernelStatus::default() };
    };
    let refused = kernel.stats().into_iter().filter(|(_, count)| *count > 0);
    KernelStatus {
        unavailable: None,
        governed: kernel.governed().map_or(0, |governed| governed.len()),
        refused: refused.map(|(reason, count)| (reason.to_owned(), count)).collect(),
    }
}

fn spool(daemon: &Daemon) -> SpoolStatus {
    let status = daemon.spool.status();
    let local_only = daemon.live.load().config.sink.is_none();
    let waiting = if local_only { 0 } else { status.pending_rows + status.waiting_rows };
    SpoolStatus {
        rows: status.stored_rows + status.waiting_rows,
        waiting,
        bytes: status.stored_bytes + status.journal_bytes,
        oldest_waiting: status.pending_since.filter(|_| !local_only).map(micros),
        error: status.error.map(|error| error.to_string()),
    }
}

fn micros(time_us: i64) -> String {
    let since = Duration::from_micros(u64::try_from(time_us).unwrap_or(0));
    time(UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH))
}

fn sink(daemon: &Daemon) -> Option<SinkStatus> {
    let (name, status) = daemon.sink_status()?;
    Some(SinkStatus {
        name,
        state: status.state.to_string(),
        healthy: status.is_healthy(),
        shipped: status.shipped_rows,
        error: status.last_error,
        retry_at: status.next_retry.map(time),
    })
}

/// What only the daemon can check.
pub(super) fn checks(daemon: &Daemon) -> Vec<Check> {
    let status = status(daemon);
    vec![
        listener_line(&status),
        security_line(daemon),
        config_line(&status),
        policies_line(&status),
        spool_line(&status),
        sink_line(&status),
    ]
}

fn line(name: &str, state: State, detail: String, remedy: &str) -> Check {
    Check { name: name.to_owned(), state, detail, remedy: remedy.to_owned() }
}

fn listener_line(status: &Status) -> Check {
    let listeners: Vec<String> = status
        .boundaries
        .iter()
        .map(|boundary| format!("{} ({})", boundary.address, boundary.kind))
        .collect();
    match (&status.kernel.unavailable, listeners.is_empty()) {
        (None, _) => line("listener", State::Ok, listeners.join(", "), ""),
        (Some(why), false) => {
            let detail = format!("{}; kernel side: {why}", listeners.join(", "));
            line("listener", State::Degraded, detail, "make the kernel side loadable to have a boundary")
        }
        (Some(why), true) => {
            let remedy = "make the kernel side loadable, or configure a `[[listener]]`";
            line("listener", State::Broken, format!("none; kernel side: {why}"), remedy)
        }
    }
}

fn security_line(daemon: &Daemon) -> Check {
    const NAME: &str = "security hooks in use";
    let Some(security) = daemon.kernel.as_ref().map(|kernel| kernel.security()) else {
        return line(
            NAME,
            State::Degraded,
            "none: there is no kernel side".to_owned(),
            "see the lines above",
        );
    };
    let attached = security.attached.join(", ");
    match &security.missing {
        None => line(NAME, State::Ok, attached, ""),
        Some(why) => {
            let having = if attached.is_empty() { String::new() } else { format!("; there are {attached}") };
            let remedy = "Unix sockets of others and ways out of the cgroup stay open to agents that `interlock exec` did not \
                          start: use a kernel with BPF LSM";
            line(NAME, State::Degraded, format!("{why}{having}"), remedy)
        }
    }
}

fn config_line(status: &Status) -> Check {
    match (&status.config.error, status.config.restart_needed.is_empty()) {
        (Some(error), _) => {
            let detail = format!("the last reload was refused: {error}");
            line("configuration", State::Degraded, detail, "mend the file; the one before is in force")
        }
        (None, false) => {
            let detail = format!("changed but not in force: {}", status.config.restart_needed.join(", "));
            line("configuration", State::Degraded, detail, "restart the daemon")
        }
        (None, true) => {
            let detail = format!("{}, in force since {}", status.config.path.display(), status.config.loaded);
            line("configuration", State::Ok, detail, "")
        }
    }
}

fn policies_line(status: &Status) -> Check {
    let policies = &status.policies;
    match (&policies.error, policies.warnings.first()) {
        (Some(error), _) => {
            let detail = format!("the last reload was refused: {error}");
            line("policies in force", State::Degraded, detail, "mend them; those before are in force")
        }
        (None, Some(warning)) => {
            let detail = format!("{} policies; {warning}", policies.count);
            line("policies in force", State::Degraded, detail, "see `interlock policy check`")
        }
        (None, None) => {
            let detail = format!("{} policies, generation {}", policies.count, policies.generation);
            line("policies in force", State::Ok, detail, "")
        }
    }
}

fn spool_line(status: &Status) -> Check {
    let spool = &status.spool;
    let detail =
        format!("{} rows, {} waiting for the sink, {} bytes", spool.rows, spool.waiting, spool.bytes);
    match &spool.error {
        None => line("spool in use", State::Ok, detail, ""),
        Some(error) => {
            let remedy = "free disk space or let the sink catch up; operations are refused meanwhile";
            line("spool in use", State::Broken, error.clone(), remedy)
        }
    }
}

fn sink_line(status: &Status) -> Check {
    match &status.sink {
        None => line("sink in use", State::Ok, "none configured: rows stay in the spool".to_owned(), ""),
        Some(sink) if sink.healthy => line(
            "sink in use",
            State::Ok,
            format!("{}: {}, {} rows", sink.name, sink.state, sink.shipped),
            "",
        ),
        Some(sink) => {
            let error = sink.error.as_deref().unwrap_or("unknown");
            let remedy = "make it reachable; rows wait in the spool and are shipped once each";
            line("sink in use", State::Degraded, format!("{}: {}: {error}", sink.name, sink.state), remedy)
        }
    }
}
