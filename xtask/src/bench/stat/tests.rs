//! Medians and percentiles of known values.

use super::{median, percentile};

#[test]
fn medians_and_percentiles() {
    assert_eq!(median(&[]), 0.0);
    assert_eq!(median(&[3.0]), 3.0);
    assert_eq!(median(&[9.0, 1.0, 5.0]), 5.0);
    assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    assert_eq!(percentile(&[0.0, 10.0], 0.99), 9.9);
    assert_eq!(percentile(&[1.0, 2.0, 3.0], 1.0), 3.0);
}
