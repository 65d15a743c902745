//! Runs the case files in `cases/`: each statement with what it must mean.
//!
//! A case is a comment, perhaps with `path: …`, the statement, `----`, and the expected reading; cases are separated by
//! `====`. `UPDATE_CASES=1` writes what the reader says into the files: read the difference before you keep it.

use super::{Reader, describe, scope};
use crate::Limits;
use std::path::PathBuf;

const PATH: &str = "pg_catalog, public";

struct Case {
    /// The comment and the statement, as they stand in the file.
    input: String,
    path: String,
    sql: String,
    expected: String,
}

fn parse(text: &str) -> Vec<Case> {
    let blocks = text.split("\n====\n").map(str::trim).filter(|block| !block.is_empty());
    blocks
        .map(|block| {
            let (input, expected) = block.split_once("\n----").unwrap_or((block, ""));
            let path =
                input.lines().find_map(|line| line.strip_prefix("# path:")).unwrap_or(PATH).trim().to_owned();
            let sql: Vec<&str> = input.lines().filter(|line| !line.starts_with("# ")).collect();
            Case { input: input.to_owned(), path, sql: sql.join("\n"), expected: expected.trim().to_owned() }
        })
        .collect()
}

fn files() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/postgres/sql/cases");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "case"));
    files.sort();
    files
}

/// The statements of all cases.
pub(super) fn statements() -> Vec<String> {
    let texts = files().into_iter().map(|file| std::fs::read_to_string(file).unwrap());
    texts.flat_map(|text| parse(&text)).map(|case| case.sql).collect()
}

#[test]
fn cases_hold() {
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let (mut count, mut failures) = (0, Vec::new());
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut written = Vec::new();
        for case in parse(&text) {
            count += 1;
            let path: Vec<&str> = case.path.split(", ").filter(|schema| !schema.is_empty()).collect();
            let reading = Reader::new(&Limits::default()).read(&scope(&path), case.sql.as_bytes());
            let actual = describe(&reading).trim().to_owned();
            if actual != case.expected {
                failures.push(format!(
                    "{}: {}\n--- expected\n{}\n--- actual\n{actual}\n",
                    file.file_name().unwrap().display(),
                    case.sql,
                    case.expected
                ));
            }
            written.push(format!("{}\n----\n{actual}\n", case.input));
        }
        if update {
            std::fs::write(&file, written.join("\n====\n")).unwrap();
        }
    }
    assert!(count >= 200, "only {count} cases");
    assert!(
        update || failures.is_empty(),
        "{} of {count} cases fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
