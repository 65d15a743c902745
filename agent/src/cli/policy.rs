//! `interlock policy`: being written.
use std::process::ExitCode;
/// Arguments.
#[derive(Debug, clap::Args)]
pub struct PolicyArgs {}
/// Runs it.
pub fn run(_: PolicyArgs, _: &super::Context) -> anyhow::Result<ExitCode> {
    anyhow::bail!("being written")
}
