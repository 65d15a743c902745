//! The filter's shape. What it does to real programs is tested with the kernel.

use super::{Need, UnixSockets, filters};
use clap::ValueEnum;

#[test]
fn each_need_makes_the_filter_shorter() {
    let length =
        |needs: &[Need]| filters(needs, UnixSockets::Closed).unwrap().iter().map(Vec::len).sum::<usize>();
    let whole = length(&[]);
    for need in Need::value_variants() {
        assert!(length(&[*need]) < whole, "{need:?}");
    }
    // The kernel takes 4,096 instructions a filter.
    assert!(whole < 1_000, "{whole}");
}
