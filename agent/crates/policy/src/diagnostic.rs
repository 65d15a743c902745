//! What is wrong with a policy, and where.

use std::fmt;

/// One thing wrong, or suspicious, in a policy source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostic {
    /// The source's name.
    pub file: String,
    /// Line, from 1; 0 if it concerns the file as a whole.
    pub line: u32,
    /// Column in characters, from 1; 0 if it concerns the file as a whole.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub help: String,
    /// Whether the policies can be used all the same.
    pub severity: Severity,
}

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    /// The policies are refused.
    Error,
    /// The policies work, but probably not as meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Diagnostic {
    /// `file:line:column: error: message`, and the help on a second line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}: {}", self.severity.name(), self.message)?;
        if !self.help.is_empty() {
            write!(f, "\n  help: {}", self.help)?;
        }
        Ok(())
    }
}

/// A place in a source, for diagnostics.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct At {
    /// The source's name.
    pub file: String,
    /// Line from 1, or 0.
    pub line: u32,
    /// Column from 1, or 0.
    pub column: u32,
}

impl At {
    /// The place of byte `offset` in `text`.
    pub(crate) fn offset(file: &str, text: &str, offset: usize) -> Self {
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = text.get(..end).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Self {
            file: file.to_owned(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    /// The file as a whole.
    pub(crate) fn file(file: &str) -> Self {
        Self { file: file.to_owned(), ..Self::default() }
    }

    /// An error here.
    pub(crate) fn error(&self, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Error, message.into(), help.into())
    }

    /// A warning here.
    pub(crate) fn warning(&self, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Warning, message.into(), help.into())
    }

    fn diagnostic(&self, severity: Severity, message: String, help: String) -> Diagnostic {
        Diagnostic { file: self.file.clone(), line: self.line, column: self.column, message, help, severity }
    }
}

#[cfg(test)]
mod tests;
