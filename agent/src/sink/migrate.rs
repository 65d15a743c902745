//! Bringing the server's tables to this version. Safe to run twice and from many hosts at once: see [`audit::schema`].

use super::client::Server;
use super::{SinkConfig, SinkError};
use audit::COLUMNS;
use audit::schema::{MIGRATIONS, MIGRATIONS_TABLE, Migration, TABLE, identifier};
use std::collections::{HashMap, HashSet};

/// Makes the database and its tables, or brings them up to date.
pub(super) async fn migrate(server: &Server, config: &SinkConfig) -> Result<(), SinkError> {
    server.run(&format!("CREATE DATABASE IF NOT EXISTS {}", identifier(&config.database))).await?;
    let inside = server.within_database(&config.database);
    inside.run(MIGRATIONS_TABLE).await?;
    let done = inside.text("SELECT DISTINCT version FROM schema_migrations").await?;
    let done: HashSet<u32> = done.lines().filter_map(|line| line.parse().ok()).collect();
    for migration in MIGRATIONS.iter().filter(|migration| !done.contains(&migration.version)) {
        apply(&inside, config, migration).await?;
    }
    check(&inside).await
}

async fn apply(server: &Server, config: &SinkConfig, migration: &Migration) -> Result<(), SinkError> {
    for statement in migration.statements() {
        server.run(&statement).await?;
    }
    let record = server
        .client
        .query_raw("INSERT INTO schema_migrations (version, name, host) SELECT {version:UInt32}, {name:String}, {host:String}")
        .param("version", migration.version)
        .param("name", migration.name)
        .param("host", &config.host);
    server.within(record.execute()).await?;
    tracing::info!(
        version = migration.version,
        name = migration.name,
        "the sink's tables are brought up to date"
    );
    Ok(())
}

/// Has the table our columns? Others in it, from a newer version, do not matter.
async fn check(server: &Server) -> Result<(), SinkError> {
    let table = server.text(&format!("DESCRIBE TABLE {TABLE}")).await?;
    let cells = |line: &str| {
        let mut cells = line.split('\t');
        Some((cells.next()?.to_owned(), cells.next()?.replace("\\'", "'")))
    };
    let columns: HashMap<String, String> = table.lines().filter_map(cells).collect();
    for column in COLUMNS {
        let why = match columns.get(column.name) {
            None => format!("it has no column `{}`", column.name),
            Some(kind) if !fits(kind, column.clickhouse()) => {
                format!("its column `{}` is {kind}, not {}", column.name, column.clickhouse())
            }
            Some(_) => continue,
        };
        return Err(SinkError::Table { table: TABLE.to_owned(), why });
    }
    Ok(())
}

/// Is it our type, or ours with more words added by a newer version?
fn fits(kind: &str, ours: &str) -> bool {
    let words = ours.strip_prefix("Enum8(").and_then(|ours| ours.strip_suffix(')'));
    kind == ours || words.is_some_and(|words| kind.starts_with("Enum8(") && kind.contains(words))
}
