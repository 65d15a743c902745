//! How the commands talk: a heading per step, plain sentences below it.

use std::env;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;

/// Is colour wanted? Only on a terminal, and never with `NO_COLOR`.
fn colour() -> bool {
    static COLOUR: OnceLock<bool> = OnceLock::new();
    *COLOUR.get_or_init(|| io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none())
}

fn paint(code: &str, text: &str) -> String {
    if colour() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// A heading.
pub fn step(text: &str) {
    println!("\n{}", paint("1;36", &format!("== {text}")));
}

/// A plain line below a heading.
pub fn line(text: &str) {
    println!("   {text}");
}

/// A line that needs attention but stops nothing.
pub fn warn(text: &str) {
    println!("   {} {text}", paint("33", "!"));
}

/// Emphasised text, to be used inside a line.
pub fn strong(text: &str) -> String {
    paint("1", text)
}

/// Text of good news, to be used inside a line.
pub fn good(text: &str) -> String {
    paint("32", text)
}

/// Text of a refusal or failure, to be used inside a line.
pub fn bad(text: &str) -> String {
    paint("31", text)
}

/// Text of minor importance, to be used inside a line.
pub fn faint(text: &str) -> String {
    paint("2", text)
}
