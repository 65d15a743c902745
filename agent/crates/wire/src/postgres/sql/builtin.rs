//! What PostgreSQL brings along in `pg_catalog`, and which of its functions do more than compute.
//!
//! The lists in `catalog/` are dumps of a PostgreSQL 15 server; its `README.md` has the queries.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Which servers have it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Since {
    /// All that we support: PostgreSQL 15 and later.
    Always,
    /// Some version after 15: an older server may have an object of the same name elsewhere.
    Newer,
}

/// What is known of a function in `pg_catalog`; of several with one name, the most of each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Routine {
    pub(super) since: Since,
    /// It may change something, or differ each time.
    pub(super) volatile: bool,
    /// It can take a whole row as its only argument, so `t.name` may call it.
    pub(super) takes_row: bool,
}

/// Volatile by PostgreSQL's book, but changing nothing that outlives the call.
const HARMLESS: [&str; 8] = [
    "clock_timestamp",
    "gen_random_uuid",
    "pg_is_in_recovery",
    "random",
    "timeofday",
    "txid_status",
    "uuidv4",
    "uuidv7",
];

static RELATIONS: LazyLock<HashMap<&str, Since>> = LazyLock::new(|| {
    let newer = include_str!("catalog/relations-newer.txt").lines().map(|name| (name, Since::Newer));
    let always = include_str!("catalog/relations.txt").lines().map(|name| (name, Since::Always));
    newer.chain(always).collect()
});

static ROUTINES: LazyLock<HashMap<&str, Routine>> = LazyLock::new(|| {
    let newer = include_str!("catalog/routines-newer.txt").lines().map(|line| (line, Since::Newer));
    let always = include_str!("catalog/routines.txt").lines().map(|line| (line, Since::Always));
    newer.chain(always).filter_map(routine_line).collect()
});

/// `name flags`: `v` volatile, `s` stable, `i` immutable, then perhaps `r` for one that takes a row.
fn routine_line((line, since): (&'static str, Since)) -> Option<(&'static str, Routine)> {
    let (name, flags) = line.split_once(' ')?;
    let volatile = flags.starts_with('v') && !HARMLESS.contains(&name);
    Some((name, Routine { since, volatile, takes_row: flags.ends_with('r') }))
}

/// Is there a system table or view of that name?
pub(super) fn relation(name: &str) -> Option<Since> {
    RELATIONS.get(name).copied()
}

/// What is known of the system function of that name.
pub(super) fn routine(name: &str) -> Option<Routine> {
    ROUTINES.get(name).copied()
}

/// What a function does besides computing, by its name in any schema: extensions are installed anywhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Power {
    /// Runs SQL, or reads relations, that its arguments name in text.
    RunsSql,
    /// Reads or writes a file of the server, named by its first argument.
    ServerFile,
    /// Changes a setting.
    SetConfig,
    /// Notifies a channel.
    Notify,
    /// Reads or changes the sequence that its first argument names.
    Sequence,
}

/// The power that a function of that name has.
pub(super) fn power(name: &str) -> Option<Power> {
    const RUNS: [&str; 34] = [
        "connectby",
        "crosstab",
        "crosstab2",
        "crosstab3",
        "crosstab4",
        "crosstabn",
        "currtid2",
        "cursor_to_xml",
        "cursor_to_xmlschema",
        "database_to_xml",
        "database_to_xml_and_xmlschema",
        "database_to_xmlschema",
        "get_raw_page",
        "pg_background_launch",
        "pg_logical_slot_get_binary_changes",
        "pg_logical_slot_get_changes",
        "pg_logical_slot_peek_binary_changes",
        "pg_logical_slot_peek_changes",
        "plpgsql_check_function",
        "plpgsql_check_function_tb",
        "query_to_xml",
        "query_to_xml_and_xmlschema",
        "query_to_xmlschema",
        "schedule",
        "schedule_in_database",
        "schema_to_xml",
        "schema_to_xml_and_xmlschema",
        "schema_to_xmlschema",
        "table_to_xml",
        "table_to_xml_and_xmlschema",
        "table_to_xmlschema",
        "ts_rewrite",
        "ts_stat",
        "xpath_table",
    ];
    const FILES: [&str; 14] = [
        "lo_export",
        "lo_import",
        "pg_file_length",
        "pg_file_read",
        "pg_file_rename",
        "pg_file_sync",
        "pg_file_unlink",
        "pg_file_write",
        "pg_ls_dir",
        "pg_read_binary_file",
        "pg_read_file",
        "pg_read_file_old",
        "pg_stat_file",
        "pg_logdir_ls",
    ];
    match name {
        "set_config" => Some(Power::SetConfig),
        "pg_notify" => Some(Power::Notify),
        "nextval" | "currval" | "setval" | "pg_sequence_last_value" => Some(Power::Sequence),
        _ if name.starts_with("dblink") || RUNS.contains(&name) => Some(Power::RunsSql),
        _ if FILES.contains(&name) => Some(Power::ServerFile),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
