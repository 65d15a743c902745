//! Shipping audit rows from the spool to ClickHouse, each row once.
//!
//! A batch is fixed and on disk before it is sent, and carries its token to the server, which drops what it has seen:
//! a request that timed out, a killed daemon or a killed server only means that the same bytes are sent again. Blocks
//! travel as the spool keeps them (Native format, LZ4 frames), so that shipping costs a copy.

mod client;
mod migrate;
mod query;
mod retry;
mod status;
mod task;
#[cfg(test)]
mod tests;

pub use query::query;
pub use status::{SinkState, SinkStatus};

use crate::config::ClickHouse;
use audit::Spool;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where rows go and how.
#[derive(Clone, Eq, PartialEq)]
pub struct SinkConfig {
    /// The server's HTTP interface.
    pub url: String,
    /// The database, made if it is not there.
    pub database: String,
    /// The user.
    pub user: String,
    /// Its password; empty for none.
    pub password: String,
    /// This host's name, as the record of migrations shows it.
    pub host: String,
    /// Rows of one insert, at most.
    pub batch_rows: usize,
    /// How long rows wait for more to fill a batch.
    pub batch_wait: Duration,
    /// How long one request may take.
    pub timeout: Duration,
}

impl SinkConfig {
    /// The configuration's table with its password.
    pub fn new(config: &ClickHouse, password: String) -> Self {
        let host = nix::unistd::gethostname().unwrap_or_default();
        Self {
            url: config.url.clone(),
            database: config.database.clone(),
            user: config.user.clone(),
            password,
            host: host.to_string_lossy().into_owned(),
            batch_rows: config.batch_rows,
            batch_wait: config.batch_wait,
            timeout: config.timeout,
        }
    }
}

impl fmt::Debug for SinkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkConfig")
            .field("url", &self.url)
            .field("database", &self.database)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Why the sink, or a question to it, failed.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The server can't be reached, refuses or answers nonsense.
    #[error("{0}")]
    Server(String),
    /// It did not answer in time.
    #[error("no answer within {} s (`sink.clickhouse.timeout`)", .0.as_secs())]
    Timeout(Duration),
    /// Somebody changed the table.
    #[error("the table `{table}` does not fit: {why}; undo the change, rows wait in the spool")]
    Table {
        /// Its name.
        table: String,
        /// What is wrong.
        why: String,
    },
    /// The server's rows can't be read.
    #[error(transparent)]
    Native(#[from] audit::native::NativeError),
    /// The spool can't be read or written.
    #[error(transparent)]
    Spool(#[from] audit::SpoolError),
    /// A part of the sink was stopped.
    #[error("the sink is being stopped")]
    Stopped,
}

impl From<clickhouse::error::Error> for SinkError {
    fn from(error: clickhouse::error::Error) -> Self {
        Self::Server(client::explain(&error))
    }
}

/// A running sink. Dropping it stops the sink as well, without waiting.
#[derive(Debug)]
pub struct SinkHandle {
    spool: Spool,
    status: Arc<status::Board>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl SinkHandle {
    /// How it is doing.
    pub fn status(&self) -> SinkStatus {
        self.status.read(&self.spool.status())
    }

    /// Stops shipping. A batch that is under way is given up and sent again by the next sink, with the same token.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            // A panic in the task was reported when it happened.
            let _ = task.await;
        }
    }
}

impl Drop for SinkHandle {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Starts shipping. Must be called within a tokio runtime, which the sink then lives on.
pub fn spawn(config: &SinkConfig, spool: Spool) -> SinkHandle {
    let status = Arc::new(status::Board::default());
    let (stop, stopped) = watch::channel(false);
    let task = task::Task::new(config, spool.clone(), Arc::clone(&status), stopped);
    SinkHandle { spool, status, stop, task: Some(tokio::spawn(task.run())) }
}
