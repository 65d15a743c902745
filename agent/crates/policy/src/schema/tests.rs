//! The schema and the wire vocabulary agree.

use super::*;

#[test]
fn the_schema_is_valid_and_names_what_the_wire_can_say() {
    let model = Model::new().unwrap();
    for action in ACTIONS {
        assert_ne!(model.applies(action), 0, "{} applies to nothing", action.name());
        assert!(model.action(action).is_some());
    }
    assert_eq!(model.applies(Action::Unknown), 0);
    assert!(model.action(Action::Unknown).is_none());
    let read = Kind::Table.bit() | Kind::Column.bit() | Kind::Name.bit();
    assert_eq!(model.applies(Action::Read), read);
    assert_eq!(model.applies(Action::Connect), Kind::Target.bit() | Kind::Database.bit());
}

#[test]
fn every_kind_is_a_type_of_the_schema() {
    let model = Model::new().unwrap();
    let types: Vec<String> = model.schema.entity_types().map(|name| name.basename().to_owned()).collect();
    for kind in Kind::ALL {
        assert!(types.iter().any(|name| name == kind.type_name()), "{kind:?}");
    }
}
