//! The lists are whole.

use super::{Power, Since, power, relation, routine};

#[test]
fn lists_hold_what_they_should() {
    assert_eq!(relation("pg_class"), Some(Since::Always));
    assert_eq!(relation("pg_stat_io"), Some(Since::Newer));
    assert_eq!(relation("customers"), None);
    assert_eq!(super::RELATIONS.len(), 139 + 5);
    assert_eq!(routine("lower").map(|routine| routine.volatile), Some(false));
    assert_eq!(routine("pg_sleep").map(|routine| routine.volatile), Some(true));
    assert_eq!(routine("random").map(|routine| routine.volatile), Some(false));
    assert_eq!(routine("row_to_json").map(|routine| routine.takes_row), Some(true));
    assert_eq!(routine("lower").map(|routine| routine.takes_row), Some(false));
    assert!(super::ROUTINES.len() > 2_600);
}

#[test]
fn functions_that_do_more_are_known() {
    assert_eq!(power("dblink_exec"), Some(Power::RunsSql));
    assert_eq!(power("query_to_xml"), Some(Power::RunsSql));
    assert_eq!(power("pg_read_file"), Some(Power::ServerFile));
    assert_eq!(power("set_config"), Some(Power::SetConfig));
    assert_eq!(power("lower"), None);
}
