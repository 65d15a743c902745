//! The types a key can have: what may be written and how it is read.

mod address;
mod scalar;
mod text;

pub(crate) use address::{AddressKind, HostPortKind, Loopback, SocketAddress};
pub(crate) use scalar::{Bool, Choice, Int, Size, Span};
pub(crate) use text::{AbsolutePath, Dsn, FilePath, Glob, Name, RelativeCgroup, TagsKind, Text, UnixSocket};

use super::section::Reader;
use std::collections::HashSet;
use toml::Spanned;
use toml::de::DeValue;

/// A value with its place in the file.
pub(crate) type Value<'i> = Spanned<DeValue<'i>>;

/// One type of value.
pub(crate) trait Kind {
    /// What it is read into.
    type Out;
    /// What may be written, as a noun phrase for messages and documentation.
    fn allowed(&self) -> String;
    /// Reads a value; notes what is wrong and gives `None`.
    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self::Out>;
    /// What an optional key holds when it isn't written.
    fn nothing(&self) -> Option<Self::Out> {
        None
    }
}

/// A key that need not be written.
pub(crate) struct Maybe<K>(pub(crate) K);

impl<K: Kind> Kind for Maybe<K> {
    type Out = Option<K::Out>;

    fn allowed(&self) -> String {
        self.0.allowed()
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self::Out> {
        self.0.read(at, value, reader).map(Some)
    }

    fn nothing(&self) -> Option<Self::Out> {
        Some(None)
    }
}

/// A list of so many different values.
pub(crate) struct List<K> {
    /// What each is.
    pub(crate) item: K,
    /// The fewest.
    pub(crate) min: usize,
    /// The most.
    pub(crate) max: usize,
}

impl<K: Kind> Kind for List<K>
where
    K::Out: Clone + Eq + std::hash::Hash,
{
    type Out = Vec<K::Out>;

    fn allowed(&self) -> String {
        let count = match self.min {
            0 => format!("at most {}", self.max),
            min => format!("{min} to {}", self.max),
        };
        format!("a list of {count}, each {}", self.item.allowed())
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self::Out> {
        let DeValue::Array(items) = value.get_ref() else {
            wrong_type(self, at, value, reader);
            return None;
        };
        if items.len() < self.min || items.len() > self.max {
            let message = format!("`{at}` has {} entries; expected {}", items.len(), self.allowed());
            reader.bad(at, value, message);
            return None;
        }
        let mut read = Vec::with_capacity(items.len());
        let mut seen = HashSet::new();
        for (index, item) in items.iter().enumerate() {
            let item_at = format!("{at}[{index}]");
            reader.place(&item_at, item.span());
            let Some(item_read) = self.item.read(&item_at, item, reader) else { continue };
            if !seen.insert(item_read.clone()) {
                reader.bad(&item_at, item, format!("`{item_at}` repeats an earlier entry; remove one"));
            }
            read.push(item_read);
        }
        (read.len() == items.len()).then_some(read)
    }
}

/// A text value, or a noted problem.
pub(crate) fn string<'v>(
    kind: &(impl Kind + ?Sized),
    at: &str,
    value: &'v Value<'_>,
    reader: &mut Reader<'_>,
) -> Option<&'v str> {
    match value.get_ref() {
        DeValue::String(text) => Some(text),
        _ => {
            wrong_type(kind, at, value, reader);
            None
        }
    }
}

/// Notes that a value has the wrong type.
pub(crate) fn wrong_type(kind: &(impl Kind + ?Sized), at: &str, value: &Value<'_>, reader: &mut Reader<'_>) {
    let message = format!("`{at}` is {}; expected {}", what_it_is(value), kind.allowed());
    reader.bad(at, value, message);
}

/// Notes that a value of the right type is not allowed.
pub(crate) fn wrong_value(
    kind: &(impl Kind + ?Sized),
    at: &str,
    value: &Value<'_>,
    why: &str,
    reader: &mut Reader<'_>,
) {
    reader.bad(at, value, format!("`{at}` {why}; expected {}", kind.allowed()));
}

/// The type of a value in words.
pub(crate) fn what_it_is(value: &Value<'_>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a floating-point number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
