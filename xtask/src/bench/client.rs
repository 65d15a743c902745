//! The clients that are measured as processes of their own: `cargo xtask bench-client`, for the bench only.

use super::rows::{connects, hold};
use anyhow::Result;
use clap::Subcommand;

/// What to be.
#[derive(Debug, Subcommand)]
pub enum Client {
    /// Connect and close for so many seconds; print the rate.
    Connects { secs: u64 },
    /// Hold so many sessions until the input ends.
    Hold { host: String, port: u16, count: u32 },
}

/// Is it.
pub fn run(client: &Client) -> Result<()> {
    match client {
        Client::Connects { secs } => {
            println!("{}", connects(*secs)?);
            Ok(())
        }
        Client::Hold { host, port, count } => hold(host, *port, *count),
    }
}
