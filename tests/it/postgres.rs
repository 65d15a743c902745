//! Real clients against a real PostgreSQL, through the daemon.

mod cancel;
mod clickhouse;
mod denial;
mod drivers;
mod hostile;
mod prepared;
mod regress;
mod transparent;
mod wire;
