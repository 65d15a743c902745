//! The help texts (which are `docs/cli.md`), the pages of `status` and `agents`, arguments and exit codes.

use super::*;
use crate::control::message::*;
use clap::CommandFactory;
use output::Paint;
use std::fmt::Write as _;
use std::path::Path;

const HEAD: &str = "\
# Command line

<!-- Made from the definitions in agent/src/cli by `UPDATE=1 cargo test -p interlock cli`; a test holds it equal. -->

Every command takes `--config FILE` (or `INTERLOCK_CONFIG`; `/etc/interlock/interlock.toml` otherwise) and `--help`. Commands
that talk to the daemon find its control socket by `paths.run` of that file and need root.

| Exit code | Meaning |
|---|---|
| 0 | done |
| 1 | failed or denied |
| 2 | wrong usage or configuration |
| 3 | the daemon can't be reached |
| 126, 127 | `exec`: the command can't be run; there is no such command |
";

/// A command's help and that of everything below it.
fn document(command: &mut clap::Command, path: &str, into: &mut String) {
    let help = command.render_long_help().to_string();
    let help: String = help.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    write!(into, "\n## `{path}`\n\n```text\n{}\n```\n", help.trim_end()).unwrap();
    let names: Vec<_> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    for name in names.iter().filter(|name| *name != "help") {
        document(command.find_subcommand_mut(name).unwrap(), &format!("{path} {name}"), into);
    }
}

#[test]
fn help_is_documented() {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut page = HEAD.to_owned();
    document(&mut command, "interlock", &mut page);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "docs/cli.md differs (UPDATE=1 rewrites it); now:\n{page}");
}

#[test]
fn definitions_are_sound() {
    Cli::command().debug_assert();
}

/// Every flag of every command has a help text.
#[test]
fn every_argument_has_a_help_text() {
    fn look(command: &clap::Command) {
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} of {}", argument.get_id(), command.get_name());
        }
        assert!(command.get_about().is_some(), "{}", command.get_name());
        command.get_subcommands().for_each(look);
    }
    let mut command = Cli::command();
    command.build();
    look(&command);
}

#[test]
fn wrong_usage_is_refused() {
    let parse = |line: &str| Cli::try_parse_from(line.split(' '));
    for wrong in [
        "interlock exec --agent planner",
        "interlock exec --agent planner ls",
        "interlock exec -- ls",
        "interlock exec --agent planner --allow-new-privileges -- ls",
        "interlock exec --agent planner --task a\u{7}b -- ls",
        "interlock tag --agent planner",
        "interlock tag --agent planner --pid 1 --cgroup /x",
        "interlock tag --agent planner --pid 0",
        "interlock tag --pid 1",
        "interlock untag",
        "interlock status --verbose",
    ] {
        assert_eq!(parse(wrong).unwrap_err().exit_code(), i32::from(exit::USAGE), "{wrong}");
    }
    for right in [
        "interlock exec --agent planner --user app --task T-1 -- ls -l --agent x",
        "interlock --config /x tag --agent planner --pid 1",
        "interlock tag --agent planner --cgroup /x --config /x",
        "interlock config check --offline file",
        "interlock completions zsh",
    ] {
        parse(right).unwrap();
    }
}

#[test]
fn errors_have_their_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("interlock.toml");
    std::fs::write(&config, format!("[paths]\nrun = \"{}\"\n", folder.path().display())).unwrap();
    let context = Context { config: config.clone() };
    let unreachable = anyhow::Error::from(context.daemon().unwrap_err());
    assert_eq!(exit::code(&unreachable), exit::UNREACHABLE);
    assert_eq!(exit::code(&unreachable.context("with more around it")), exit::UNREACHABLE);
    let refused = ClientError::Refused(Failure::new(Code::UnknownAgent, "there is no agent `x`"));
    assert_eq!(exit::code(&refused.into()), exit::FAILED);
    let wrong = Config::load(&folder.path().join("missing.toml")).unwrap_err();
    assert_eq!(exit::code(&wrong.into()), exit::USAGE);
}

/// The daemon must be found by a file that was broken since it started.
#[test]
fn run_directory_is_read_from_a_broken_file() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("interlock.toml");
    for text in
        ["[paths]\nrun = \"/run/there\"\nnonsense = 1\n[log", "x = [\n[paths]\nrun = \"/run/there\"\n"]
    {
        std::fs::write(&config, text).unwrap();
        assert_eq!(Config::run_directory(&config), Path::new("/run/there"), "{text}");
    }
    for text in ["[paths]\nrun = \"relative\"", "paths = 1", ""] {
        std::fs::write(&config, text).unwrap();
        assert_eq!(Config::run_directory(&config), Path::new("/run/interlock"), "{text}");
    }
    assert_eq!(Config::run_directory(&folder.path().join("missing")), Path::new("/run/interlock"));
}

fn full_status() -> Status {
    Status {
        version: "0.1.0".to_owned(),
        pid: 42,
        started: "2026-01-02T03:04:05Z".to_owned(),
        config: ConfigStatus {
            path: "/etc/interlock/interlock.toml".into(),
            loaded: "2026-01-02T03:04:05Z".to_owned(),
            error: Some("interlock.toml:1:1: unknown key `x`".to_owned()),
            restart_needed: vec!["intercept.port".to_owned()],
        },
        policies: PolicyStatus {
            generation: 2,
            count: 12,
            loaded: "2026-01-02T03:04:05Z".to_owned(),
            ..PolicyStatus::default()
        },
        boundaries: vec![
            Boundary {
                kind: BoundaryKind::Transparent,
                address: "127.0.0.1:941".to_owned(),
                agent: None,
                target: None,
            },
            Boundary {
                kind: BoundaryKind::Explicit,
                address: "127.0.0.1:6432".to_owned(),
                agent: Some("planner".to_owned()),
                target: Some("shop-db".to_owned()),
            },
        ],
        kernel: KernelStatus { unavailable: None, governed: 3, refused: [("no agent".to_owned(), 5)].into() },
        sessions: SessionStatus { open: 2, total: 17 },
        operations: [("deny".to_owned(), 3), ("forward".to_owned(), 120)].into(),
        spool: SpoolStatus {
            rows: 123,
            waiting: 7,
            bytes: 12_900_000,
            oldest_waiting: Some("2026-01-02T03:04:05Z".to_owned()),
            error: None,
        },
        sink: Some(SinkStatus {
            name: "clickhouse http://127.0.0.1:8123".to_owned(),
            state: "waiting to retry".to_owned(),
            healthy: false,
            shipped: 116,
            error: Some("connection refused".to_owned()),
            retry_at: Some("2026-01-02T03:04:35Z".to_owned()),
        }),
    }
}

#[test]
fn status_is_one_page() {
    let expected = "\
interlock   0.1.0, pid 42, since 2026-01-02T03:04:05Z
boundary    transparent (127.0.0.1:941)
            explicit listener: not transparent, not a boundary (127.0.0.1:6432, planner to shop-db)
kernel      3 cgroups governed; refused there: 5 no agent
sessions    2 open, 17 since the start
operations  3 deny, 120 forward
policies    generation 2, 12 policies, loaded 2026-01-02T03:04:05Z
config      /etc/interlock/interlock.toml, loaded 2026-01-02T03:04:05Z
            the last reload failed; what was in force before still is:
              interlock.toml:1:1: unknown key `x`
            a restart is needed for: intercept.port
spool       123 rows, 12.3 MiB
            7 rows wait for the sink, the oldest of 2026-01-02T03:04:05Z
sink        clickhouse http://127.0.0.1:8123: waiting to retry, 116 rows shipped
            connection refused; tried again at 2026-01-02T03:04:35Z
";
    assert_eq!(status::render(&full_status(), Paint::off()), expected);
    let empty = status::render(&Status::default(), Paint::off());
    assert!(empty.contains("none: no connection reaches the daemon"), "{empty}");
}

#[test]
fn status_survives_its_json() {
    let status = full_status();
    let json = serde_json::to_string(&status).unwrap();
    assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status);
    // A daemon of another day may say less or more.
    serde_json::from_str::<Status>("{\"pid\":1,\"news\":{}}").unwrap();
}

#[test]
fn agents_are_listed_with_their_cgroups() {
    let governed = |path: &str, origin: &str| GovernedStatus {
        path: Some(path.into()),
        id: 7,
        origin: origin.to_owned(),
        task: (origin == "exec").then(|| "T-1".to_owned()),
        processes: 2,
    };
    let agents = [
        AgentStatus {
            name: "planner".to_owned(),
            roles: vec!["planners".to_owned(), "readers".to_owned()],
            configured: true,
            cgroups: vec![governed("/interlock/planner/1", "exec"), governed("/a", "tag")],
            sessions: 1,
        },
        AgentStatus {
            name: "gone".to_owned(),
            cgroups: vec![GovernedStatus { id: 9, ..GovernedStatus::default() }],
            ..AgentStatus::default()
        },
        AgentStatus { name: "idle".to_owned(), configured: true, ..AgentStatus::default() },
    ];
    let expected = "\
AGENT                  ROLES             SESSIONS  CGROUP                BY    TASK  PROCESSES
planner                planners,readers  1         /interlock/planner/1  exec  T-1   2
                                                   /a                    tag   -     2
gone (not configured)  -                 0         id 9 (removed)        -     -     0
idle                   -                 0         -
";
    assert_eq!(agents::render(&agents), expected);
    assert_eq!(agents::render(&[]), "no agents are configured\n");
}

#[test]
fn sizes_are_short() {
    for (bytes, text) in [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1_572_864, "1.5 MiB"),
        (u64::MAX, "16777215.9 TiB"),
    ] {
        assert_eq!(output::size(bytes), text);
    }
}
