//! Talking to the server: requests with a time limit, and errors that a person can use.

use super::{SinkConfig, SinkError};
use clickhouse::{Client, Compression};
use std::error::Error;
use std::time::Duration;

/// Letters of an error that are kept.
const ERROR_CHARS: usize = 500;

/// A connection to the configured server.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) client: Client,
    timeout: Duration,
}

impl Server {
    pub(super) fn new(config: &SinkConfig) -> Self {
        let mut client = Client::default()
            .with_url(&config.url)
            .with_user(&config.user)
            .with_compression(Compression::None)
            .with_product_info("interlock", env!("CARGO_PKG_VERSION"));
        if !config.password.is_empty() {
            client = client.with_password(&config.password);
        }
        Self { client, timeout: config.timeout }
    }

    /// The same server, with this database for names that say none.
    pub(super) fn within_database(&self, database: &str) -> Self {
        Self { client: self.client.clone().with_database(database), timeout: self.timeout }
    }

    /// Runs a statement that gives nothing.
    pub(super) async fn run(&self, sql: &str) -> Result<(), SinkError> {
        self.within(self.client.query_raw(sql).execute()).await
    }

    /// The answer to a small question, as tab-separated text.
    pub(super) async fn text(&self, sql: &str) -> Result<String, SinkError> {
        let bytes = async { self.client.query_raw(sql).fetch_bytes("TabSeparated")?.collect().await };
        Ok(String::from_utf8_lossy(&self.within(bytes).await?).into_owned())
    }

    /// Waits for the server, but not for ever.
    pub(super) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, clickhouse::error::Error>>,
    ) -> Result<T, SinkError> {
        match tokio::time::timeout(self.timeout, work).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(SinkError::Timeout(self.timeout)),
        }
    }
}

/// An error with its causes, each said once, on one line.
pub(super) fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text.chars()
        .map(|letter| if audit::render::steers(letter) { ' ' } else { letter })
        .take(ERROR_CHARS)
        .collect()
}
