//! Numbers, booleans, choices, durations and sizes.

use super::{Kind, Value, string, wrong_type, wrong_value};
use crate::config::section::{Reader, did_you_mean, shown};
use std::marker::PhantomData;
use std::time::Duration;
use toml::de::DeValue;

/// `true` or `false`.
pub(crate) struct Bool;

impl Kind for Bool {
    type Out = bool;

    fn allowed(&self) -> String {
        "`true` or `false`".to_owned()
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<bool> {
        let read = value.get_ref().as_bool();
        if read.is_none() {
            wrong_type(self, at, value, reader);
        }
        read
    }
}

/// An integer of a range.
pub(crate) struct Int<T> {
    min: u64,
    max: u64,
    of: PhantomData<T>,
}

impl<T> Int<T> {
    /// From `min` to `max`; `T` must hold both.
    pub(crate) const fn new(min: u64, max: u64) -> Self {
        Self { min, max, of: PhantomData }
    }
}

impl<T: TryFrom<u64>> Kind for Int<T> {
    type Out = T;

    fn allowed(&self) -> String {
        format!("an integer from {} to {}", self.min, self.max)
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<T> {
        let DeValue::Integer(integer) = value.get_ref() else {
            wrong_type(self, at, value, reader);
            return None;
        };
        let read = u64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| (self.min..=self.max).contains(number))
            .and_then(|number| T::try_from(number).ok());
        if read.is_none() {
            let prefix = match integer.radix() {
                2 => "0b",
                8 => "0o",
                16 => "0x",
                _ => "",
            };
            wrong_value(self, at, value, &format!("is {prefix}{}", shown(integer.as_str())), reader);
        }
        read
    }
}

/// One of a few words.
pub(crate) struct Choice<T: 'static>(pub(crate) &'static [(&'static str, T)]);

impl<T: Copy> Kind for Choice<T> {
    type Out = T;

    fn allowed(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| format!("`\"{word}\"`")).collect();
        format!("one of {}", words.join(", "))
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<T> {
        let text = string(self, at, value, reader)?;
        let read = self.0.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
        if read.is_none() {
            let words: Vec<_> = self.0.iter().map(|(word, _)| *word).collect();
            let guess = did_you_mean(text, &words);
            wrong_value(self, at, value, &format!("is `{}`{guess}", shown(text)), reader);
        }
        read
    }
}

/// A length of time such as `30s`.
pub(crate) struct Span {
    /// The shortest, as it would be written.
    pub(crate) min: &'static str,
    /// The longest.
    pub(crate) max: &'static str,
}

const TIME_UNITS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Kind for Span {
    type Out = Duration;

    fn allowed(&self) -> String {
        format!("a duration from `\"{}\"` to `\"{}\"` (units `ms`, `s`, `m`, `h`, `d`)", self.min, self.max)
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Duration> {
        let within = (quantity(self.min, TIME_UNITS), quantity(self.max, TIME_UNITS));
        let read = bounded(self, at, value, within, TIME_UNITS, reader)?;
        Some(Duration::from_millis(read))
    }
}

/// A number of bytes such as `16MiB`.
pub(crate) struct Size {
    /// The smallest, as it would be written.
    pub(crate) min: &'static str,
    /// The largest.
    pub(crate) max: &'static str,
}

const SIZE_UNITS: &[(&str, u64)] =
    &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

impl Kind for Size {
    type Out = u64;

    fn allowed(&self) -> String {
        format!(
            "a size from `\"{}\"` to `\"{}\"` (units `B`, `KiB`, `MiB`, `GiB`, `TiB`)",
            self.min, self.max
        )
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<u64> {
        let within = (quantity(self.min, SIZE_UNITS), quantity(self.max, SIZE_UNITS));
        bounded(self, at, value, within, SIZE_UNITS, reader)
    }
}

/// Reads a number with a unit and holds it against its bounds.
fn bounded(
    kind: &impl Kind,
    at: &str,
    value: &Value<'_>,
    within: (Option<u64>, Option<u64>),
    units: &[(&str, u64)],
    reader: &mut Reader<'_>,
) -> Option<u64> {
    let text = match value.get_ref() {
        DeValue::Integer(integer) => {
            let number = shown(integer.as_str());
            let unit = units.get(1).map_or("", |(unit, _)| *unit);
            let why =
                format!("is a number without a unit; write it as a string such as `\"{number}{unit}\"`");
            wrong_value(kind, at, value, &why, reader);
            return None;
        }
        _ => string(kind, at, value, reader)?,
    };
    let Some(read) = quantity(text, units) else {
        let why = format!("is `{}`, which is not a whole number and a unit", shown(text));
        wrong_value(kind, at, value, &why, reader);
        return None;
    };
    if within.0.is_none_or(|min| read < min) || within.1.is_none_or(|max| read > max) {
        wrong_value(kind, at, value, &format!("is `{}`, out of range", shown(text)), reader);
        return None;
    }
    Some(read)
}

/// `16MiB` as a multiple of the smallest unit.
pub(crate) fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let unit = text.get(digits..)?.trim_start();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*factor)
}
