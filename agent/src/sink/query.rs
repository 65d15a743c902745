//! Asking the sink's server for rows, with the same filter that the spool takes.

use super::client::Server;
use super::{SinkConfig, SinkError};
use audit::native::BlockReader;
use audit::{Filter, Row};
use std::ops::ControlFlow;

/// Gives every row that the filter is about to `found`, in the filter's order, until that says to stop. Memory holds a
/// block at a time.
///
/// # Errors
/// The server can't be reached, refuses or answers nonsense.
pub async fn query(
    config: &SinkConfig,
    filter: &Filter,
    found: &mut dyn FnMut(Row) -> ControlFlow<()>,
) -> Result<(), SinkError> {
    let server = Server::new(config);
    let select = filter.select(&config.database);
    let mut query = server.client.query_raw(&select.sql).with_setting("max_block_size", "8192");
    for (name, value) in &select.parameters {
        query = query.param(name, value);
    }
    let mut cursor = query.fetch_bytes("Native")?;
    let mut reader = BlockReader::default();
    loop {
        let piece = server.within(cursor.next()).await?;
        if let Some(bytes) = &piece {
            reader.push(bytes);
        }
        while let Some(rows) = reader.next_block(piece.is_none())? {
            for row in rows {
                if found(row).is_break() {
                    return Ok(());
                }
            }
        }
        if piece.is_none() {
            return Ok(());
        }
    }
}
