//! The little statistics that is needed.

/// The median; 0 of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    percentile(&sorted, 0.5)
}

/// The value below which `share` of the sorted values lie, interpolated; 0 of nothing.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share * last as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    let at = |index: usize| sorted.get(index.min(last)).copied().unwrap_or_default();
    at(low) * (1.0 - part) + at(low + 1) * part
}

/// What one costs in units of what another costs; not a number if the other costs nothing that can be told from noise.
pub fn ratio(ours: f64, theirs: f64) -> f64 {
    if theirs > 0.0 { ours / theirs } else { f64::NAN }
}

#[cfg(test)]
mod tests;
