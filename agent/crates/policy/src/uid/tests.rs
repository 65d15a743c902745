//! Ids do not collide, and split into what made them.

use super::*;
use proptest::prelude::*;
use wire::ResourceKind;

#[test]
fn ids_are_paths_from_the_target() {
    let table = Resource::new(ResourceKind::Table, &["public", "orders"]);
    assert_eq!(of("shop-db", "shop", &table), "shop-db/shop/public/orders");
    assert_eq!(of("shop-db", "shop", &Resource::new(ResourceKind::Target, &[])), "shop-db");
    assert_eq!(of("shop-db", "shop", &Resource::new(ResourceKind::Database, &[])), "shop-db/shop");
    let name = Resource::new(ResourceKind::Name, &["setting", "a/b%2F"]);
    assert_eq!(of("shop-db", "shop", &name), "shop-db/setting/a%2Fb%252F");
}

#[test]
fn chains_end_at_the_target() {
    let column: Vec<_> = chain(Kind::Column, "t/d/s/tab/c").collect();
    assert_eq!(
        column,
        [
            (Kind::Column, "t/d/s/tab/c"),
            (Kind::Table, "t/d/s/tab"),
            (Kind::Schema, "t/d/s"),
            (Kind::Database, "t/d"),
            (Kind::Target, "t")
        ]
    );
    let name: Vec<_> = chain(Kind::Name, "t/a/b").collect();
    assert_eq!(name, [(Kind::Name, "t/a/b"), (Kind::Name, "t/a"), (Kind::Target, "t")]);
}

#[test]
fn malformed_ids_are_seen() {
    assert!(well_formed(Kind::Table, "t/d/s/x"));
    assert!(!well_formed(Kind::Table, "orders"));
    assert!(!well_formed(Kind::Table, "t/d/s/x/y"));
    assert!(!well_formed(Kind::Table, "t/d/s/50%"));
    assert!(!well_formed(Kind::Name, "t"));
    assert!(well_formed(Kind::Label, "any/thing%"));
}

proptest! {
    #[test]
    fn split_undoes_join(parts in prop::collection::vec("[a-c/%25F]{0,6}", 1..6)) {
        let id = join(parts.iter().map(String::as_str));
        prop_assert_eq!(split(&id), Some(parts));
    }
}
