//! Medians and percentiles of known values.

use super::{median, percentile, ratio};

#[test]
fn medians_and_percentiles() {
    assert_eq!(median(&[]), 0.0);
    assert_eq!(median(&[3.0]), 3.0);
    assert_eq!(median(&[9.0, 1.0, 5.0]), 5.0);
    assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    assert_eq!(percentile(&[0.0, 10.0], 0.99), 9.9);
    assert_eq!(percentile(&[1.0, 2.0, 3.0], 1.0), 3.0);
}

#[test]
fn a_ratio_to_noise_is_no_ratio() {
    assert_eq!(ratio(3.0, 2.0), 1.5);
    assert_eq!(ratio(-1.0, 2.0), -0.5);
    assert!(ratio(3.0, 0.0).is_nan());
    assert!(ratio(3.0, -2.0).is_nan());
}
