//! What the project's commands and its integration tests share: where things are, and real servers to run against.

pub mod paths;
pub mod rack;
pub mod say;
