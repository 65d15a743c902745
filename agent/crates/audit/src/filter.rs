//! Which rows a question is about: the same filter works on rows here and as SQL in ClickHouse.

use crate::row::{Row, Verdict};
use uuid::Uuid;
use wire::Action;

mod sql;
#[cfg(test)]
mod tests;

pub use sql::Select;

/// Every condition that is set must hold. The default is every row, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// The agent's name.
    pub agent: Option<String>,
    /// The target's name.
    pub target: Option<String>,
    /// The user at the target.
    pub user: Option<String>,
    /// The connection.
    pub session: Option<Uuid>,
    /// What was decided.
    pub verdict: Option<Verdict>,
    /// The strongest action.
    pub action: Option<Action>,
    /// A part of the name of a resource; ASCII letters match in either case.
    pub resource: Option<String>,
    /// A part of the statement; ASCII letters match in either case.
    pub text: Option<String>,
    /// Asked at this time or later, in µs since 1970 UTC.
    pub since: Option<i64>,
    /// Asked before this time, in µs since 1970 UTC.
    pub until: Option<i64>,
    /// At most so many rows; `None` is all.
    pub limit: Option<usize>,
    /// The newest first, and with `limit` the newest only.
    pub newest_first: bool,
}

impl Filter {
    /// Does the row meet every condition? Says nothing about `limit` and the order.
    pub fn matches(&self, row: &Row) -> bool {
        self.since.is_none_or(|since| row.time >= since)
            && self.until.is_none_or(|until| row.time < until)
            && same(self.agent.as_ref(), &row.subject.agent)
            && same(self.target.as_ref(), &row.subject.target)
            && same(self.user.as_ref(), &row.subject.user)
            && self.session.is_none_or(|session| session == row.subject.session)
            && self.verdict.is_none_or(|verdict| verdict == row.verdict)
            && self.action.is_none_or(|action| action == row.action)
            && self.resource.as_ref().is_none_or(|part| row.resources.iter().any(|name| holds(name, part)))
            && self.text.as_ref().is_none_or(|part| holds(&row.statement, part))
    }

    /// May a block whose rows were asked from `first` to `last` hold such a row?
    pub(crate) fn overlaps(&self, first: i64, last: i64) -> bool {
        self.since.is_none_or(|since| last >= since) && self.until.is_none_or(|until| first < until)
    }

    /// A row's place in the order asked for: smaller comes first.
    pub(crate) fn place(&self, row: &Row) -> (i128, u128) {
        // Both directions as "smaller first"; a time of i64::MIN has no negative, hence i128.
        let (time, id) = (i128::from(row.time), row.id.as_u128());
        if self.newest_first { (-time, !id) } else { (time, id) }
    }
}

fn same(wanted: Option<&String>, value: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == value)
}

/// Does `text` contain `part`, ASCII letters in either case?
fn holds(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}
