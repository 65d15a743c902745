//! A name as policies and rows have it, and what about it looks like data.

use hickory_proto::rr::Name;
use std::sync::Arc;

/// A label of so many characters can look like data.
const DATA_LABEL_MIN: usize = 40;
/// Bits of entropy that one character of such a label has on average, at least. (Random hexadecimal has close to 4.)
const DATA_BITS_MIN: f64 = 3.5;
/// One in so many of its characters is a digit, at least: what people write has fewer.
const DATA_DIGIT_IN: usize = 20;
/// Labels below a country's that stand for a registry, whose names are many people's (`co.uk`).
const REGISTRIES: [&str; 19] = [
    "ac", "asso", "co", "com", "edu", "firm", "gen", "go", "gob", "gov", "ltd", "me", "mil", "ne", "net",
    "nom", "or", "org", "plc",
];

/// A host name: letters, digits, hyphens and underscores, in lower case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct HostName {
    text: Arc<str>,
}

impl HostName {
    /// Reads it; `None` for a name with other characters, which no host has.
    pub(super) fn read(name: &Name) -> Option<Self> {
        let is_usual = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !name.iter().flatten().all(is_usual) {
            return None;
        }
        let labels: Vec<_> =
            name.iter().map(|label| String::from_utf8_lossy(label).to_ascii_lowercase()).collect();
        Some(Self { text: labels.join(".").into() })
    }

    /// Without a final dot; empty for the root.
    pub(super) const fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Its labels, the last one first.
    pub(super) fn upwards(&self) -> impl Iterator<Item = &str> {
        self.text.rsplit('.').filter(|label| !label.is_empty())
    }

    /// The domain that it counts to: its last two labels, or three below a country's registry.
    pub(super) fn domain(&self) -> &str {
        let is_registry = |last: &str, second: &str| last.len() == 2 && REGISTRIES.contains(&second);
        let mut labels = self.text.rsplit('.');
        let taken = match (labels.next(), labels.next()) {
            (Some(last), Some(second)) if is_registry(last, second) => 3,
            _ => 2,
        };
        let start = self.text.rmatch_indices('.').nth(taken - 1).map_or(0, |(at, _)| at + 1);
        self.text.get(start..).unwrap_or_default()
    }

    /// The first label that looks like data.
    pub(super) fn data_label(&self) -> Option<&str> {
        self.text.split('.').find(|label| looks_like_data(label))
    }
}

fn looks_like_data(label: &str) -> bool {
    let digits = label.bytes().filter(u8::is_ascii_digit).count();
    label.len() >= DATA_LABEL_MIN
        && digits * DATA_DIGIT_IN >= label.len()
        && bits_per_byte(label) >= DATA_BITS_MIN
}

/// Shannon's entropy of a text's bytes.
fn bits_per_byte(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let all = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    let share = |count: u32| f64::from(count) / all;
    counts.iter().filter(|count| **count > 0).map(|count| -share(*count) * share(*count).log2()).sum()
}
