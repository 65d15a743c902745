//! What is wrong with a configuration file: every problem with its place, and what to do about it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Problems that are kept; the rest are only counted, so that a hostile file can't make the report endless.
const PROBLEMS_MAX: usize = 50;
/// Characters of a source line that an excerpt shows.
const EXCERPT_CHARS_MAX: usize = 160;

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key it is about, such as `target[0].name`; empty where the file is not TOML at all.
    pub key: String,
    /// What is wrong and what is allowed.
    pub message: String,
    excerpt: String,
    marked: usize,
}

/// A configuration that can't be used, with everything that is wrong with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, in the order of the file; at most 50.
    pub problems: Vec<Problem>,
    /// How many more problems there were.
    pub left_out: usize,
}

impl ConfigError {
    /// An error about the file as a whole.
    pub(crate) fn whole(file: &Path, message: String) -> Self {
        let problem =
            Problem { line: 1, column: 1, key: String::new(), message, excerpt: String::new(), marked: 0 };
        Self { file: file.to_owned(), problems: vec![problem], left_out: 0 }
    }

    /// The problems with the source lines they are in, for a person at a terminal.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for problem in &self.problems {
            text.push_str(&format!("{}:{problem}\n", self.file.display()));
            if problem.excerpt.is_empty() {
                continue;
            }
            let margin = problem.line.to_string().len();
            let blank = " ".repeat(problem.column.saturating_sub(1).min(EXCERPT_CHARS_MAX));
            let marks = "^".repeat(problem.marked.max(1));
            text.push_str(&format!("{:margin$} |\n{} | {}\n", "", problem.line, problem.excerpt));
            text.push_str(&format!("{:margin$} | {blank}{marks}\n", ""));
        }
        if self.left_out > 0 {
            text.push_str(&format!("and {} more\n", self.left_out));
        }
        text
    }
}

/// One line a problem: `file:line:column: what is wrong`.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{}:{problem}", self.file.display())?;
        }
        if self.left_out > 0 {
            write!(f, "\nand {} more", self.left_out)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// `line:column: message`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Problems as they are found, by byte position.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<(Range<usize>, String, String)>,
    left_out: usize,
}

impl Problems {
    /// Notes a problem at that place of the source.
    pub(crate) fn add(&mut self, at: Range<usize>, key: &str, message: String) {
        if self.found.len() < PROBLEMS_MAX {
            self.found.push((at, key.to_owned(), message));
        } else {
            self.left_out += 1;
        }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many were found so far.
    pub(crate) fn len(&self) -> usize {
        self.found.len() + self.left_out
    }

    /// The error that tells them all, sorted by place.
    pub(crate) fn into_error(mut self, file: &Path, source: &str) -> ConfigError {
        self.found.sort_by_key(|(at, ..)| at.start);
        let problems =
            self.found.into_iter().map(|(at, key, message)| locate(source, at, key, message)).collect();
        ConfigError { file: file.to_owned(), problems, left_out: self.left_out }
    }
}

/// Turns a byte range into line, column and excerpt. Positions outside the source end at its end.
fn locate(source: &str, at: Range<usize>, key: String, message: String) -> Problem {
    let mut start = at.start.min(source.len());
    while !source.is_char_boundary(start) {
        start -= 1;
    }
    let before = source.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |index| index + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    let whole = source.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
    let excerpt: String =
        whole.chars().take(EXCERPT_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let width = source.get(at).unwrap_or_default().lines().next().unwrap_or_default().chars().count();
    let marked = width.min(excerpt.chars().count().saturating_sub(column - 1));
    Problem { line, column, key, message, excerpt, marked }
}
