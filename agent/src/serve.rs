//! The daemon: what starts in which order, what stops in which, and what happens in between.
//!
//! Data plane: one thread per CPU with an event loop of its own (`workers.rs`), on which sessions live. Admin plane: one small
//! runtime for the control socket, the sink, reloads and signals; nothing there can keep a session waiting.
//!
//! | file | holds |
//! |---|---|
//! | `workers.rs` | threads that accept and drive sessions |
//! | `listeners.rs` | the sockets that connections come in by |
//! | `inherited.rs` | sockets that outlive a daemon |
//! | `governor.rs` | which cgroups are governed as whom, and why |
//! | `book.rs` | the book of them |
//! | `daemon.rs` | the state that the control socket asks about |
//! | `admin.rs` | the answers to the control socket |
//! | `entries.rs` | sockets that processes bring into governed cgroups |
//! | `executions.rs` | programs, looked at when they begin to run |
//! | `following.rs` | threads that follow what the kernel side tells |
//! | `refusals.rs` | rows of what the kernel side refuses outside sessions |
//! | `reload.rs` | new configurations and policies |

mod admin;
mod book;
mod daemon;
mod entries;
mod executions;
mod following;
mod governor;
mod inherited;
mod listeners;
mod refusals;
mod reload;
mod report;
mod sys;
mod workers;

use crate::config::{Config, Dns, Enabled};
use crate::control::{RunLock, Server, ServerLimits};
use crate::dns;
use crate::intercept::{Kernel, KernelOptions, Lookups, Origin, Paths, Unavailable, available};
use crate::live::{Live, LiveError};
use crate::session::{Registry, Sessions, Site};
use crate::telemetry;
use anyhow::Context;
use arc_swap::ArcSwap;
use audit::{Spool, SpoolOptions};
use daemon::{Daemon, Parts};
use entries::Entries;
use executions::Executions;
use following::Following;
use governor::Governor;
use inherited::Inherited;
use listeners::Listening;
use refusals::Refusals;
use std::net::UdpSocket;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use workers::Workers;

/// Exit code for a bad configuration or bad policies.
const EXIT_CONFIG: u8 = 2;
/// How often the kernel programs' diagnostics are looked for.
const DIAGNOSTICS: Duration = Duration::from_secs(5);
/// How long the last rows may take to get to the disk when the daemon stops.
const STOP_SPOOL: Duration = Duration::from_secs(10);

/// Runs the daemon until it is asked to stop.
///
/// # Errors
/// Anything that keeps it from starting; governed cgroups stay closed then.
pub fn run(file: &Path) -> anyhow::Result<ExitCode> {
    let live = match Live::load(file, 1) {
        Ok(live) => live,
        Err(error) => {
            complain(&error);
            return Ok(ExitCode::from(EXIT_CONFIG));
        }
    };
    let log = telemetry::start(&live.config.log);
    for warning in live.policies.warnings() {
        tracing::warn!("{warning}");
    }
    let lock = RunLock::take(&live.config.paths.run)?;
    let spool = open_spool(&live.config)?;
    let mut inherited = Inherited::take();
    let (kernel, unavailable) = open_kernel(&live.config, !inherited.is_empty())?;
    let listening = Listening::bind(&live.config, kernel.is_some(), &mut inherited)?;
    // What has no place any more is closed.
    drop(inherited);
    let governor = Arc::new(Governor::new(kernel.clone(), &live.config)?);
    let admin = Builder::new_multi_thread().worker_threads(1).thread_name("admin").enable_all().build()?;
    let (drain, draining) = watch::channel(false);
    let registry = Arc::new(Registry::default());
    let live: Arc<ArcSwap<Live>> = Arc::new(ArcSwap::from_pointee(live));
    let sessions = Sessions {
        live: Arc::clone(&live),
        spool: spool.clone(),
        registry: Arc::clone(&registry),
        hashes: Arc::default(),
        names: Arc::default(),
        ledger: Arc::default(),
        site: Site {
            host: host_name().into(),
            degraded: degraded(kernel.as_deref(), &live.load().config).into(),
        },
        own: listening.addresses(),
        drain: draining,
        timers: admin.handle().clone(),
    };
    if let Some(kernel) = &kernel {
        kernel.publish(&listening.published()?, &listening.transparent_sockets())?;
        if inherited::has_keeper() {
            listening.keep();
            kernel.hand_over();
        }
    }
    let executions = match kernel.clone() {
        Some(kernel) => {
            Some(Arc::new(Executions::start(kernel, Arc::clone(&governor), Arc::clone(&sessions.hashes))?))
        }
        None => None,
    };
    let dns = start_dns(&listening, kernel.as_ref(), executions.as_ref(), &sessions)?;
    let lookups = dns.as_ref().map(dns::Server::handle);
    let workers =
        Workers::start(&listening, kernel.as_ref(), executions.as_ref(), &sessions, lookups.as_ref())?;
    let followings = match (&kernel, executions) {
        (Some(kernel), Some(executions)) => follow_kernel(kernel, &governor, &sessions, executions)?,
        _ => Vec::new(),
    };
    let parts = Parts { live, kernel, unavailable, spool: spool.clone(), registry, governor, log };
    let daemon = Arc::new(Daemon::new(parts, &listening));
    let code = admin.block_on(attend(&lock, &daemon, drain, workers, followings))?;
    if let Some(dns) = dns {
        dns.stop();
    }
    stop(admin, &spool);
    Ok(code)
}

/// Follows what the kernel side tells.
fn follow_kernel(
    kernel: &Arc<Kernel>,
    governor: &Arc<Governor>,
    sessions: &Sessions,
    executions: Arc<Executions>,
) -> anyhow::Result<Vec<Following>> {
    let refusals = Refusals::new(Arc::clone(kernel), Arc::clone(governor), sessions.clone());
    let entries = Entries::new(Arc::clone(kernel), Arc::clone(governor), sessions.clone());
    let (closing, counted) = (Arc::clone(kernel), sessions.clone());
    let settle = move || closing.take_closed(|closed| counted.settle(closed));
    Ok(vec![
        refusals.start()?,
        Following::start("entries", kernel.entered_descriptor()?, move || entries.take())?,
        Following::start("counts", kernel.closed_descriptor()?, settle)?,
        Following::start("programs", kernel.executed_descriptor()?, move || executions.look())?,
    ])
}

/// Answers lookups, where we do.
fn start_dns(
    listening: &Listening,
    kernel: Option<&Arc<Kernel>>,
    executions: Option<&Arc<Executions>>,
    sessions: &Sessions,
) -> anyhow::Result<Option<dns::Server>> {
    let (Some(kernel), Some(executions), false) = (kernel, executions, listening.lookups.is_empty()) else {
        return Ok(None);
    };
    let sockets = listening.lookups.iter().map(UdpSocket::try_clone).collect::<Result<_, _>>()?;
    let executions = Arc::clone(executions);
    let identify = Arc::new(move |origin: &Origin| executions.caller(origin));
    dns::Server::start(sockets, Arc::clone(kernel), sessions.clone(), identify).map(Some)
}

/// Answers the control socket, follows files and signals, until it is time to stop; then lets sessions finish.
async fn attend(
    lock: &RunLock,
    daemon: &Arc<Daemon>,
    drain: watch::Sender<bool>,
    workers: Workers,
    followings: Vec<Following>,
) -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::bind(lock, ServerLimits::default())?;
    let (closing, closed) = watch::channel(false);
    let control =
        tokio::spawn(server.serve(Arc::clone(daemon) as Arc<dyn crate::control::Admin>, until(closed)));
    daemon.start_sink();
    daemon.governor.settle(&daemon.live.load().config);
    // Before the service manager is told: from then on a SIGHUP may come, which would kill without a handler.
    let following =
        reload::watch(daemon).map(|watch| tokio::spawn(reload::follow(Arc::clone(daemon), watch)));
    let cgroups = daemon.governor.watch(Arc::clone(daemon));
    let diagnostics = tokio::spawn(pass_on_diagnostics(Arc::clone(daemon)));
    ready(daemon);
    tokio::select! {
        _ = terminate.recv() => tracing::info!("asked to stop"),
        _ = interrupt.recv() => tracing::info!("interrupted"),
    }
    notify(&[sd_notify::NotifyState::Stopping]);
    drop(cgroups);
    diagnostics.abort();
    if let Some(following) = following {
        following.abort();
    }
    drain.send_replace(true);
    let patience = daemon.live.load().config.limits.drain_timeout;
    let drained = tokio::select! {
        () = daemon.registry.empty() => true,
        () = tokio::time::sleep(patience) => false,
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
    };
    if !drained {
        let (open, _) = daemon.registry.open();
        tracing::warn!(open, "sessions are cut off; their running operations are recorded as interrupted");
    }
    workers.stop();
    followings.into_iter().for_each(Following::stop);
    daemon.stop_sink().await;
    closing.send_replace(true);
    if let Err(error) = control.await {
        tracing::warn!(%error, "the control socket ended badly");
    }
    Ok(ExitCode::SUCCESS)
}

/// The kernel programs' diagnostics are rare, and nobody waits for them: now and then is soon enough.
async fn pass_on_diagnostics(daemon: Arc<Daemon>) {
    while let Some(kernel) = &daemon.kernel {
        kernel.flush_logs();
        // A removed cgroup is forgotten when the last socket that was made in it is gone, of which nobody tells.
        daemon.governor.tidy();
        tokio::time::sleep(DIAGNOSTICS).await;
    }
}

async fn until(mut flag: watch::Receiver<bool>) {
    // An error means that the sender is gone: time to stop as well.
    drop(flag.wait_for(|stop| *stop).await);
}

fn stop(admin: Runtime, spool: &Spool) {
    admin.shutdown_timeout(STOP_SPOOL);
    if let Err(error) = spool.flush() {
        tracing::error!(%error, "the last rows stay in the journal; the next start takes them from there");
    }
    tracing::info!("stopped");
}

/// Configuration errors are for people at a terminal or in the service's log: as they are, whatever the log's format.
fn complain(error: &LiveError) {
    use std::io::Write;
    // Without standard error there is nobody to tell.
    drop(writeln!(std::io::stderr(), "interlock: refusing to start:\n{error}"));
}

fn open_spool(config: &Config) -> anyhow::Result<Spool> {
    let options = spool_options(config);
    Spool::open(options)
        .with_context(|| format!("the spool in `{}` can't be opened", config.paths.state.display()))
}

/// The spool's options in the configuration's words.
pub(crate) fn spool_options(config: &Config) -> SpoolOptions {
    SpoolOptions {
        stored_bytes_max: config.audit.spool_bytes_max,
        keep_age: config.audit.retention,
        keep_bytes: config.audit.spool_bytes_max / 2,
        local_only: config.sink.is_none(),
        ..SpoolOptions::new(config.paths.state.join("spool"))
    }
}

/// Opens the kernel side as configured; without it, says why.
fn open_kernel(config: &Config, inherits: bool) -> anyhow::Result<(Option<Arc<Kernel>>, Option<String>)> {
    let off = "switched off in the configuration (`intercept.enabled`)";
    let unavailable = match (config.intercept.enabled, available()) {
        (Enabled::Off, _) => return Ok((None, Some(off.to_owned()))),
        (_, Ok(())) => None,
        (Enabled::Auto, Err(why)) => Some(why),
        (Enabled::Require, Err(why)) => return Err(required(why)),
    };
    if let Some(why) = unavailable {
        tracing::warn!(%why, "not transparent, not a boundary: only explicit listeners work");
        return Ok((None, Some(why.to_string())));
    }
    let options = KernelOptions {
        paths: Paths {
            bpffs: config.paths.bpf.clone(),
            cgroup_base: Path::new("/").join(&config.intercept.cgroup_base),
        },
        dns: match config.intercept.dns {
            Dns::Answer => Lookups::Answered,
            Dns::Direct => Lookups::Pass,
            Dns::Refuse => Lookups::Refused,
        },
        inherits,
        security: config.intercept.security != Enabled::Off,
        unix_sockets: governor::unix_sockets(config)
            .map(|(agent, name)| (agent.to_owned(), name.to_owned()))
            .collect(),
        ..KernelOptions::default()
    };
    let kernel = Kernel::open(options)?;
    match (&kernel.security().missing, config.intercept.security) {
        (Some(why), Enabled::Require) => Err(anyhow::anyhow!(
            "the second layer is incomplete, and `intercept.security = \"require\"`: {why}; set it to \"auto\" to go on without"
        )),
        (Some(why), Enabled::Auto) => {
            tracing::warn!(%why, "the second layer is incomplete: Unix sockets of others, among other things, are open to agents");
            Ok((Some(Arc::new(kernel)), None))
        }
        _ => Ok((Some(Arc::new(kernel)), None)),
    }
}

/// The layers that are missing, as rows have them.
fn degraded(kernel: Option<&Kernel>, config: &Config) -> String {
    let Some(kernel) = kernel else { return String::new() };
    let mut missing = Vec::new();
    if kernel.security().missing.is_some() {
        missing.push("security hooks");
    }
    if config.intercept.dns == Dns::Direct {
        missing.push("lookups");
    }
    missing.join(", ")
}

fn required(why: Unavailable) -> anyhow::Error {
    anyhow::Error::new(why).context(
        "the kernel side can't be loaded, and `intercept.enabled = \"require\"`; set it to \"auto\" to run with explicit \
         listeners only, which are no boundary",
    )
}

fn ready(daemon: &Daemon) {
    let live = daemon.live.load();
    let (agents, targets, policies) =
        (live.config.agents.len(), live.config.targets.len(), live.policies.len());
    tracing::info!(agents, targets, policies, transparent = daemon.kernel.is_some(), "ready");
    notify(&[sd_notify::NotifyState::Ready]);
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

fn host_name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "unknown".to_owned())
}
