//! The one integration-test binary.

mod clickhouse;
mod daemon;
mod demo;
mod fuzz;
mod kernel;
mod postgres;
mod support;
mod tidy;
