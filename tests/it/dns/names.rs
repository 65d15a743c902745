//! What is remembered of lookups: which target a connection is for.

use super::scene::Scene;
use crate::support::{Ran, clients, postgres};
use xtask::rack::daemon::Target;

fn psql(scene: &Scene, host: &str, script: &str) -> Ran {
    let mut command = scene.where_resolv_conf_names_it(&clients::program("psql").display().to_string());
    clients::place(&mut command, host, postgres().port(), "postgres");
    Ran::run_with(clients::psql(&mut command), script)
}

#[test]
fn a_connection_by_name_has_its_name_and_needs_no_policy_for_it() {
    // No policy permits any name: but the agent may connect to the target.
    let policy = "@id(\"shop\")\npermit (principal, action, resource in Target::\"shop-db\");\n";
    let scene = Scene::with(policy, "", Scene::shop);
    assert_eq!(psql(&scene, "db.shop.test", "select 'by name';").ok(), "by name\n");
    let row = scene.rows(1, &["--text", "'by name'"]).remove(0);
    assert_eq!((row.text("target"), row.text("destination_name")), ("shop-db", "db.shop.test"));
    let lookup = scene.row("A db.shop.test");
    assert_eq!((lookup.text("verdict"), lookup.0["policies"][0].as_str()), ("forward", Some("shop")));
    let other = psql(&scene, "www.shop.test", "select 1;").fails();
    assert!(other.contains("could not translate host name"), "{other}");
    assert_eq!(scene.row("A www.shop.test").text("verdict"), "deny");
}

#[test]
fn a_name_that_moves_takes_its_target_along() {
    let port = postgres().port();
    let target = format!(
        "[[target]]\nname = \"shop-db\"\nprotocol = \"postgres\"\naddresses = [\"db.shop.test:{port}\"]\n\
         upstream = \"127.0.0.1:{port}\"\n"
    );
    let mut scene = Scene::with(super::scene::NAMES, &target, |setup| setup);
    // To where the configuration has never seen it.
    scene.server.restart(&["host-record=db.shop.test,127.0.8.8"]).unwrap();
    let told = psql(&scene, "127.0.8.8", "select 'by address';").fails();
    assert!(!told.is_empty());
    let refused = scene.rows(1, &["--verdict", "deny"]).remove(0);
    assert!(refused.text("reason").contains("no target of the configuration is at 127.0.8.8"), "{refused:?}");
    assert_eq!(psql(&scene, "db.shop.test", "select 'moved';").ok(), "moved\n");
    let row = scene.rows(1, &["--text", "'moved'"]).remove(0);
    assert_eq!(
        (row.text("target"), row.text("destination"), row.text("destination_name")),
        ("shop-db", "::ffff:127.0.8.8", "db.shop.test")
    );
    // A target's own name counts for all: which target it is does not depend on who has looked it up.
    let mut command = scene.daemon.exec("executor", clients::program("psql"));
    clients::place(&mut command, "127.0.8.8", port, "postgres");
    assert_eq!(Ran::run_with(clients::psql(&mut command), "select 'known';").ok(), "known\n");
    // Any other name is the agent's own affair.
    assert!(scene.dig(&["+short", "www.shop.test"]).ok().is_empty(), "it is gone with the restart");
}

#[test]
fn of_two_targets_with_one_address_the_stricter_rules_hold() {
    let policy = "@id(\"names\")\npermit (principal, action == Action::\"read\", resource in Name::\"dns/host/test\");\n\
        @id(\"one\")\npermit (principal, action, resource in Target::\"one\");\n\
        @id(\"two-connects\")\npermit (principal, action == Action::\"connect\", resource in Target::\"two\");\n";
    let scene = Scene::with(policy, "", |mut setup| {
        for (name, host) in [("one", "db.shop.test"), ("two", "alias.shop.test")] {
            let address = format!("{host}:{}", postgres().port());
            setup.targets.push(Target { name: name.into(), addresses: vec![address], ..Target::default() });
        }
        setup
    });
    let told = psql(&scene, "db.shop.test", "select 1;\nselect * from pg_class;");
    assert!(told.stdout.starts_with("1\n"), "what both permit: {told:?}");
    let told = told.stderr;
    assert!(told.contains("refused by Interlock: no policy permits"), "{told}");
    let row = scene.rows(1, &["--text", "from pg_class"]).remove(0);
    assert_eq!((row.text("verdict"), row.text("target")), ("deny", "one"));
    assert!(row.text("reason").contains("two/"), "{}", row.text("reason"));
}
