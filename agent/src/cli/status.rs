//! `interlock status`: how the daemon is, on one page.

use super::{Context, output};
use crate::control::message::{BoundaryKind, SinkStatus, SpoolStatus, Status};
use clap::Args;
use output::Paint;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  interlock status
  interlock status --json | jq .operations";

/// Show how the daemon is: boundary, sessions, operations, policies, spool, sink
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Shows the daemon's status.
///
/// # Errors
/// The daemon can't be reached or refuses.
pub fn run(args: StatusArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let status = context.daemon()?.status()?;
    if args.json {
        output::print_json(&status)?;
    } else {
        output::print(&render(&status, Paint::stdout()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A label and its lines.
struct Page {
    text: String,
    paint: Paint,
}

impl Page {
    fn line(&mut self, label: &str, line: &str) {
        let label = self.paint.bold(&format!("{label:11}"));
        self.text.push_str(&format!("{label} {line}\n"));
    }
}

/// The page, as a person reads it.
pub(super) fn render(status: &Status, paint: Paint) -> String {
    let mut page = Page { text: String::new(), paint };
    let plain = output::plain;
    page.line(
        "interlock",
        &format!("{}, pid {}, since {}", plain(&status.version), status.pid, plain(&status.started)),
    );
    boundaries(&mut page, status);
    let sessions = &status.sessions;
    page.line("sessions", &format!("{} open, {} since the start", sessions.open, sessions.total));
    page.line("operations", &counted(&status.operations, "none yet"));
    let policies = &status.policies;
    let loaded = plain(&policies.loaded);
    page.line(
        "policies",
        &format!("generation {}, {} policies, loaded {loaded}", policies.generation, policies.count),
    );
    for warning in &policies.warnings {
        page.line("", &paint.yellow(&format!("warning: {}", plain(warning))));
    }
    failure(&mut page, policies.error.as_deref());
    page.line(
        "config",
        &format!("{}, loaded {}", status.config.path.display(), plain(&status.config.loaded)),
    );
    failure(&mut page, status.config.error.as_deref());
    if !status.config.restart_needed.is_empty() {
        let keys = status.config.restart_needed.join(", ");
        page.line("", &paint.yellow(&format!("a restart is needed for: {}", plain(&keys))));
    }
    spool(&mut page, &status.spool);
    sink(&mut page, status.sink.as_ref());
    page.text
}

fn boundaries(page: &mut Page, status: &Status) {
    let paint = page.paint;
    let mut label = "boundary";
    for boundary in &status.boundaries {
        let kind = boundary.kind.to_string();
        let kind = match boundary.kind {
            BoundaryKind::Transparent => paint.green(&kind),
            BoundaryKind::Explicit => paint.yellow(&kind),
        };
        let whose = match (&boundary.agent, &boundary.target) {
            (Some(agent), Some(target)) => format!(", {agent} to {target}"),
            _ => String::new(),
        };
        page.line(label, &format!("{kind} ({}{})", output::plain(&boundary.address), output::plain(&whose)));
        label = "";
    }
    if status.boundaries.is_empty() {
        page.line(label, &paint.red("none: no connection reaches the daemon"));
    }
    match &status.kernel.unavailable {
        Some(why) => page.line("kernel", &paint.yellow(&format!("not loaded: {}", output::plain(why)))),
        None => {
            let governed = status.kernel.governed;
            let refused = counted(&status.kernel.refused, "nothing");
            page.line("kernel", &format!("{governed} cgroups governed; refused there: {refused}"));
        }
    }
}

fn failure(page: &mut Page, error: Option<&str>) {
    let Some(error) = error else { return };
    let paint = page.paint;
    page.line("", &paint.red("the last reload failed; what was in force before still is:"));
    for line in output::plain(error).lines() {
        page.line("", &format!("  {line}"));
    }
}

fn spool(page: &mut Page, spool: &SpoolStatus) {
    let paint = page.paint;
    page.line("spool", &format!("{} rows, {}", spool.rows, output::size(spool.bytes)));
    if spool.waiting > 0 {
        let since = spool
            .oldest_waiting
            .as_deref()
            .map(|since| format!(", the oldest of {since}"))
            .unwrap_or_default();
        page.line("", &format!("{} rows wait for the sink{}", spool.waiting, output::plain(&since)));
    }
    if let Some(error) = &spool.error {
        page.line("", &paint.red(&format!("can't write, operations are refused: {}", output::plain(error))));
    }
}

fn sink(page: &mut Page, sink: Option<&SinkStatus>) {
    let paint = page.paint;
    let Some(sink) = sink else {
        page.line("sink", "none configured; rows stay in the spool");
        return;
    };
    let state = output::plain(&sink.state);
    let state = if sink.healthy { paint.green(&state) } else { paint.red(&state) };
    page.line("sink", &format!("{}: {state}, {} rows shipped", output::plain(&sink.name), sink.shipped));
    if let Some(error) = &sink.error {
        let retry = sink.retry_at.as_deref().map(|at| format!("; tried again at {at}")).unwrap_or_default();
        page.line("", &paint.red(&output::plain(&format!("{error}{retry}"))));
    }
}

/// `12 forward, 3 deny`.
fn counted(counts: &std::collections::BTreeMap<String, u64>, none: &str) -> String {
    if counts.is_empty() {
        return none.to_owned();
    }
    let counted: Vec<_> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    output::plain(&counted.join(", "))
}
