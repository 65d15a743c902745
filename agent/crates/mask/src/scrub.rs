//! Replaces what detectors find.

use crate::find::find;
use crate::{Detector, Detectors, Redactor};
use std::borrow::Cow;
use std::ops::Range;

/// Replaces everything that the detectors find; the rest stays byte for byte. Text in which nothing is found is borrowed.
/// Time is linear in the length of the text. Scrubbing again with the same detectors changes nothing, as long as
/// what is put in their place does not itself look like a find.
pub fn scrub<'a>(text: &'a [u8], detectors: &Detectors) -> Cow<'a, [u8]> {
    let found = found(text, detectors);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut end = 0;
    for (range, detector, redactor) in found {
        out.extend_from_slice(text.get(end..range.start).unwrap_or_default());
        place(&mut out, text.get(range.clone()).unwrap_or_default(), detector, redactor);
        end = range.end;
    }
    out.extend_from_slice(text.get(end..).unwrap_or_default());
    Cow::Owned(out)
}

type Found<'a> = (Range<usize>, Detector, &'a Redactor);

/// Rounds over what is left. A second one finds what the first one's finds have cut free; more are for texts made for it.
const ROUNDS: usize = 4;

/// Everything that is found, in order. Each detector looks only at what the ones before it have left; and since a find
/// can cut free what another detector took for a part of something longer, all look again until nothing is found.
fn found<'a>(text: &[u8], detectors: &'a Detectors) -> Vec<Found<'a>> {
    let mut all: Vec<Found<'a>> = Vec::new();
    for _ in 0..ROUNDS {
        let before = all.len();
        for (detector, redactor) in detectors.iter() {
            let new = found_between(text, &all, *detector, redactor);
            if !new.is_empty() {
                all.extend(new);
                all.sort_by_key(|(range, ..)| range.start);
            }
        }
        if all.len() == before {
            break;
        }
    }
    all
}

/// What one detector finds between the finds so far.
fn found_between<'a>(
    text: &[u8],
    all: &[Found<'a>],
    detector: Detector,
    redactor: &'a Redactor,
) -> Vec<Found<'a>> {
    let (mut new, mut ranges, mut begin) = (Vec::new(), Vec::new(), 0);
    let ends = all.iter().map(|(range, ..)| range.clone()).chain(std::iter::once(text.len()..text.len()));
    for taken in ends {
        ranges.clear();
        find(detector, text.get(begin..taken.start).unwrap_or_default(), &mut ranges);
        new.extend(ranges.iter().map(|range| (begin + range.start..begin + range.end, detector, redactor)));
        begin = taken.end;
    }
    new
}

/// In brackets, so that what stands there can't join what is around it to something new.
fn place(out: &mut Vec<u8>, value: &[u8], detector: Detector, redactor: &Redactor) {
    let name = detector.name().as_bytes();
    match (redactor, redactor.redact(value)) {
        (Redactor::Fixed(_) | Redactor::Partial(_), Some(value)) => out.extend_from_slice(&value),
        (Redactor::Hash(_), Some(value)) => out.extend_from_slice(&[b"[", name, b":", &value, b"]"].concat()),
        (Redactor::Null, _) | (_, None) => out.extend_from_slice(&[b"[", name, b"]"].concat()),
    }
}

#[cfg(test)]
mod tests;
