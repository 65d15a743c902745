//! The one integration-test binary.

mod clickhouse;
mod daemon;
mod fuzz;
mod kernel;
mod postgres;
mod support;
mod tidy;
