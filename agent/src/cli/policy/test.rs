//! `interlock policy test`: do the policies decide as the cases say?

use super::{Finding, counted, files, render};
use crate::cli::{Context, exit, output};
use crate::config::{Config, Offline};
use crate::live;
use clap::Args;
use policy::cases::{self, Failure};
use policy::{Catalog, Diagnostic, Source};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use wire::postgres::sql::{Effect, Reader, Scope};
use wire::{Action, Meaning};

const EXAMPLES: &str = "\
A case file says who asks for what, and what must be decided:

  agent  planner agents planners        # a name, then its roles
  target shop-db postgres shop          # a name, its protocol, then its labels
  tag    shop-db public.customers.email pii
  on     shop-db/shop                   # target and database

  case planners read no addresses
    as     planner
    sql    SELECT name, email           # read as the daemon reads it
         | FROM customers
    expect deny by personal-data-stays-hidden

  case executors clear no table
    as     executor
    does   delete table public.orders   # or said in the policies' own words
    with   filtered no
    expect deny by nothing

Agents and targets are those of the configuration, unless --policies is given; the file may declare more. `with` takes
certainty, container, exe, filtered, hour, limit, search_path, statements, task, uid, user.

Exit codes: 0 all as expected; 1 some not, or a file is wrong; 2 the configuration is wrong.

Examples:
  interlock policy test                         the cases beside the configuration's policies
  interlock policy test --policies ./policies/demo ./policies/cases/demo.case
  interlock policy test --json | jq '.failures[].got'";

/// Test what policies decide, by cases in files
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TestArgs {
    /// Case files, or folders of .case files; those in the policies' folders, and in `cases` within them, otherwise
    files: Vec<PathBuf>,
    /// A policy file or folder to test instead of the configuration's; can be repeated
    #[arg(long, value_name = "PATH")]
    policies: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What came of all files.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) passed: usize,
    pub(super) failures: Vec<Failure>,
    /// Files that could not be run.
    pub(super) findings: Vec<Diagnostic>,
    /// Policies that decided nothing in any file.
    pub(super) undecisive: Vec<Arc<str>>,
}

impl Outcome {
    /// All was as expected; files without a case prove nothing.
    fn ok(&self) -> bool {
        self.passed > 0 && self.failures.is_empty() && self.findings.is_empty()
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Page<'a> {
    ok: bool,
    passed: usize,
    failures: Vec<Failed<'a>>,
    findings: Vec<Finding<'a>>,
    undecisive: Vec<&'a str>,
}

#[derive(Serialize)]
struct Failed<'a> {
    file: &'a str,
    line: u32,
    case: &'a str,
    operation: &'a str,
    expected: &'a str,
    got: &'a str,
    reason: &'a str,
}

pub(super) fn run(args: &TestArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let (policies, folders, catalog) = if args.policies.is_empty() {
        let config = Config::load_with(&context.config, &Offline)?;
        (config.policy_files()?, config.policies.paths.clone(), live::catalog(&config))
    } else {
        (files::named(&args.policies, "cedar")?, args.policies.clone(), Catalog::default())
    };
    let found = if args.files.is_empty() { beside(&folders)? } else { files::named(&args.files, "case")? };
    if found.is_empty() {
        anyhow::bail!("no case file beside the policies; name one, or put one into their folder");
    }
    let outcome = test(&files::read(&found)?, &files::read(&policies)?, &catalog);
    let ok = outcome.ok();
    if args.json {
        output::print_json(&page(ok, &outcome))?;
    } else {
        output::print(&text(&outcome, found.len(), output::Paint::stdout()))?;
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILED) })
}

/// Runs all files; one that is wrong does not keep the others from being run.
pub(super) fn test(files: &[Source], policies: &[Source], catalog: &Catalog) -> Outcome {
    let reader = Reader::new(&wire::Limits::default());
    let sql = |text: &str, search_path: &[String], user: &str| meaning(&reader, text, search_path, user);
    let mut outcome = Outcome::default();
    let mut undecisive: Option<Vec<Arc<str>>> = None;
    for file in files {
        match cases::run(file, policies, catalog, &sql) {
            Ok(report) => {
                outcome.passed += report.passed;
                outcome.failures.extend(report.failures);
                undecisive = Some(match undecisive {
                    None => report.undecisive,
                    Some(before) => before.into_iter().filter(|id| report.undecisive.contains(id)).collect(),
                });
            }
            Err(findings) => {
                // What is wrong with the policies is wrong in every file.
                let new: Vec<_> =
                    findings.into_iter().filter(|finding| !outcome.findings.contains(finding)).collect();
                outcome.findings.extend(new);
            }
        }
    }
    outcome.undecisive = undecisive.unwrap_or_default();
    outcome
}

/// What a statement means in a session of its own, as the daemon would read it.
fn meaning(reader: &Reader, text: &str, search_path: &[String], user: &str) -> Arc<Meaning> {
    let scope = Scope {
        search_path: search_path.iter().map(|schema| schema.as_str().into()).collect(),
        user: user.into(),
    };
    let reading = reader.read(&Arc::new(scope), text.as_bytes());
    let leans = |effect: &Effect| matches!(effect, Effect::Execute { .. } | Effect::UseCursor { .. });
    if reading.effects.iter().any(leans) {
        // Its real meaning is that of an earlier statement, which a case does not have.
        let doubt =
            "a case knows no prepared statements and cursors: write the statement that they stand for";
        return Arc::new(Meaning::opaque(&reading.meaning.verb, Action::Unknown, doubt));
    }
    Arc::clone(&reading.meaning)
}

/// The case files in the policies' folders, and in `cases` within them.
fn beside(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        let folder = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(Path::new(".")) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        for folder in [folder.to_owned(), folder.join("cases")] {
            if folder.is_dir() {
                found.append(&mut files::within(&folder, "case")?);
            }
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|file| seen.insert(file.clone()));
    Ok(found)
}

fn page(ok: bool, outcome: &Outcome) -> Page<'_> {
    let failures = outcome.failures.iter().map(|failure| Failed {
        file: &failure.file,
        line: failure.line,
        case: &failure.case,
        operation: &failure.operation,
        expected: &failure.expected,
        got: &failure.got,
        reason: &failure.reason,
    });
    Page {
        ok,
        passed: outcome.passed,
        failures: failures.collect(),
        findings: outcome.findings.iter().map(Finding::from).collect(),
        undecisive: outcome.undecisive.iter().map(AsRef::as_ref).collect(),
    }
}

pub(super) fn text(outcome: &Outcome, files: usize, paint: output::Paint) -> String {
    let mut text = render(&outcome.findings, paint);
    for failure in &outcome.failures {
        text.push_str(&format!("{} {}\n", paint.red("failed"), output::plain(&failure.to_string())));
    }
    for id in &outcome.undecisive {
        text.push_str(&format!("{}: policy `{id}` decides no case\n", paint.yellow("note")));
    }
    let failed = outcome.failures.len();
    let total = counted(outcome.passed + failed, "operation", "operations");
    let what = format!("{total} in {}", counted(files, "file", "files"));
    if outcome.ok() {
        text.push_str(&format!("{}: {what}, all decided as expected\n", paint.green("ok")));
    } else {
        let wrong = match (outcome.findings.is_empty(), outcome.passed + failed) {
            (false, _) => "; not all could be run",
            (true, 0) => ": there is no case",
            (true, _) => "",
        };
        text.push_str(&format!("{}: {failed} of {what}{wrong}\n", paint.red("failed")));
    }
    text
}
