//! The shipped packs: their cases, the matrix of the demo, and whether the pack's lists are complete.

use super::*;
use crate::{AgentFacts, Place, Principal, TargetFacts};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../policies")
}

fn read(path: PathBuf) -> Source {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    Source {
        name,
        text: fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    }
}

fn pack(name: &str) -> Vec<Source> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(root().join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "cedar"));
    paths.sort();
    paths.into_iter().map(read).collect()
}

fn packs() -> Vec<String> {
    let entries = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut names: Vec<_> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "cases");
    names.sort();
    names
}

#[test]
fn every_pack_decides_as_its_cases_say_and_all_of_it_is_tested() {
    assert!(packs().len() >= 2, "{:?}", packs());
    for name in packs() {
        let cases = read(root().join(format!("cases/{name}.case")));
        let report = run(&cases, &pack(&name), &Catalog::default(), &postgres)
            .unwrap_or_else(|problems| panic!("{name}: {problems:#?}"));
        let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
        assert!(failures.is_empty(), "{name}:\n{}", failures.join("\n"));
        assert!(report.passed > 20, "{name}: {}", report.passed);
        assert!(report.undecisive.is_empty(), "{name}: no case is decided by {:?}", report.undecisive);
    }
}

fn catalog() -> Catalog {
    let agent = |name: &str, roles: &[&str]| AgentFacts {
        name: name.into(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    };
    let pii = |named: &str| (named.to_owned(), vec!["pii".to_owned()]);
    Catalog {
        agents: vec![
            agent("planner", &["agents", "planners"]),
            agent("executor", &["agents", "executors"]),
            agent("reporter", &["postgres-readonly"]),
            agent("other", &[]),
        ],
        targets: vec![TargetFacts {
            name: "shop-db".into(),
            protocol: "postgres".into(),
            labels: Vec::new(),
            tags: vec![pii("public.customers.email"), pii("public.customers.card_number")],
        }],
    }
}

fn shipped() -> PolicySet {
    let sources: Vec<Source> = packs().iter().flat_map(|name| pack(name)).collect();
    PolicySet::load(&sources, &catalog()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn the_packs_fit_together_and_give_no_warnings() {
    let set = shipped();
    assert!(set.warnings().is_empty(), "{:#?}", set.warnings());
}

/// The demo's resources, in the words of the wire.
fn resources() -> Vec<Resource> {
    let mut all = vec![Resource::new(ResourceKind::Target, &[]), Resource::new(ResourceKind::Database, &[])];
    all.push(Resource::new(ResourceKind::Schema, &["public"]));
    for table in ["customers", "orders", "payments", "products"] {
        all.push(Resource::new(ResourceKind::Table, &["public", table]));
    }
    for column in ["name", "email", "card_number", "*"] {
        all.push(Resource::new(ResourceKind::Column, &["public", "customers", column]));
    }
    all.push(Resource::new(ResourceKind::Column, &["public", "orders", "status"]));
    for table in ["pg_class", "pg_authid"] {
        all.push(Resource::new(ResourceKind::Table, &["pg_catalog", table]));
    }
    for routine in ["count", "now", "pg_read_file", "pg_sleep", "set_config"] {
        all.push(Resource::new(ResourceKind::Routine, &["pg_catalog", routine]));
    }
    all.push(Resource::new(ResourceKind::Routine, &["public", "my_function"]));
    for name in
        [["setting", "timezone"], ["setting", "role"], ["channel", "x"], ["server_file", "/etc/passwd"]]
    {
        all.push(Resource::new(ResourceKind::Name, &name));
    }
    all
}

fn matrix() -> String {
    let (set, catalog) = (shipped(), catalog());
    let at = Place::new("shop-db".into(), "shop".into());
    let mut out = String::from(
        "Who may do what in the demo's database, by all shipped packs. Made by a test of the crate `policy`; look at its\n\
         changes, and write it anew with INTERLOCK_REWRITE=1.\n\n\
         yes: permitted  filtered: only with a WHERE clause  no: a policy forbids it  -: no policy permits it\n\n",
    );
    let _ = write!(out, "{:44}", "");
    for agent in &catalog.agents {
        let _ = write!(out, " {:>9}", agent.name);
    }
    for action in crate::kind::ACTIONS {
        out.push('\n');
        for resource in resources() {
            let cells: Vec<&str> = catalog
                .agents
                .iter()
                .map(|agent| {
                    let who = Principal::new(
                        agent.name.as_str().into(),
                        "/u".into(),
                        "/e".into(),
                        String::new(),
                        0,
                    );
                    cell(&set, &who, &at, action, &resource)
                })
                .collect();
            if cells.iter().any(|cell| !cell.is_empty()) {
                let _ = write!(out, "\n{:44}", format!("{} {resource}", action.name()));
                for cell in cells {
                    let _ = write!(out, " {:>9}", if cell.is_empty() { "-" } else { cell });
                }
            }
        }
    }
    out.push('\n');
    out
}

fn cell(set: &PolicySet, who: &Principal, at: &Place, action: Action, resource: &Resource) -> &'static str {
    let ruling = |filtered| {
        let meaning = Arc::new(Meaning {
            accesses: Box::new([Access { action, resource: resource.clone() }]),
            certainty: Certainty::Exact,
            facts: Facts { filtered, limit: None, statements: 1 },
            ..Meaning::opaque("TEST", action, "")
        });
        set.rule(&Asked { who, at, meaning: &meaning, hour: 12 })
    };
    let (without, with) = (ruling(Some(false)), ruling(Some(true)));
    match (&without.effect, &with.effect) {
        (Effect::Forward, Effect::Forward) => "yes",
        (_, Effect::Forward) => "filtered",
        (_, Effect::Hold { .. }) => "hold",
        (Effect::Forward | Effect::Hold { .. }, Effect::Deny) => "unfiltered",
        (Effect::Deny, Effect::Deny) if with.policies.is_empty() => "",
        (Effect::Deny, Effect::Deny) => "no",
    }
}

#[test]
fn the_matrix_is_as_reviewed() {
    let (path, now) = (root().join("cases/matrix.out"), matrix());
    if std::env::var_os("INTERLOCK_REWRITE").is_some() {
        fs::write(&path, &now).unwrap();
    }
    let reviewed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        reviewed == now,
        "decisions changed; if that is right, write them anew with INTERLOCK_REWRITE=1:\n{now}"
    );
}

/// Volatile routines of pg_catalog that change nothing, reveal nothing and hold nothing up.
const HARMLESS: &[&str] = &[
    "clock_timestamp",
    "current_query",
    "currval",
    "gen_random_uuid",
    "lastval",
    "random",
    "random_normal",
    "setseed",
    "timeofday",
    "array_sample",
    "array_shuffle",
    "uuidv4",
    "uuidv7",
    // sizes and places
    "pg_database_size",
    "pg_indexes_size",
    "pg_relation_size",
    "pg_table_size",
    "pg_tablespace_size",
    "pg_total_relation_size",
    "pg_partition_ancestors",
    "pg_partition_tree",
    "pg_sequence_last_value",
    "pg_get_sequence_data",
    "pg_collation_actual_version",
    "pg_database_collation_actual_version",
    // where replication and transactions are
    "pg_current_wal_flush_lsn",
    "pg_current_wal_insert_lsn",
    "pg_current_wal_lsn",
    "pg_is_in_recovery",
    "pg_is_wal_replay_paused",
    "pg_get_wal_replay_pause_state",
    "pg_last_committed_xact",
    "pg_last_wal_receive_lsn",
    "pg_last_wal_replay_lsn",
    "pg_last_xact_replay_timestamp",
    "pg_show_replication_origin_status",
    "pg_xact_commit_timestamp",
    "pg_xact_commit_timestamp_origin",
    "pg_xact_status",
    "txid_status",
    "pg_get_multixact_members",
    // which branch of a MERGE made a row
    "merge_action",
    // what goes on, as far as pg_stat_activity and its like show it
    "pg_blocking_pids",
    "pg_isolation_test_session_is_blocked",
    "pg_safe_snapshot_blocking_pids",
    "pg_lock_status",
    "pg_prepared_xact",
    "pg_jit_available",
    "pg_notification_queue_usage",
    "pg_stat_clear_snapshot",
    "pg_stat_force_next_flush",
    "pg_stat_get_recovery_prefetch",
    "pg_stat_have_stats",
    "pg_available_wal_summaries",
    "pg_get_wal_summarizer_state",
    "pg_wal_summary_contents",
];

/// Volatile, but only the server itself can call them: their arguments or results are internal, or they are triggers.
fn internal(name: &str) -> bool {
    let triggers =
        ["suppress_redundant_updates_trigger", "tsvector_update_trigger", "tsvector_update_trigger_column"];
    name.starts_with("RI_FKey_")
        || name.ends_with("handler")
        || triggers.contains(&name)
        || ["amvalidate", "bernoulli", "system", "dsnowball_init", "dsnowball_lexize", "unique_key_recheck"]
            .contains(&name)
}

#[test]
fn every_volatile_routine_is_forbidden_or_known_to_be_harmless() {
    let set = shipped();
    let who = Principal::new("reporter".into(), "/u".into(), "/e".into(), String::new(), 0);
    let at = Place::new("shop-db".into(), "shop".into());
    let lists = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../wire/src/postgres/sql/catalog");
    let mut wrong = Vec::new();
    let mut volatile = 0;
    for list in ["routines.txt", "routines-newer.txt"] {
        let text = fs::read_to_string(lists.join(list)).unwrap();
        for name in text.lines().filter_map(|line| line.strip_suffix(" v")).filter(|name| !internal(name)) {
            volatile += 1;
            let resource = Resource::new(ResourceKind::Routine, &["pg_catalog", name]);
            let permitted = cell(&set, &who, &at, Action::Execute, &resource) == "yes";
            if permitted != (HARMLESS.contains(&name) || name.starts_with("pg_stat_get_xact_")) {
                wrong.push(format!("{name}: permitted {permitted}"));
            }
        }
    }
    assert!(volatile > 150, "{volatile}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
