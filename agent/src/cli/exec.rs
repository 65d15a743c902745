//! `interlock exec`: runs a command as an agent, in a governed cgroup of its own.
//!
//! The process itself moves into the cgroup and becomes the command, so that signals, terminal and exit code are the
//! command's own. What could carry it around the boundary is left behind: open files but the standard three, the system
//! calls that lead around it (`confine`), and with `--user` the privileges.

mod sys;
#[cfg(test)]
mod tests;

use super::{Context, exit};
use crate::confine::{Need, UnixSockets, filters};
use crate::control::message::{Prepare, Prepared};
use anyhow::{Context as _, bail, ensure};
use clap::Args;
use nix::sys::socket::{AddressFamily, SockaddrLike, SockaddrStorage, getsockname};
use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist, getuid, setgid, setgroups, setuid};
use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

const EXAMPLES: &str = "\
The command gets a fresh cgroup, is governed from its first instruction, and takes the place of this process: signals and
exit code are its own. Open files other than standard input, output and error are not passed on: a connection that was
opened before would not be governed. System calls that lead around the boundary are refused: packet, vsock and other
sockets than Unix, IPv4, IPv6 and routing netlink, namespaces, ptrace, io_uring, keys, bpf; --allow gives some back. Where the
kernel lacks the security hooks, nobody can tell whose a Unix socket is: then they are refused too, but for pairs, unless the
configuration allows the agent some (`unix_sockets`), which opens all. 126: the command can't be run; 127: there is no such command.

Examples:
  interlock exec --agent planner -- python3 agent.py --goal 'count orders'
  interlock exec --agent executor --user app --task T-1042 -- ./run.sh
  interlock exec --agent planner -- bash            a governed shell, to look around";

/// Run a command as an agent
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExecArgs {
    /// The agent, as configured
    #[arg(long, value_name = "NAME")]
    agent: String,
    /// Drop to this user (name or number) and its groups
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// With --user: let the command gain privileges by setuid programs such as sudo
    #[arg(long, requires = "user")]
    allow_new_privileges: bool,
    /// Let the command use what is refused otherwise; each makes the boundary weaker
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    allow: Vec<Need>,
    /// The task that audit rows of the command carry
    #[arg(long, value_name = "ID", value_parser = task)]
    task: Option<String>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Becomes the command. Returns only if that fails.
///
/// # Errors
/// The daemon can't be reached or refuses; the user is unknown; the system refuses.
pub fn run(args: ExecArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let Some((program, arguments)) = args.command.split_first() else { bail!("there is no command to run") };
    let user = args.user.as_deref().map(find_user).transpose()?;
    // Looked up while this may still ask whoever knows: services of names are local sockets of others.
    let groups = user.as_ref().map(groups_of).transpose()?;
    let mut daemon = context.daemon()?;
    let prepared = daemon.prepare(Prepare { agent: args.agent, task: args.task })?;
    enter(&prepared)?;
    sys::close_on_exec_from(3).context("open files can't be left behind")?;
    refuse_sockets()?;
    let unix = if prepared.unix_sockets { UnixSockets::Watched } else { UnixSockets::Closed };
    confine(&args.allow, unix, args.allow_new_privileges)?;
    if let (Some(user), Some(groups)) = (&user, &groups) {
        become_user(user, groups)?;
    } else if geteuid().is_root() {
        eprintln!(
            "interlock: the command runs as root and could leave its cgroup; give it a user with --user"
        );
    }
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(user) = &user {
        command
            .env("HOME", &user.dir)
            .env("SHELL", &user.shell)
            .env("USER", &user.name)
            .env("LOGNAME", &user.name);
    }
    // The connection to the daemon is open until here and closes with the exec: it keeps the cgroup while it is empty.
    let error = command.exec();
    drop(daemon);
    let name = Path::new(program).display();
    eprintln!("interlock: `{name}` can't be run: {error}");
    Ok(ExitCode::from(if error.kind() == io::ErrorKind::NotFound {
        exit::NOT_FOUND
    } else {
        exit::NOT_EXECUTABLE
    }))
}

/// Moves this process into the cgroup and makes sure that it is there.
fn enter(prepared: &Prepared) -> anyhow::Result<()> {
    let directory = &prepared.directory;
    std::fs::write(directory.join("cgroup.procs"), "0").with_context(|| {
        format!(
            "can't move into cgroup `{}` of agent `{}`; run this as root",
            directory.display(),
            prepared.agent
        )
    })?;
    let own = std::fs::read_to_string("/proc/self/cgroup").context("can't read which cgroup this is")?;
    ensure!(
        is_in(&own, directory),
        "the kernel did not move this process into cgroup `{}`; nothing was run",
        directory.display()
    );
    Ok(())
}

/// Whether `/proc/self/cgroup` names a directory under the mount, whose place is not known here.
fn is_in(own: &str, directory: &Path) -> bool {
    let path = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    !path.is_empty() && directory.ends_with(path)
}

/// The user of that name or number.
fn find_user(name: &str) -> anyhow::Result<User> {
    let found = match name.parse::<u32>() {
        Ok(number) => User::from_uid(Uid::from_raw(number)),
        Err(_) => User::from_name(name),
    };
    found
        .with_context(|| format!("user `{name}` can't be looked up"))?
        .with_context(|| format!("there is no user `{name}` on this host"))
}

/// The groups of a user.
fn groups_of(user: &User) -> anyhow::Result<Vec<Gid>> {
    let name = CString::new(user.name.as_str())?;
    getgrouplist(&name, user.gid)
        .with_context(|| format!("the groups of user `{}` can't be looked up", user.name))
}

/// Gives up this user for good.
fn become_user(user: &User, groups: &[Gid]) -> anyhow::Result<()> {
    let cannot = || format!("can't become user `{}`; run this as root", user.name);
    setgroups(groups).with_context(cannot)?;
    setgid(user.gid).with_context(cannot)?;
    setuid(user.uid).with_context(cannot)?;
    ensure!(
        getuid() == user.uid && geteuid() == user.uid,
        "the kernel did not change the user; nothing was run"
    );
    ensure!(
        user.uid.is_root() || setuid(Uid::from_raw(0)).is_err(),
        "the user could be changed back; nothing was run"
    );
    Ok(())
}

/// Standard input, output and error are passed on; a network connection among them would not be governed.
fn refuse_sockets() -> anyhow::Result<()> {
    let standard = [
        ("input", io::stdin().as_fd().try_clone_to_owned()),
        ("output", io::stdout().as_fd().try_clone_to_owned()),
        ("error", io::stderr().as_fd().try_clone_to_owned()),
    ];
    for (name, file) in standard {
        // Closed: nothing is passed on.
        let Ok(file) = file else { continue };
        let address = getsockname::<SockaddrStorage>(file.as_raw_fd());
        let family = address.ok().and_then(|address| address.family());
        ensure!(
            matches!(family, None | Some(AddressFamily::Unix)),
            "standard {name} is a network connection, which would not be governed: put a pipe between"
        );
    }
    Ok(())
}

/// Gives up what leads around the boundary. Comes before the user changes, since without "no new privileges" only root may.
fn confine(needs: &[Need], unix: UnixSockets, allow_new_privileges: bool) -> anyhow::Result<()> {
    if !allow_new_privileges {
        nix::sys::prctl::set_no_new_privs().context("can't give up new privileges")?;
    }
    for filter in filters(needs, unix).context("there is no system call filter for this architecture")? {
        sys::install(&filter)
            .context("the kernel does not take the system call filter (CONFIG_SECCOMP_FILTER)")?;
    }
    Ok(())
}

/// Reads a task: short, and fit to be printed.
fn task(text: &str) -> Result<String, String> {
    const BYTES_MAX: usize = 128;
    if text.is_empty() || text.len() > BYTES_MAX || text.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        return Err(format!("a task is 1 to {BYTES_MAX} bytes without blanks and control characters"));
    }
    Ok(text.to_owned())
}
