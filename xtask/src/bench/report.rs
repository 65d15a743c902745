//! What was measured, as a table for people and as JSON.

use super::machine;
use super::rows::Row;
use anyhow::Error;
use serde_json::{Value, json};
use xtask::say;

/// One contender's numbers, each with what it is and in which unit.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: String,
    pub cells: Vec<(&'static str, f64)>,
}

/// What is judged: a ratio and its bound.
#[derive(Clone, Debug)]
pub struct Gate {
    pub what: String,
    pub value: f64,
    pub bound: Bound,
}

/// Which side of the bound is good.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// Not judged, only told.
    None,
}

impl Gate {
    fn held(&self) -> bool {
        match self.bound {
            Bound::AtMost(most) => self.value <= most,
            Bound::AtLeast(least) => self.value >= least,
            Bound::None => true,
        }
    }

    fn bound(&self) -> String {
        match self.bound {
            Bound::AtMost(most) => format!("at most {most}"),
            Bound::AtLeast(least) => format!("at least {least}"),
            Bound::None => "no gate".into(),
        }
    }

    fn text(&self) -> String {
        let (word, paint): (&str, fn(&str) -> String) = match (self.bound, self.held()) {
            (Bound::None, _) => ("", say::faint),
            _ if self.value.is_nan() => ("NOT MEASURED, too much noise", say::bad),
            (_, true) => ("held", say::good),
            (_, false) => ("MISSED", say::bad),
        };
        format!("{}: {} ({}) {}", self.what, short(self.value), self.bound(), paint(word))
    }
}

/// One row of the table, measured or not.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub number: u8,
    pub title: &'static str,
    pub lines: Vec<Line>,
    pub gates: Vec<Gate>,
    pub notes: Vec<String>,
    pub failure: Option<String>,
}

impl Outcome {
    /// Nothing measured yet.
    pub fn new(row: &Row) -> Self {
        Self {
            number: row.number,
            title: row.title,
            lines: Vec::new(),
            gates: Vec::new(),
            notes: Vec::new(),
            failure: None,
        }
    }

    /// Nothing measured, because of an error.
    pub fn failed(row: &Row, error: &Error) -> Self {
        Self { failure: Some(format!("{error:#}")), ..Self::new(row) }
    }

    /// One more thing to judge.
    pub fn gate(&mut self, what: &str, value: f64, bound: Bound) {
        self.gates.push(Gate { what: what.to_owned(), value, bound });
    }

    /// Was a gate missed, or nothing measured?
    pub fn missed(&self) -> bool {
        self.failure.is_some() || self.gates.iter().any(|gate| !gate.held())
    }

    /// The table and the judgement.
    pub fn print(&self) {
        let width = self.lines.iter().map(|line| line.name.len()).max().unwrap_or(0).max(9);
        if let Some(first) = self.lines.first() {
            let heads: Vec<String> = first.cells.iter().map(|(head, _)| format!("{head:>16}")).collect();
            say::line(&say::faint(&format!("{:width$} {}", "", heads.concat())));
        }
        for line in &self.lines {
            let cells: Vec<String> =
                line.cells.iter().map(|(_, value)| format!("{:>16}", short(*value))).collect();
            say::line(&format!("{:width$} {}", line.name, cells.concat()));
        }
        for gate in &self.gates {
            say::line(&gate.text());
        }
        for note in &self.notes {
            say::line(&say::faint(note));
        }
    }

    fn json(&self) -> Value {
        let cells =
            |line: &Line| line.cells.iter().map(|(head, value)| ((*head).to_owned(), json!(value))).collect();
        let lines: serde_json::Map<String, Value> =
            self.lines.iter().map(|line| (line.name.clone(), Value::Object(cells(line)))).collect();
        let gates: Vec<Value> = self
            .gates
            .iter()
            .map(|gate| json!({ "what": gate.what, "value": gate.value, "bound": gate.bound(), "held": gate.held() }))
            .collect();
        json!({
            "row": self.number, "title": self.title, "medians": lines, "gates": gates, "notes": self.notes,
            "failure": self.failure,
        })
    }
}

/// A number with three significant digits.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Everything, for a file.
pub fn json(outcomes: &[Outcome], rounds: usize, secs: u64) -> Value {
    json!({
        "machine": machine::describe(),
        "rounds": rounds,
        "seconds": secs,
        "rows": outcomes.iter().map(Outcome::json).collect::<Vec<_>>(),
    })
}

/// One line per gate.
pub fn summary(outcomes: &[Outcome]) {
    for outcome in outcomes {
        match &outcome.failure {
            Some(why) => say::line(&format!(
                "row {:>2}  {} ({})",
                outcome.number,
                say::bad("not measured"),
                first_line(why)
            )),
            None => outcome
                .gates
                .iter()
                .for_each(|gate| say::line(&format!("row {:>2}  {}", outcome.number, gate.text()))),
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
