//! The migrations add up to the columns.

use super::*;
use crate::COLUMNS;

/// Names and types of the columns that the migrations make, in order.
fn columns() -> Vec<(String, String)> {
    let mut columns = Vec::new();
    for statement in MIGRATIONS.iter().flat_map(Migration::statements) {
        for line in statement.lines().map(|line| line.trim().trim_end_matches(',')) {
            let line = line.strip_prefix("ADD COLUMN IF NOT EXISTS ").unwrap_or(line);
            let Some((name, rest)) = line.strip_prefix('`').and_then(|line| line.split_once("` ")) else {
                continue;
            };
            let kind = [" CODEC", " AFTER", " DEFAULT"]
                .iter()
                .fold(rest, |rest, end| rest.split(end).next().unwrap_or_default());
            columns.push((name.to_owned(), kind.to_owned()));
        }
    }
    columns
}

#[test]
fn the_table_has_the_columns_of_the_row() {
    let ours: Vec<_> = COLUMNS.iter().map(|c| (c.name.to_owned(), c.clickhouse().to_owned())).collect();
    assert_eq!(columns(), ours);
}

#[test]
fn versions_count_up_and_statements_may_run_twice() {
    assert!(MIGRATIONS.iter().zip(1..).all(|(migration, version)| migration.version == version));
    assert!(MIGRATIONS.iter().flat_map(Migration::statements).all(|sql| sql.contains("IF NOT EXISTS")));
}
