//! What the kernel counts at an agent's end, against what its session has read and written.

use crate::support::{ALLOW_ALL, Rig, clients, postgres, wait_for};

#[test]
fn ordinary_sessions_leave_no_difference_and_bytes_that_nobody_read_do() {
    let rig = Rig::transparent(&[("all.cedar", ALLOW_ALL)]);
    // Much in both directions, pipelines, errors, copies, and a client that leaves without a word.
    let script = "select repeat('x', 1000000);\nselect 1/0;\nselect generate_series(1, 10000);\n\
        copy (select generate_series(1, 10000)) to stdout;\ncreate temp table t (a int);\n\
        copy t from stdin;\n1\n2\n\\.\nselect count(*) from t;\n";
    for agent in ["planner", "executor"] {
        let ran = rig.psql(agent, script);
        assert!(ran.stdout.ends_with("2\n") && ran.stderr.contains("division by zero"), "{ran:?}");
        let leaves = "import os\nc = psycopg2.connect(''); cursor = c.cursor(); cursor.execute('select 1'); os._exit(0)";
        rig.python(agent, leaves).ok();
        let leaves_much = "import os\nc = psycopg2.connect(''); cursor = c.cursor('named'); cursor.itersize = 1\n\
            cursor.execute(\"select repeat('y', 1000) from generate_series(1, 1000)\"); cursor.fetchone(); os._exit(0)";
        rig.python(agent, leaves_much).ok();
        rig.node(agent, "console.log((await client.query('select $1::int', [7])).rows.length)").ok();
    }
    // Does not speak the target's protocol: refused at its first bytes, whatever comes behind them.
    let stranger = format!(
        "import socket\ns = socket.create_connection(('127.0.0.1', {}))\n\
         try: s.sendall(b'GET / HTTP/1.0\\r\\n' + b'x' * 300000)\nexcept OSError: pass\n\
         try: s.recv(1)\nexcept OSError: pass\n",
        postgres().port()
    );
    let mut command = rig.daemon.exec("planner", clients::PYTHON);
    crate::support::Ran::run_with(command.arg("-"), &stranger).ok();
    let row = wait_for("the row of what was not read", || {
        rig.rows(&["--verdict", "deny"]).into_iter().find(|row| row.text("verb") == "BYTES")
    });
    assert_eq!((row.text("agent"), row.0["policies"][0].as_str()), ("planner", Some("kernel:bytes")));
    assert!(
        row.text("reason").ends_with("bytes that the agent has sent were not read: its session had ended"),
        "{row:?}"
    );
    let differences = rig.rows(&["--verdict", "deny"]).into_iter().filter(|row| row.text("verb") == "BYTES");
    assert_eq!(differences.count(), 1, "all others have agreed");
}
