//! The task that ships.

use super::client::Server;
use super::migrate::migrate;
use super::retry::Backoff;
use super::status::{Board, SinkState};
use super::{SinkConfig, SinkError};
use audit::schema::{TABLE, identifier};
use audit::{Batch, COLUMNS, Spool, SpoolError};
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// A batch as it is sent, perhaps more than once.
struct Parcel {
    batch: Batch,
    frames: Vec<Bytes>,
}

pub(super) struct Task {
    config: SinkConfig,
    server: Server,
    spool: Spool,
    status: Arc<Board>,
    stopped: watch::Receiver<bool>,
    backoff: Backoff,
    /// Those of [`SETTINGS`] that the server knows.
    settings: Vec<(&'static str, &'static str)>,
    /// Taken from the spool and not known to have arrived.
    parcel: Option<Parcel>,
}

/// Settings of an insert. Servers refuse settings that they do not know, and these came and went over the years.
const SETTINGS: [(&str, &str); 5] = [
    // The server drops a batch that it has seen, whatever the user's profile says: the first from ClickHouse 26 on.
    ("deduplicate_insert", "enable"),
    ("insert_deduplicate", "1"),
    // It must have stored the rows when it says yes, and cut them into blocks as it did the last time.
    ("async_insert", "0"),
    ("max_insert_threads", "1"),
    // Skip indexes are built when parts are merged: at once they take 1.4 of 2 µs a row.
    ("materialize_skip_indexes_on_insert", "0"),
];

impl Task {
    pub(super) fn new(
        config: &SinkConfig,
        spool: Spool,
        status: Arc<Board>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let server = Server::new(config);
        Self {
            config: config.clone(),
            server,
            spool,
            status,
            stopped,
            backoff: Backoff::default(),
            settings: Vec::new(),
            parcel: None,
        }
    }

    /// Ships until it is stopped.
    pub(super) async fn run(mut self) {
        let mut stopped = self.stopped.clone();
        tokio::select! {
            // The only error is that nobody can stop it any more.
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = self.ship() => {}
        }
        self.status.change(|status| status.state = SinkState::Stopped);
    }

    async fn ship(&mut self) {
        loop {
            let Err(error) = self.until_it_fails().await;
            let wait = self.backoff.next();
            tracing::warn!(%error, retry_ms = wait.as_millis() as u64, "rows can't be shipped; they stay in the spool");
            self.status.change(|status| {
                status.state = SinkState::WaitingToRetry;
                status.last_error = Some(error.to_string());
                status.next_retry = SystemTime::now().checked_add(wait);
            });
            tokio::time::sleep(wait).await;
            self.status.change(|status| {
                status.state = SinkState::Connecting;
                status.next_retry = None;
            });
        }
    }

    async fn until_it_fails(&mut self) -> Result<std::convert::Infallible, SinkError> {
        migrate(&self.server, &self.config).await?;
        self.settings = self.known_settings().await?;
        self.works();
        loop {
            let rows = self.one().await?;
            self.works();
            // A large batch means that more is waiting.
            if rows < self.config.batch_rows / 2 {
                tokio::time::sleep(self.config.batch_wait.max(Duration::from_millis(1))).await;
            }
        }
    }

    async fn known_settings(&self) -> Result<Vec<(&'static str, &'static str)>, SinkError> {
        let names = SETTINGS.map(|(name, _)| format!("'{name}'")).join(", ");
        let known =
            self.server.text(&format!("SELECT name FROM system.settings WHERE name IN ({names})")).await?;
        let is_known = |(name, _): &(&str, &str)| known.lines().any(|line| line == *name);
        Ok(SETTINGS.into_iter().filter(is_known).collect())
    }

    fn works(&mut self) {
        self.backoff.reset();
        self.status.change(|status| {
            status.state = SinkState::Connected;
            status.last_error = None;
        });
    }

    /// Ships one batch, if there is one; gives its rows.
    async fn one(&mut self) -> Result<usize, SinkError> {
        if self.parcel.is_none() {
            let rows_max = self.config.batch_rows;
            let batch = self.with_spool(move |spool| spool.next_batch(rows_max)).await?;
            self.parcel = batch.map(|mut batch| {
                let frames = std::mem::take(&mut batch.frames).into_iter().map(Bytes::from).collect();
                Parcel { batch, frames }
            });
        }
        let Some(parcel) = &self.parcel else { return Ok(0) };
        self.send(parcel).await?;
        let batch = parcel.batch.clone();
        let rows = batch.rows;
        self.with_spool(move |spool| spool.shipped(&batch)).await?;
        self.parcel = None;
        self.status.change(|status| status.shipped_rows += rows);
        Ok(usize::try_from(rows).unwrap_or(usize::MAX))
    }

    async fn send(&self, parcel: &Parcel) -> Result<(), SinkError> {
        let columns: Vec<_> = COLUMNS.iter().map(|column| identifier(column.name)).collect();
        let (database, columns) = (identifier(&self.config.database), columns.join(", "));
        let mut insert = self
            .server
            .client
            .insert_formatted_with(format!("INSERT INTO {database}.{TABLE} ({columns}) FORMAT Native"))
            // The frames are compressed already.
            .with_setting("decompress", "1")
            .with_setting("insert_deduplication_token", &parcel.batch.token)
            .with_setting("wait_end_of_query", "1");
        for (name, value) in &self.settings {
            insert = insert.with_setting(*name, *value);
        }
        self.server
            .within(async {
                for frame in &parcel.frames {
                    insert.send(frame.clone()).await?;
                }
                insert.end().await
            })
            .await
    }

    /// Works with the spool on a thread that may wait.
    async fn with_spool<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Spool) -> Result<T, SpoolError> + Send + 'static,
    ) -> Result<T, SinkError> {
        let spool = self.spool.clone();
        let result = tokio::task::spawn_blocking(move || work(&spool)).await;
        Ok(result.map_err(|_| SinkError::Stopped)??)
    }
}
