//! The one integration-test binary.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "all of it is tests: a panic is how a test fails"
)]

mod boundary;
mod clickhouse;
mod daemon;
mod demo;
mod dns;
mod fuzz;
mod kernel;
mod postgres;
mod support;
mod tidy;
