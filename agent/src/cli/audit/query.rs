//! `interlock audit query`: rows that were recorded.

use super::filter::{FilterArgs, now, time};
use super::print::Printer;
use super::{FormatArgs, usage};
use crate::cli::output::Paint;
use crate::cli::{Context, exit};
use crate::config::Config;
use crate::sink::{self, SinkConfig};
use anyhow::Context as _;
use audit::{Filter, Row, SpoolReader};
use clap::Args;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER: &str = "\
Times are RFC 3339 (`2026-03-01T08:00:00Z`), local (`2026-03-01`, `2026-03-01 08:00`), or how long ago (`15m`, `2h`, `3d`).
The newest rows are shown, oldest first, unless --newest-first turns them around.";

/// Show recorded rows
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct QueryArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Rows asked at this time or later
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// Rows asked before this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// How many rows at most; 0 for all
    #[arg(long, value_name = "ROWS", default_value_t = 100)]
    limit: usize,
    /// The newest row first
    #[arg(long)]
    newest_first: bool,
    /// Ask the configured ClickHouse instead of this host's spool
    #[arg(long)]
    clickhouse: bool,
    /// Read the spool in this folder instead of the configured one
    #[arg(long, value_name = "DIR", conflicts_with = "clickhouse")]
    spool: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArgs,
}

/// Rows held in memory to be turned around; more are shown oldest first without a limit.
const TURNED_MAX: usize = 1_000_000;

pub(super) fn run(args: QueryArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let now = now();
    let bound = |text: &Option<String>| text.as_deref().map(|text| time(text, &now)).transpose();
    let (since, until) = match (bound(&args.since), bound(&args.until)) {
        (Ok(since), Ok(until)) => (since, until),
        (Err(error), _) => return Ok(usage(&format!("--since: {error}"))),
        (_, Err(error)) => return Ok(usage(&format!("--until: {error}"))),
    };
    if since.zip(until).is_some_and(|(since, until)| since >= until) {
        return Ok(usage("--since must be before --until"));
    }
    if args.limit > TURNED_MAX {
        return Ok(usage(&format!("--limit: at most {TURNED_MAX}, or 0 for all rows")));
    }
    let limit = (args.limit > 0).then_some(args.limit);
    // The newest so many are wanted in any case; without a limit rows can come in their order at once.
    let newest_first = limit.is_some() || args.newest_first;
    let filter = Filter { since, until, limit, newest_first, ..args.filter.filter() };
    let mut page = Page::new(args.format, limit.is_some() && !args.newest_first);
    let failed = if args.clickhouse {
        clickhouse(context, &filter, &mut page)?;
        false
    } else {
        spool(args.spool, context, &filter, &mut page)?
    };
    page.end(&filter)?;
    Ok(if failed { ExitCode::from(exit::FAILED) } else { ExitCode::SUCCESS })
}

/// Reads the spool. Gives whether a part of it could not be read.
fn spool(dir: Option<PathBuf>, context: &Context, filter: &Filter, page: &mut Page) -> anyhow::Result<bool> {
    let dir = match dir {
        Some(dir) => dir,
        None => {
            let dir = Config::load(&context.config)?.spool_directory();
            // Rows of the last moment are in the daemon's memory. Without a daemon there are none.
            if let Ok(mut daemon) = context.daemon()
                && let Err(error) = daemon.flush()
            {
                eprintln!("interlock: rows of the last moment may be missing: {error}");
            }
            dir
        }
    };
    let reader = SpoolReader::open(&dir)?;
    let mut failed = false;
    for row in reader.rows(filter)? {
        match row {
            Ok(row) => {
                if page.take(row)?.is_break() {
                    break;
                }
            }
            Err(error) => {
                failed = true;
                eprintln!("interlock: {error}");
            }
        }
    }
    Ok(failed)
}

/// Asks ClickHouse.
fn clickhouse(context: &Context, filter: &Filter, page: &mut Page) -> anyhow::Result<()> {
    let config = Config::load(&context.config)?;
    let sink = config.sink.as_ref().context(
        "no ClickHouse is configured; add a `[sink.clickhouse]` table, or ask the spool without --clickhouse",
    )?;
    let password = sink.password().context("the password file of `[sink.clickhouse]` can't be read")?;
    let config = SinkConfig::new(sink, password);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut failure = None;
    let asked = runtime.block_on(sink::query(&config, filter, &mut |row| match page.take(row) {
        Ok(flow) => flow,
        Err(error) => {
            failure = Some(error);
            ControlFlow::Break(())
        }
    }));
    asked.with_context(|| format!("ClickHouse at {} can't be asked", config.url))?;
    failure.map_or(Ok(()), |error| Err(error.into()))
}

/// Standard output, as rows come.
struct Page {
    printer: Printer<BufWriter<io::Stdout>>,
    /// Rows come newest first and are shown oldest first.
    turned: Option<Vec<Row>>,
    count: usize,
}

impl Page {
    fn new(format: FormatArgs, turn: bool) -> Self {
        let width = super::tail::terminal_width();
        let printer = Printer::new(BufWriter::new(io::stdout()), format.format(), width, Paint::stdout());
        Self { printer, turned: turn.then(Vec::new), count: 0 }
    }

    fn take(&mut self, row: Row) -> io::Result<ControlFlow<()>> {
        self.count += 1;
        if let Some(rows) = &mut self.turned {
            rows.push(row);
            return Ok(ControlFlow::Continue(()));
        }
        unless_gone(self.printer.print_row(&row))
    }

    fn end(mut self, filter: &Filter) -> io::Result<()> {
        for row in self.turned.take().unwrap_or_default().into_iter().rev() {
            if unless_gone(self.printer.print_row(&row))?.is_break() {
                return Ok(());
            }
        }
        if unless_gone(self.printer.end())?.is_break() || !io::stderr().is_terminal() && self.count > 0 {
            return Ok(());
        }
        let mut remark = io::stderr().lock();
        if self.count == 0 {
            writeln!(
                remark,
                "no row matches{}",
                if *filter == Filter::default() { "" } else { " these conditions" }
            )
        } else if filter.limit == Some(self.count) {
            writeln!(remark, "{} rows; there may be more: --limit 0 shows all", self.count)
        } else {
            Ok(())
        }
    }
}

/// A reader that went away, as `head` does, ends the output and is no error.
pub(super) fn unless_gone(written: io::Result<()>) -> io::Result<ControlFlow<()>> {
    match written {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(error),
    }
}
