//! The support itself, without a daemon: every client reaches PostgreSQL and sees the shop.

use super::rig::SHOP;
use super::{Ran, clients, postgres};
use std::process::Command;

fn database() -> String {
    postgres().database("support", SHOP).unwrap()
}

fn direct(program: &str, database: &str) -> Command {
    let mut command = Command::new(clients::program(program));
    clients::place(&mut command, "127.0.0.1", postgres().port(), database);
    command
}

#[test]
fn every_client_reaches_postgresql() {
    let name = database();
    let psql = Ran::run_with(
        clients::psql(&mut direct("psql", &name)),
        "select name from customers where id = 2;\n",
    );
    assert_eq!(psql.ok(), "Björn Lindqvist\n");

    let script =
        "c = psycopg2.connect('').cursor()\nc.execute('select count(*) from orders')\nprint(c.fetchone()[0])";
    let python =
        Ran::run_with(clients::python(&mut direct(clients::PYTHON, &name)), &clients::python_script(script));
    assert_eq!(python.ok(), "6\n");

    let script = "console.log((await client.query('select sum(stock) as s from products')).rows[0].s)";
    let node = Ran::run_with(clients::node(&mut direct("node", &name)), &clients::node_script(script));
    assert_eq!(node.ok(), "967\n");
}

#[test]
fn the_servers_log_tells_parses_from_silence() {
    let name = database();
    Ran::run_with(clients::psql(&mut direct("psql", &name)), "select 4711;\n").ok();
    let log = postgres().log();
    assert!(log.contains("select 4711"));
    assert!(!log.contains("select 4712"));
}

#[test]
fn a_failing_client_is_told_from_a_successful_one() {
    let mut psql = direct("psql", "no_such_database");
    let said = Ran::run(clients::psql(&mut psql)).fails();
    assert!(said.contains("does not exist"), "{said}");
}
