//! The columns against the struct.

use super::*;
use crate::row::tests::sample;
use std::collections::HashSet;

#[test]
fn names_are_unique() {
    assert_eq!(COLUMNS.iter().map(|column| column.name).collect::<HashSet<_>>().len(), COLUMNS.len());
}

/// Every field of the struct is a column: the pattern below stops compiling when a field is added, and must be
/// matched by the list of names.
#[test]
fn every_field_is_a_column() {
    macro_rules! fields {
        ($row:expr, $($shared:ident),+; $($field:ident),+; $($ended:ident),+) => {{
            let Row { subject, $($field: _,)+ outcome: crate::Outcome { $($ended: _),+ } } = $row;
            let crate::SubjectFields { $($shared: _),+ } = (*subject).clone();
            (vec![$(stringify!($shared)),+], vec![$(stringify!($field)),+], vec![$(stringify!($ended)),+])
        }};
    }
    let (subject, asked, ended) = fields!(sample(1), host, agent, cgroup, pid, uid, exe, task, session, target,
        destination, boundary, protocol, user, database, cgroup_id, thread, login_uid, exe_hash, exe_inode, argv,
        parents, unit, container, destination_name, degraded;
        id, time, sequence, action, verb, resources, statement, statement_bytes, fingerprint, binds, certainty, verdict,
        policies, reason, decision_ns;
        end, rows, bytes_in, bytes_out, target_us, error_code, error);
    let of = |part: Part| -> Vec<&str> {
        COLUMNS.iter().filter(|c| c.part == part && c.name != "destination_port").map(|c| c.name).collect()
    };
    assert_eq!(subject, of(Part::Subject));
    assert_eq!(asked, of(Part::Asked));
    assert_eq!(ended, of(Part::Ended));
}

#[test]
fn types_of_words_name_every_word() {
    fn kind<W: Word>() -> String {
        let words: Vec<_> =
            W::ALL.iter().map(|word| format!("'{}' = {}", word.word(), word.code())).collect();
        format!("Enum8({})", words.join(", "))
    }
    assert_eq!(column("action").unwrap().clickhouse(), kind::<Action>());
    assert_eq!(column("certainty").unwrap().clickhouse(), kind::<Certainty>());
    assert_eq!(column("boundary").unwrap().clickhouse(), kind::<Boundary>());
    assert_eq!(column("verdict").unwrap().clickhouse(), kind::<Verdict>());
    assert_eq!(column("end").unwrap().clickhouse(), kind::<End>());
}
