//! Cancel requests reach the session they name, and only the agent's own.

use super::wire::{Raw, message, startup};
use crate::support::{ALLOW_ALL, Rig, wait_until};

#[test]
fn a_client_interrupts_its_own_statement() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    let script = r#"
import threading, time
connection = psycopg2.connect("")
cursor = connection.cursor()
other = psycopg2.connect("")
def interrupt():
    watching = other.cursor()
    while True:
        watching.execute("select 1 from pg_stat_activity where query like 'select pg_sleep(60%' and pid <> pg_backend_pid()")
        if watching.fetchone(): break
        other.rollback()
    connection.cancel()
threading.Thread(target=interrupt).start()
try:
    cursor.execute("select pg_sleep(60)")
except psycopg2.Error as error:
    print(error.pgcode)
"#;
    assert_eq!(rig.python("planner", script).ok(), "57014\n");
    let row = rig.row_when(&["--text", "select pg_sleep(60)", "--agent", "planner", "--action", "execute"]);
    assert_eq!(row.text("error_code"), "57014");
    let cancel =
        rig.rows(&["--agent", "planner"]).into_iter().find(|row| row.text("verb") == "CANCEL").unwrap();
    assert_eq!((cancel.text("verdict"), cancel.text("end")), ("forward", "done"));
}

#[test]
fn another_agents_session_is_not_interrupted() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    let mut victim = Raw::open(rig.daemon.listener("planner", "shop-db").unwrap());
    victim.send(&startup(&rig.database));
    let greeting = victim.until_ready();
    let at = greeting.windows(5).position(|window| window == [b'K', 0, 0, 0, 12]).unwrap();
    let key = greeting[at + 5..at + 13].to_vec();
    let request = [&16_i32.to_be_bytes()[..], &80_877_102_i32.to_be_bytes(), &key].concat();
    victim.send(&message(b'Q', b"select pg_sleep(2), 'undisturbed'\0"));
    // Only a statement that runs can be interrupted.
    wait_until("the statement to run", || rig.server_saw("'undisturbed'"));
    let mut other = Raw::open(rig.daemon.listener("executor", "shop-db").unwrap());
    other.send(&request);
    assert!(other.until_closed().is_empty());
    assert!(super::wire::shows(&victim.until_ready(), "undisturbed"));
    wait_until("the refusal's row", || {
        rig.rows(&["--agent", "executor", "--verdict", "deny"]).iter().any(|row| row.text("verb") == "CANCEL")
    });
}
