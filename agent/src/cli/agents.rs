//! `interlock agents`: which agents there are, and where.

use super::{Context, output};
use crate::control::message::AgentStatus;
use clap::Args;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  interlock agents
  interlock agents --json | jq -r '.[] | select(.sessions > 0) | .name'";

/// List the agents, their governed cgroups and sessions
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AgentsArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lists the agents.
///
/// # Errors
/// The daemon can't be reached or refuses.
pub fn run(args: AgentsArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let agents = context.daemon()?.agents()?;
    if args.json {
        output::print_json(&agents)?;
    } else {
        output::print(&output::plain(&render(&agents)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One line for each cgroup, and for each agent that has none.
pub(super) fn render(agents: &[AgentStatus]) -> String {
    if agents.is_empty() {
        return "no agents are configured\n".to_owned();
    }
    let heading = ["AGENT", "ROLES", "SESSIONS", "CGROUP", "BY", "TASK", "PROCESSES"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for agent in agents {
        let name =
            if agent.configured { agent.name.clone() } else { format!("{} (not configured)", agent.name) };
        let about = vec![name, or_dash(&agent.roles.join(",")), agent.sessions.to_string()];
        if agent.cgroups.is_empty() {
            rows.push([about.clone(), vec!["-".to_owned()]].concat());
        }
        for (index, cgroup) in agent.cgroups.iter().enumerate() {
            // The agent is told once, above its cgroups.
            let about = if index == 0 { about.clone() } else { vec![String::new(); about.len()] };
            let path = cgroup
                .path
                .as_ref()
                .map_or_else(|| format!("id {} (removed)", cgroup.id), |path| path.display().to_string());
            let task = or_dash(cgroup.task.as_deref().unwrap_or_default());
            rows.push(
                [about, vec![path, or_dash(&cgroup.origin), task, cgroup.processes.to_string()]].concat(),
            );
        }
    }
    output::table(&rows)
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}
