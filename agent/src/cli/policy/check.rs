//! `interlock policy check`: syntax, schema, ids, and rules that can't do what they were written for.

use super::{Finding, count, counted, files, render};
use crate::cli::{Context, exit, output};
use crate::config::{Config, Offline};
use crate::live;
use clap::Args;
use policy::{Catalog, Diagnostic, PolicySet, Severity, Source};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Errors: wrong syntax, names that the schema does not have, conditions that could fail, missing and repeated ids.
Warnings: rules that never match (also because the configuration has no such agent, role or target), rules that a
broader one makes pointless, permits that also hold for statements which are only partly understood, annotations without
meaning.

Exit codes: 0 no errors; 1 errors, or warnings with --strict; 2 the configuration is wrong.

Examples:
  interlock policy check                        what the configuration names, against its agents and targets
  interlock policy check ./policies/demo        these files by themselves
  interlock policy check --strict --json | jq '.findings[].message'";

/// Check policies: syntax, schema, ids, and rules that can't do what they were written for
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckArgs {
    /// Policy files, or folders of .cedar files, to check by themselves; those of the configuration otherwise
    paths: Vec<PathBuf>,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Page<'a> {
    ok: bool,
    /// 0 if there are errors.
    policies: usize,
    errors: usize,
    warnings: usize,
    findings: Vec<Finding<'a>>,
}

pub(super) fn run(args: &CheckArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let (sources, catalog) = if args.paths.is_empty() {
        let config = Config::load_with(&context.config, &Offline)?;
        (files::read(&config.policy_files()?)?, live::catalog(&config))
    } else {
        (files::read(&files::named(&args.paths, "cedar")?)?, Catalog::default())
    };
    let (policies, findings) = checked(&sources, &catalog);
    let (errors, warnings) = (count(&findings, Severity::Error), count(&findings, Severity::Warning));
    let ok = errors == 0 && (warnings == 0 || !args.strict);
    if args.json {
        let findings = findings.iter().map(Finding::from).collect();
        output::print_json(&Page { ok, policies, errors, warnings, findings })?;
    } else {
        let paint = output::Paint::stdout();
        let mut text = render(&findings, paint);
        text.push_str(&summary(ok, policies, sources.len(), (errors, warnings), paint));
        output::print(&text)?;
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILED) })
}

/// How many policies there are, and what is to be said about them, in the order of the files.
pub(super) fn checked(sources: &[Source], catalog: &Catalog) -> (usize, Vec<Diagnostic>) {
    let (policies, mut findings) = match PolicySet::load(sources, catalog) {
        Ok(set) => (set.len(), set.warnings().to_vec()),
        Err(findings) => (0, findings),
    };
    let position = |finding: &Diagnostic| sources.iter().position(|source| source.name == finding.file);
    findings.sort_by_key(|finding| (position(finding), finding.line, finding.column));
    (policies, findings)
}

fn summary(
    ok: bool,
    policies: usize,
    files: usize,
    (errors, warnings): (usize, usize),
    paint: output::Paint,
) -> String {
    let warned = counted(warnings, "warning", "warnings");
    if errors > 0 {
        return format!("{}: {}, {warned}\n", paint.red("refused"), counted(errors, "error", "errors"));
    }
    let what = format!(
        "{} in {}, {warned}",
        counted(policies, "policy", "policies"),
        counted(files, "file", "files")
    );
    if ok {
        format!("{}: {what}\n", paint.green("ok"))
    } else {
        format!("{}: {what}, and --strict\n", paint.red("refused"))
    }
}
