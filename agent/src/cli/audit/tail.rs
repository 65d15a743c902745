//! `interlock audit tail`: rows as they come.

use super::FormatArgs;
use super::filter::FilterArgs;
use super::print::Printer;
use super::query::unless_gone;
use crate::cli::Context;
use crate::cli::output::Paint;
use crate::control::ClientError;
use crate::control::message::Reply;
use anyhow::Context as _;
use audit::{Filter, Row};
use clap::Args;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// Follow rows as operations end, until interrupted
#[derive(Debug, Args)]
pub(super) struct TailArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    format: FormatArgs,
}

pub(super) fn run(args: TailArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let rows = context.daemon()?.tail(serde_json::Value::Null)?;
    let width = terminal_width();
    let mut printer = Printer::new(io::stdout().lock(), args.format.format(), width, Paint::stdout());
    if io::stderr().is_terminal() {
        eprintln!("following; Ctrl-C ends it");
    }
    follow(rows, &args.filter.filter(), &mut printer)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the rows that the filter lets through, each at once, until the stream ends or nobody reads any more.
pub(super) fn follow<W: Write>(
    rows: impl Iterator<Item = Result<Reply, ClientError>>,
    filter: &Filter,
    printer: &mut Printer<W>,
) -> anyhow::Result<()> {
    for reply in rows {
        let printed = match reply? {
            Reply::Row(row) => {
                let row: Row = audit::render::read_json(&row.to_string())
                    .map_err(anyhow::Error::msg)
                    .context("the daemon's rows are not understood; restart it after an update")?;
                if !filter.matches(&row) {
                    continue;
                }
                printer.print_row(&row)
            }
            Reply::Missed(rows) => {
                let remark =
                    format!("({rows} rows came too fast to be shown; `interlock audit query` has them)");
                printer.remark(&remark)
            }
            _ => continue,
        };
        if unless_gone(printed.and_then(|()| printer.flush()))?.is_break() {
            return Ok(());
        }
    }
    // The stream has ended, whether or not anybody still reads.
    unless_gone(printer.end()).map(drop).map_err(Into::into)
}

/// Columns of the terminal that standard output is; `None` if it is none.
pub(super) fn terminal_width() -> Option<usize> {
    const UNKNOWN: usize = 120;
    if !io::stdout().is_terminal() {
        return None;
    }
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let asked = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    Some(told.or_else(asked).filter(|width| *width >= 40).unwrap_or(UNKNOWN))
}
