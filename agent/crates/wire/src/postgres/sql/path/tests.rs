//! Where names may be.

use super::Path;
use crate::postgres::sql::Scope;

fn path(schemas: &[&str]) -> Path {
    let search_path = schemas.iter().map(|schema| Box::from(*schema)).collect();
    Path::new(&Scope { search_path, user: "agent".into() })
}

fn names(found: Vec<Box<str>>) -> Vec<String> {
    found.into_iter().map(String::from).collect()
}

#[test]
fn the_catalog_comes_first_unless_it_is_named_elsewhere() {
    assert_eq!(names(path(&["public"]).of_relation("pg_class")), ["pg_catalog"]);
    assert_eq!(names(path(&["public", "pg_catalog"]).of_relation("pg_class")), ["public", "pg_catalog"]);
    assert_eq!(names(path(&["pg_catalog", "a", "b"]).of_relation("t")), ["a", "b"]);
}

#[test]
fn temporary_relations_come_first_but_no_routines() {
    let path = path(&["pg_temp_12", "pg_catalog", "public"]);
    assert_eq!(names(path.of_relation("t")), ["pg_temp", "public"]);
    assert_eq!(names(path.of_relation("pg_class")), ["pg_temp", "pg_catalog"]);
    assert_eq!(names(path.of_routine("f")), ["public"]);
    assert_eq!(names(path.of_routine("lower")), ["pg_catalog"]);
    assert_eq!(path.for_new().as_deref(), Some("public"));
}

#[test]
fn what_newer_servers_brought_may_be_somebody_elses() {
    assert_eq!(names(path(&["public"]).of_routine("any_value")), ["pg_catalog", "public"]);
    assert_eq!(names(path(&["public"]).of_relation("pg_stat_io")), ["pg_catalog", "public"]);
    assert_eq!(names(path(&["public"]).of_relation("pg_not_yet_made")), ["pg_catalog", "public"]);
}

#[test]
fn a_path_can_be_set_and_forgotten() {
    let mut path = path(&["pg_temp_1", "public"]);
    path.set(&["$user", "", "app"]);
    assert_eq!(names(path.of_relation("t")), ["pg_temp", "agent", "app"]);
    path.forget();
    assert!(!path.is_known());
    assert!(path.of_relation("t").is_empty());
    path.add_temp();
    assert!(!path.is_known());
    path.set(&["$user", "app"]);
    assert!(!path.is_known(), "what was not known of the path was not known of its user either");
    path.set(&["app"]);
    assert_eq!(names(path.of_relation("t")), ["pg_temp", "app"], "there may be temporary objects");
}
