//! What statements mean: cases in files, and the properties of the reader.

mod cases;
mod hostile;
mod properties;
mod statements;

use super::{Effect, Reader, Reading, Scope};
use crate::{Access, Certainty, Limits};
use std::fmt::Write;
use std::sync::Arc;

pub(super) fn reader() -> Reader {
    Reader::new(&Limits::default())
}

pub(super) fn scope(path: &[&str]) -> Arc<Scope> {
    Arc::new(Scope {
        search_path: path.iter().map(|schema| Box::from(*schema)).collect(),
        user: "agent".into(),
    })
}

fn usual() -> Arc<Scope> {
    scope(&["pg_catalog", "public"])
}

fn read(sql: &str) -> Arc<Reading> {
    Reader::new(&Limits::default()).read(&usual(), sql.as_bytes())
}

fn accesses(reading: &Reading) -> Vec<String> {
    reading.meaning.accesses.iter().map(access).collect()
}

fn access(access: &Access) -> String {
    format!("{} {}", access.action.name(), access.resource)
}

/// A reading in words: what a case file expects.
fn describe(reading: &Reading) -> String {
    let meaning = &reading.meaning;
    let mut text = format!("{}, {}, {}", meaning.verb, meaning.action.name(), meaning.certainty.name());
    if let Some(filtered) = meaning.facts.filtered {
        text.push_str(if filtered { ", filtered" } else { ", unfiltered" });
    }
    if let Some(limit) = meaning.facts.limit {
        write!(text, ", limit {limit}").unwrap();
    }
    if reading.statements != 1 {
        write!(text, ", {} statements", reading.statements).unwrap();
    }
    text.push('\n');
    if meaning.certainty != Certainty::Exact {
        writeln!(text, "doubt: {}", meaning.doubt).unwrap();
    }
    for line in accesses(reading) {
        writeln!(text, "{line}").unwrap();
    }
    for effect in &reading.effects {
        writeln!(text, "effect: {}", describe_effect(effect)).unwrap();
    }
    text
}

fn describe_effect(effect: &Effect) -> String {
    let inner = |meaning: &crate::Meaning| {
        let list: Vec<String> = meaning.accesses.iter().map(access).collect();
        format!(
            "{} {} {} [{}]",
            meaning.verb,
            meaning.action.name(),
            meaning.certainty.name(),
            list.join(", ")
        )
    };
    match effect {
        Effect::Prepare { name, inner: meaning } => format!("prepare {name}: {}", inner(meaning)),
        Effect::DeclareCursor { name, inner: meaning } => format!("declare {name}: {}", inner(meaning)),
        Effect::Execute { name } => format!("execute {name}"),
        Effect::Deallocate { name } => format!("deallocate {}", name.as_deref().unwrap_or("all")),
        Effect::UseCursor { name } => format!("use cursor {name}"),
        Effect::CloseCursor { name } => format!("close cursor {}", name.as_deref().unwrap_or("all")),
        Effect::SearchPathMayChange => "search path may change".to_owned(),
        Effect::SettingChange { name } => format!("setting {name}"),
        Effect::CopyIn => "copy in".to_owned(),
        Effect::CopyOut => "copy out".to_owned(),
        Effect::CopyBoth => "copy both".to_owned(),
    }
}
