//! Refused statements: what the client sees, what the target sees, what the row says.

use crate::support::{Rig, wait_until};

const READ_ONLY: &str = r#"
@id("read-all")
permit (principal in Role::"planners", action in [Action::"connect", Action::"read"], resource)
when { context.certainty == "exact" };
@id("harmless-routines")
permit (principal, action == Action::"execute", resource in Target::"shop-db")
when { context.certainty == "exact" };
@id("settings")
permit (principal in Role::"planners", action == Action::"write", resource is Name)
when { context.certainty == "exact" };
"#;

fn rig() -> Rig {
    Rig::start(&[("read.cedar", READ_ONLY)])
}

#[test]
fn a_refused_statement_is_an_ordinary_error_and_the_session_goes_on() {
    let rig = rig();
    let ran = rig.psql("planner", "delete from orders;\nselect 'still here';\n");
    assert_eq!(ran.stdout, "still here\n");
    assert!(ran.stderr.contains("42501") && ran.stderr.contains("orders"), "{}", ran.stderr);
    let row = rig.row_when(&["--agent", "planner", "--verdict", "deny"]);
    assert_eq!((row.text("verb"), row.text("action")), ("DELETE", "delete"));
    assert!(row.text("reason").contains("orders"));
    assert_eq!(row.text("statement"), "delete from orders;");
    assert!(rig.server_saw("still here"));
    assert!(!rig.server_saw("delete from"), "{}", rig.server_log());
}

#[test]
fn inside_a_transaction_the_refusal_aborts_it_as_postgresql_would() {
    let rig = rig();
    let ran = rig.psql("planner", "begin;\nselect 1;\ndelete from orders;\nselect 2;\ncommit;\nselect 3;\n");
    assert_eq!(ran.stdout, "1\n3\n");
    assert!(ran.stderr.contains("42501"), "{}", ran.stderr);
    assert!(ran.stderr.contains("25P02"), "the transaction is aborted: {}", ran.stderr);
}

#[test]
fn nothing_of_a_string_of_statements_runs_if_one_is_refused() {
    let rig = rig();
    let ran = rig.psql("planner", "select 'first' \\; delete from orders \\; select 'last';\n");
    assert_eq!(ran.stdout, "");
    assert!(!rig.server_saw("'first'"));
    let row = rig.row_when(&["--agent", "planner", "--verdict", "deny"]);
    assert!(row.text("verb").contains("DELETE"), "{}", row.text("verb"));
}

#[test]
fn what_cannot_be_read_is_refused_with_a_row() {
    let rig = rig();
    let ran = rig.psql("planner", "selec 1;\nselect 'fine';\n");
    assert_eq!(ran.stdout, "fine\n");
    assert!(ran.stderr.contains("42501"), "{}", ran.stderr);
    let row = rig.row_when(&["--agent", "planner", "--verdict", "deny"]);
    assert_eq!(row.text("certainty"), "opaque");
    assert!(!rig.server_saw("selec 1"));
}

#[test]
fn refusals_in_every_form_never_reach_the_target() {
    let rig = rig();
    let forms = [
        "delete from customers",
        "with gone as (delete from customers returning *) select * from gone",
        "explain analyze delete from customers",
        "prepare p as delete from customers",
        "create table customers_copy as select * from customers",
        "select * into customers_two from customers",
        "copy customers to program 'cat'",
        "truncate customers",
        "drop table customers",
        "do $$ begin delete from customers; end $$",
        "lock table customers",
        "update customers set name = 'x' where id = 1",
        "insert into customers (name) values ('x')",
        "merge into customers using (select 1 as i) s on id = i when matched then delete",
        // Last: after a failed one, psql takes the rest of its input for data.
        "copy customers from stdin",
    ];
    let script: String = forms.iter().map(|form| format!("{form};\n")).collect();
    let ran = rig.psql("planner", &script);
    assert_eq!(ran.stderr.matches("42501").count(), forms.len(), "{}", ran.stderr);
    assert!(!rig.server_saw("customers"), "{}", rig.server_log());
    assert_eq!(rig.rows(&["--verdict", "deny"]).len(), forms.len());
}

#[test]
fn a_refused_login_never_reaches_the_target() {
    let rig = rig();
    let ran = rig.psql("executor", "select 1;");
    assert!(ran.fails().contains("refused by Interlock"));
    let row = rig.row_when(&["--agent", "executor"]);
    assert_eq!((row.text("verb"), row.text("verdict")), ("LOGIN", "deny"));
    assert!(!rig.server_log().contains("connection authorized"), "{}", rig.server_log());
}

#[test]
fn policies_change_under_an_open_session() {
    let mut rig = rig();
    let ran = rig.psql("planner", "select count(*) from orders;");
    assert!(ran.status.success() && ran.stderr.is_empty(), "{}", ran.stderr);
    rig.daemon
        .write_policy(
            "read.cedar",
            "@id(\"only-connect\")\npermit (principal, action == Action::\"connect\", resource);\n",
        )
        .unwrap();
    wait_until("the new policies", || {
        rig.psql("planner", "select count(*) from orders;").stderr.contains("42501")
    });
    rig.daemon.write_policy("read.cedar", "this is no policy").unwrap();
    wait_until("the refusal of the broken file", || rig.daemon.log().contains("stays in force"));
    assert!(
        rig.psql("planner", "select count(*) from orders;").stderr.contains("42501"),
        "the ones before hold"
    );
}
