//! Cutting a row to a size: a huge statement must not cost its row.

use super::Row;
use std::sync::Arc;

/// What is put where something was cut off.
const CUT: &str = "…";

/// Cuts `text` to at most `max` bytes, at a character boundary.
pub(crate) fn cut(text: &mut String, max: usize) {
    if text.len() > max {
        let mut end = max.saturating_sub(CUT.len());
        while end > 0 && !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(CUT);
    }
}

impl Row {
    /// Bytes of everything in the row that can grow.
    pub(crate) fn weight(&self) -> usize {
        let binds: usize = self.binds.iter().map(|bind| 2 + bind.as_ref().map_or(0, String::len)).sum();
        let lists = [&self.resources, &self.policies];
        let lists: usize =
            lists.iter().map(|list| list.iter().map(|item| 2 + item.len()).sum::<usize>()).sum();
        let words =
            self.reason.len() + self.verb.len() + self.subject.user.len() + self.subject.database.len();
        self.statement.len() + binds + lists + words + self.outcome.error.len()
    }

    /// Cuts whatever is too long for a row of about `max` bytes, never less than 4 KiB. `statement_bytes` still
    /// tells the real length of the statement.
    pub(crate) fn fit(&mut self, max: usize) {
        if self.weight() <= max {
            return;
        }
        // Nine parts can grow.
        let part = max / 9;
        cut(&mut self.statement, part);
        self.outcome.fit(part);
        fit_word(&mut self.reason, part);
        fit_word(&mut self.verb, part);
        if self.subject.user.len().max(self.subject.database.len()) > part {
            let subject = self.subject.edit();
            fit_word(&mut subject.user, part);
            fit_word(&mut subject.database, part);
        }
        fit_binds(&mut self.binds, part);
        fit_list(&mut self.resources, part);
        fit_list(&mut self.policies, part);
    }
}

impl super::Outcome {
    /// Cuts the error message.
    pub(crate) fn fit(&mut self, max: usize) {
        cut(&mut self.error, max);
    }
}

fn fit_word(word: &mut Arc<str>, max: usize) {
    if word.len() > max {
        let mut text = word.to_string();
        cut(&mut text, max);
        *word = text.into();
    }
}

/// Keeps the first values that fit and says how many were left out.
fn fit_binds(binds: &mut Vec<Option<String>>, max: usize) {
    let mut left = max;
    let mut kept = 0;
    for bind in binds.iter_mut() {
        if left < 16 {
            break;
        }
        if let Some(text) = bind {
            cut(text, left);
            left = left.saturating_sub(text.len());
        }
        left = left.saturating_sub(2);
        kept += 1;
    }
    if kept < binds.len() {
        let missing = binds.len() - kept;
        binds.truncate(kept);
        binds.push(Some(format!("{CUT} {missing} more")));
    }
}

/// Keeps the first items that fit and says how many were left out.
fn fit_list(list: &mut Arc<[Arc<str>]>, max: usize) {
    let mut left = max;
    let kept = list
        .iter()
        .take_while(|item| match left.checked_sub(item.len() + 2) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        })
        .count();
    if kept < list.len() {
        let missing = list.len() - kept;
        let more = Arc::from(format!("{CUT} {missing} more"));
        *list = list.iter().take(kept).cloned().chain([more]).collect();
    }
}
