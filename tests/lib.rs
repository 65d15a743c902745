//! Holds nothing: the package is its one test binary, `it/main.rs`.
