//! Printing: colour on a terminal only, tables, JSON, and quiet ends of pipes.

use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Prints to standard output. A reader that went away, as `head` does, is no error.
///
/// # Errors
/// Standard output can't be written.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Prints a value as indented JSON.
///
/// # Errors
/// Standard output can't be written.
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(print(&text)?)
}

/// Colours, where the reader is a person.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// For standard output: on a terminal, unless `NO_COLOR` is set.
    pub fn stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { on: wanted && io::stdout().is_terminal() }
    }

    /// Never.
    pub const fn off() -> Self {
        Self { on: false }
    }

    /// All is well.
    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Look at it.
    pub fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    /// It is broken.
    pub fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }

    /// A label.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Text from outside (names, errors, statements) made safe for a terminal: no control characters but line breaks.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// Rows in columns, two blanks between, nothing behind the last.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A number of bytes for people.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut whole = bytes;
    let mut tenths = 0;
    let mut index = 0;
    while whole >= 1024 && index + 1 < UNITS.len() {
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        index += 1;
    }
    let unit = UNITS.get(index).copied().unwrap_or_default();
    if index == 0 { format!("{whole} {unit}") } else { format!("{whole}.{tenths} {unit}") }
}
