//! The tables in ClickHouse and how they come to be: numbered migrations, forward only.
//!
//! Every statement of a migration may run twice and from several hosts at once (`IF NOT EXISTS`); which ones have run
//! is kept beside the data, in `schema_migrations`. A published migration never changes: a test holds the tables that
//! they add up to against [`crate::COLUMNS`].

#[cfg(test)]
mod tests;

/// Name of the table of audit rows, in the configured database.
pub const TABLE: &str = "operations";

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number, from 1, without gaps.
    pub version: u32,
    /// What it does, in a few words.
    pub name: &'static str,
    /// Its statements, separated by `;` at the end of a line.
    pub sql: &'static str,
}

impl Migration {
    /// Its statements one by one, without comments. They name tables without a database.
    pub fn statements(&self) -> impl Iterator<Item = String> {
        self.sql.split(";\n").map(without_comments).filter(|statement| !statement.is_empty())
    }
}

/// Every migration in order.
pub static MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "operations", sql: include_str!("schema/0001_operations.sql") },
    Migration { version: 2, name: "identity", sql: include_str!("schema/0002_identity.sql") },
    Migration { version: 3, name: "names", sql: include_str!("schema/0003_names.sql") },
];

/// Makes the table that says which migrations have run. Applying one twice at once leaves two equal rows, which merge.
pub const MIGRATIONS_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations
(
    version UInt32,
    name String,
    host String,
    applied DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree
ORDER BY version";

/// `name` as an identifier in ClickHouse's SQL.
pub fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

fn without_comments(sql: &str) -> String {
    let lines = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
    lines.collect::<Vec<_>>().join("\n").trim().trim_end_matches(';').to_owned()
}
