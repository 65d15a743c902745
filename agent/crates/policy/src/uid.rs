//! Ids of resources: paths from the target down, joined with `/`. Within a part, `/` is written `%2F` and `%` `%25`, so
//! that different resources have different ids, whatever their names.

use crate::kind::Kind;
use std::fmt::Write as _;
use wire::Resource;

/// Appends one part, escaped.
pub(crate) fn push_part(id: &mut String, part: &str) {
    for c in part.chars() {
        match c {
            '/' => id.push_str("%2F"),
            '%' => id.push_str("%25"),
            c => id.push(c),
        }
    }
}

/// Escapes parts and joins them.
pub(crate) fn join<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut id = String::new();
    for (n, part) in parts.into_iter().enumerate() {
        if n > 0 {
            id.push('/');
        }
        push_part(&mut id, part);
    }
    id
}

/// The parts of an id, unescaped; `None` if it is not one that [`join`] could have made.
pub(crate) fn split(id: &str) -> Option<Vec<String>> {
    id.split('/').map(unescape).collect()
}

fn unescape(part: &str) -> Option<String> {
    let mut pieces = part.split('%');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (c, rest) = match (piece.strip_prefix("2F"), piece.strip_prefix("25")) {
            (Some(rest), _) => ('/', rest),
            (None, Some(rest)) => ('%', rest),
            (None, None) => return None,
        };
        out.push(c);
        out.push_str(rest);
    }
    Some(out)
}

/// The id of `resource` in a session's target and database.
pub(crate) fn of(target: &str, database: &str, resource: &Resource) -> String {
    let kind = Kind::from(resource.kind);
    let lead: &[&str] = match kind {
        Kind::Label | Kind::Protocol | Kind::Target | Kind::Name => &[target],
        Kind::Database | Kind::Schema | Kind::Table | Kind::Column | Kind::Routine => &[target, database],
    };
    join(lead.iter().copied().chain(resource.path.iter().map(AsRef::as_ref)))
}

/// The resource itself and what it is in, up to its target.
pub(crate) fn chain(kind: Kind, id: &str) -> impl Iterator<Item = (Kind, &str)> {
    let mut next = Some((kind, id));
    std::iter::from_fn(move || {
        let (kind, id) = next?;
        next = above(kind, id);
        Some((kind, id))
    })
}

fn above(kind: Kind, id: &str) -> Option<(Kind, &str)> {
    let (rest, _) = id.rsplit_once('/')?;
    let kind = match kind {
        Kind::Label | Kind::Protocol | Kind::Target => return None,
        Kind::Database => Kind::Target,
        Kind::Schema => Kind::Database,
        Kind::Table | Kind::Routine => Kind::Schema,
        Kind::Column => Kind::Table,
        Kind::Name if rest.contains('/') => Kind::Name,
        Kind::Name => Kind::Target,
    };
    Some((kind, rest))
}

/// Whether `id` can be an id of this kind.
pub(crate) fn well_formed(kind: Kind, id: &str) -> bool {
    if matches!(kind, Kind::Label | Kind::Protocol) {
        return true;
    }
    split(id).is_some_and(|parts| kind.parts().map_or(parts.len() >= 2, |expected| expected == parts.len()))
}

/// `Table::"a/b"`: an entity as policies write it.
pub(crate) fn shown(type_name: &str, id: &str) -> String {
    let mut out = String::new();
    let _ = write!(out, "{type_name}::{id:?}");
    out
}

#[cfg(test)]
mod tests;
