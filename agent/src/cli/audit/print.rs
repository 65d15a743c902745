//! Rows on paper: table, NDJSON, CSV.

use crate::cli::output::Paint;
use audit::{End, Row, Verdict, Word, render};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::io::{self, Write};

/// What a row is printed as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// A line for a person, and one more for a refusal or an error.
    Table,
    /// One JSON object a line.
    Json,
    /// CSV with a header.
    Csv,
}

/// The widest that a name column gets, in characters.
const NAME_MAX: usize = 20;
/// Characters of a statement in a table that does not go to a terminal.
const STATEMENT_MAX: usize = 2_000;

/// Prints rows one by one. Columns of a table only ever grow wider, so that it can begin before its end is known.
pub struct Printer<W> {
    out: W,
    format: Format,
    paint: Paint,
    /// Columns of the terminal; `None` when there is none, and nothing is cut.
    width: Option<usize>,
    zone: TimeZone,
    names: [usize; 4],
    begun: bool,
    /// Nothing raw for a terminal, whatever the format.
    terminal: bool,
}

impl<W: Write> Printer<W> {
    /// A printer to `out`, which is a terminal of `width` columns, or none.
    pub fn new(out: W, format: Format, width: Option<usize>, paint: Paint) -> Self {
        let (terminal, zone) = (width.is_some(), TimeZone::system());
        Self { out, format, paint, width, zone, names: [5, 6, 7, 7], begun: false, terminal }
    }

    /// Shows times in this time zone instead of the local one.
    pub fn in_zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// Prints one row.
    ///
    /// # Errors
    /// It can't be written.
    pub fn print_row(&mut self, row: &Row) -> io::Result<()> {
        let mut text = String::new();
        match self.format {
            Format::Json => {
                render::write_json(row, &mut text);
                text.push('\n');
            }
            Format::Csv => {
                if !self.begun {
                    text.push_str(&render::csv_header());
                }
                render::write_csv(row, &mut text);
                if self.terminal {
                    text = text
                        .chars()
                        .map(|c| if c != '\r' && c != '\n' && render::steers(c) { '\u{fffd}' } else { c })
                        .collect();
                }
            }
            Format::Table => self.table(row, &mut text),
        }
        self.begun = true;
        self.out.write_all(text.as_bytes())
    }

    /// Prints a remark between rows of a table; other formats have no place for one.
    ///
    /// # Errors
    /// It can't be written.
    pub fn remark(&mut self, remark: &str) -> io::Result<()> {
        match self.format {
            Format::Table => writeln!(self.out, "{}", self.paint.yellow(remark)),
            _ => Ok(()),
        }
    }

    /// Ends the output: CSV without rows still has its header.
    ///
    /// # Errors
    /// It can't be written.
    pub fn end(&mut self) -> io::Result<()> {
        if self.format == Format::Csv && !self.begun {
            self.out.write_all(render::csv_header().as_bytes())?;
        }
        self.out.flush()
    }

    /// Hands out what is written so far.
    ///
    /// # Errors
    /// It can't be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn table(&mut self, row: &Row, text: &mut String) {
        let cells = [
            name(&row.subject.agent),
            name(&row.subject.target),
            row.verdict.word().to_owned(),
            row.action.word().to_owned(),
        ];
        for (width, cell) in self.names.iter_mut().zip(&cells) {
            *width = (*width).max(cell.chars().count());
        }
        if !self.begun {
            let heads = ["AGENT", "TARGET", "VERDICT", "ACTION"].map(str::to_owned);
            let line = self.line("TIME", heads, "ROWS", "STATEMENT");
            text.push_str(&self.paint.bold(&line));
            text.push('\n');
        }
        let count = if row.outcome.end == End::Done { row.outcome.rows.to_string() } else { "-".to_owned() };
        let line = self.line(&self.time(row.time), cells, &count, &statement(row));
        let failed = row.outcome.end == End::Failed || row.outcome.end == End::Interrupted;
        text.push_str(&match row.verdict {
            Verdict::Deny => self.paint.red(&line),
            Verdict::Forward if failed => self.paint.yellow(&line),
            Verdict::Forward => line,
        });
        text.push('\n');
        if let Some(why) = why(row) {
            text.push_str(&self.cut(&format!("    {}", one_line(&why))));
            text.push('\n');
        }
    }

    fn line(
        &self,
        time: &str,
        [agent, target, verdict, action]: [String; 4],
        rows: &str,
        what: &str,
    ) -> String {
        let [a, t, v, c] = self.names;
        self.cut(&format!("{time:23}  {agent:a$}  {target:t$}  {verdict:v$}  {action:c$}  {rows:>6}  {what}"))
    }

    fn time(&self, time: i64) -> String {
        Timestamp::from_microsecond(time)
            .map(|time| time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string())
            .unwrap_or_default()
    }

    /// Cuts a line to the terminal.
    fn cut(&self, line: &str) -> String {
        match self.width {
            Some(width) if line.chars().count() > width => {
                line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
            }
            _ => line.to_owned(),
        }
    }
}

/// The second line of a row: why it was refused or how it failed.
fn why(row: &Row) -> Option<String> {
    if row.verdict == Verdict::Deny {
        return Some(row.reason.to_string());
    }
    match row.outcome.end {
        End::Failed | End::Refused => {
            Some(format!("{} {}", row.outcome.error_code, row.outcome.error).trim().to_owned())
        }
        End::Interrupted => Some("interrupted: its end was not seen".to_owned()),
        End::Done => None,
    }
}

fn name(text: &str) -> String {
    let text = one_line(text);
    if text.chars().count() > NAME_MAX {
        text.chars().take(NAME_MAX - 1).chain(['…']).collect()
    } else {
        text
    }
}

/// The statement, or what there is instead of one.
fn statement(row: &Row) -> String {
    let text = if row.statement.is_empty() { &*row.verb } else { &row.statement };
    let text = one_line(text);
    if text.chars().count() > STATEMENT_MAX {
        text.chars().take(STATEMENT_MAX).chain(['…']).collect()
    } else {
        text
    }
}

/// Text on one line, with nothing that a terminal would obey.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for letter in text.trim().chars() {
        match letter {
            letter if letter.is_whitespace() => {
                if !line.ends_with(' ') {
                    line.push(' ');
                }
            }
            letter if render::steers(letter) => line.push('\u{fffd}'),
            letter => line.push(letter),
        }
    }
    line
}
