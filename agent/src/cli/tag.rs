//! `interlock tag` and `untag`: govern a cgroup that exists, and stop.

use super::{Context, output};
use crate::control::message::{Place, Tagged};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

const TAG_EXAMPLES: &str = "\
The cgroup and everything below it is governed from now on. Its processes stand still for a moment, and the connections that
they have open are closed, since nobody has decided about them; what can't be closed is named. With --pid, the whole cgroup of that process is governed. It lasts until `untag` or until the cgroup is removed; to
have it at every start, name the cgroup in the configuration (`agent.cgroups`).

Examples:
  interlock tag --agent planner --cgroup /system.slice/planner.service
  interlock tag --agent planner --pid 4711";

const UNTAG_EXAMPLES: &str = "\
Its processes are free again: connections go where they want, unrecorded. Only an administrator can do this.

Examples:
  interlock untag --cgroup /system.slice/planner.service
  interlock untag --pid 4711";

/// Govern an existing cgroup as an agent
#[derive(Debug, Args)]
#[command(after_help = TAG_EXAMPLES)]
pub struct TagArgs {
    /// The agent, as configured
    #[arg(long, value_name = "NAME")]
    agent: String,
    #[command(flatten)]
    place: PlaceArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Stop governing a cgroup
#[derive(Debug, Args)]
#[command(after_help = UNTAG_EXAMPLES)]
pub struct UntagArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct PlaceArgs {
    /// The cgroup: its path from the root of the hierarchy, or its directory under the mount
    #[arg(long, value_name = "PATH")]
    cgroup: Option<PathBuf>,
    /// The cgroup of this process
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
}

impl PlaceArgs {
    fn place(self) -> Place {
        match (self.cgroup, self.pid) {
            (_, Some(pid)) => Place::Pid(pid),
            (cgroup, None) => Place::Cgroup(cgroup.unwrap_or_default()),
        }
    }
}

/// Governs a cgroup.
///
/// # Errors
/// The daemon can't be reached or refuses.
pub fn run(args: TagArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let tagged = context.daemon()?.tag(args.agent, args.place.place())?;
    let text = format!("{} is agent {} now\n", tagged.cgroup.display(), tagged.agent);
    tell(&tagged, &text, args.json)
}

/// Stops governing a cgroup.
///
/// # Errors
/// The daemon can't be reached or refuses.
pub fn run_untag(args: UntagArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let tagged = context.daemon()?.untag(args.place.place())?;
    let text = format!("{} is not governed any more (was agent {})\n", tagged.cgroup.display(), tagged.agent);
    tell(&tagged, &text, args.json)
}

fn tell(tagged: &Tagged, text: &str, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        output::print_json(tagged)?;
    } else {
        let notes: String = tagged.notes.iter().map(|note| format!("note: {note}\n")).collect();
        output::print(&output::plain(&format!("{text}{notes}")))?;
    }
    Ok(ExitCode::SUCCESS)
}
