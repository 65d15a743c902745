//! Clients in governed cgroups, whose destination is PostgreSQL's own address: nothing of theirs names us.

use crate::support::{ALLOW_ALL, Ran, Rig, clients, postgres, wait_until};
use std::net::TcpListener;

#[test]
fn the_row_says_who_connected_where() {
    let rig = Rig::transparent(&[("all.cedar", ALLOW_ALL)]);
    assert_eq!(rig.psql("planner", "select 42;").ok(), "42\n");
    let row = rig.row_when(&["--agent", "planner", "--text", "select 42"]);
    assert_eq!(row.text("boundary"), "transparent");
    assert_eq!(row.text("destination"), "::ffff:127.0.0.1");
    assert_eq!(row.number("destination_port"), u64::from(postgres().port()));
    assert!(row.text("exe").ends_with("psql"), "{}", row.text("exe"));
    assert!(row.text("cgroup").contains("planner"), "{}", row.text("cgroup"));
    assert!(row.number("pid") > 1);
    assert_eq!((row.text("target"), row.text("database")), ("shop-db", rig.database.as_str()));
}

#[test]
fn an_unknown_destination_is_refused_with_a_row() {
    let rig = Rig::transparent(&[("all.cedar", ALLOW_ALL)]);
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let port = canary.local_addr().unwrap().port();
    let script = format!(
        "import socket\ns = socket.create_connection(('127.0.0.1', {port}))\n\
         try:\n  s.sendall(b'x')\n  print(len(s.recv(1)))\nexcept ConnectionError: print('reset')\n"
    );
    // The attack works where nobody is governed.
    let free =
        Ran::run_with(clients::python(&mut rig.direct(clients::PYTHON)), &script.replace("s.recv(1)", "''"))
            .ok();
    assert_eq!(free, "0\n");
    canary.accept().unwrap();
    let governed = rig.python("planner", &script).ok();
    assert_eq!(governed, "reset\n");
    assert!(canary.accept().is_err(), "the canary was reached");
    let row = rig.row_when(&["--agent", "planner", "--verdict", "deny"]);
    assert_eq!((row.text("verb"), row.number("destination_port")), ("CONNECT", u64::from(port)));
}

#[test]
fn a_dead_daemon_leaves_governed_processes_without_network_and_others_alone() {
    let mut rig = Rig::transparent(&[("all.cedar", ALLOW_ALL)]);
    let script = format!(
        "import socket, time\nprint('up', flush=True)\nwhile True:\n  try:\n    socket.create_connection(('127.0.0.1', {})).close()\n  except OSError as e:\n    print('refused', e.errno, flush=True)\n    break\n  time.sleep(0.01)\n",
        postgres().port()
    );
    let mut command = rig.command("planner", clients::PYTHON);
    command.args(["-I", "-u", "-c", &script]);
    let running = crate::support::ran::Running::start(&mut command, "");
    wait_until("the client to start", || running.stdout().contains("up"));
    rig.daemon.kill().unwrap();
    let ran = running.end();
    assert!(ran.stdout.contains("refused"), "{ran:?}");
    let free = Ran::run_with(clients::psql(&mut rig.direct("psql")), "select 'others go on';").ok();
    assert_eq!(free, "others go on\n");
    rig.daemon.resume().unwrap();
    assert_eq!(rig.psql("planner", "select 'back';").ok(), "back\n");
}

#[test]
fn rows_equal_operations_also_when_the_daemon_is_killed_in_the_middle() {
    let mut rig = Rig::transparent(&[("all.cedar", ALLOW_ALL)]);
    let script = "
connection = psycopg2.connect('')
cursor = connection.cursor()
n = 0
try:
    while True:
        cursor.execute('select %s as numbered', (n,))
        cursor.fetchall()
        n += 1
        if n % 50 == 0: print(n, flush=True)
except psycopg2.Error:
    print('last', n, flush=True)
";
    let mut command = rig.command("planner", clients::PYTHON);
    let running =
        crate::support::ran::Running::start(clients::python(&mut command), &clients::python_script(script));
    wait_until("some operations", || running.stdout().lines().count() >= 3);
    rig.daemon.kill().unwrap();
    let ran = running.end();
    let last: usize = ran.stdout.lines().last().unwrap().strip_prefix("last ").unwrap().parse().unwrap();
    rig.daemon.resume().unwrap();
    let rows = rig.rows_when(last, &["--agent", "planner", "--text", "as numbered"]);
    let mut numbers: Vec<usize> = rows
        .iter()
        .map(|row| row.text("statement").split_whitespace().nth(1).unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    // The last one may or may not have been sent when the daemon died.
    assert!(
        numbers.len() == last || numbers.len() == last + 1,
        "{} rows for {last} operations",
        numbers.len()
    );
    assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>(), "each once");
}
