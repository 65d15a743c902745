//! Subsets come smallest first, in order, each once.

use super::*;

#[test]
fn subsets_are_complete() {
    assert_eq!(subsets(&["a", "b", "c"], 1), [["a"], ["b"], ["c"]]);
    assert_eq!(subsets(&["a", "b", "c"], 2), [["a", "b"], ["a", "c"], ["b", "c"]]);
    assert_eq!(subsets(&["a", "b", "c"], 3), [["a", "b", "c"]]);
    assert!(subsets(&["a"], 2).is_empty());
    assert_eq!(subsets(&["1", "2", "3", "4", "5", "6", "7", "8"], 3).len(), 56);
}
