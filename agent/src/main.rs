//! The `interlock` command.
fn main() {}
