//! The drivers' ordinary workloads give the same with and without us.

use crate::support::{ALLOW_ALL, Ran, Rig, clients};

const PYTHON: &str = r#"
connection = psycopg2.connect("")
cursor = connection.cursor()
cursor.execute("create table driven (id serial primary key, name text, amount numeric, at timestamptz, data jsonb, tags text[])")
cursor.executemany("insert into driven (name, amount, data, tags) values (%s, %s, %s, %s)",
                   [(f"name {n}", n * 1.5, '{"n": %d}' % n, ["a", None, str(n)]) for n in range(20)])
connection.commit()
cursor.execute("select id, name, amount, data, tags from driven where amount > %s order by id", (10,))
for row in cursor.fetchall(): print(row)
cursor.execute("update driven set name = upper(name) where mod(id, 2) = 0 returning id")
print(cursor.rowcount, cursor.fetchall())
try:
    cursor.execute("select 1/0")
except psycopg2.Error as error:
    print(error.pgcode, error)
connection.rollback()
with connection.cursor("named") as named:
    named.itersize = 7
    named.execute("select g from generate_series(1, 30) g")
    print(sum(row[0] for row in named))
connection.rollback()
import io
copied = io.StringIO("1\tx\n2\ty\n")
cursor.execute("create temp table copied (id int, name text)")
cursor.copy_from(copied, "copied")
out = io.StringIO()
cursor.copy_to(out, "copied")
print(out.getvalue())
cursor.execute("listen c"); connection.commit()
cursor.execute("notify c, 'payload'"); connection.commit()
connection.poll(); print([(n.channel, n.payload) for n in connection.notifies])
print(connection.get_parameter_status("server_encoding"), connection.encoding)
cursor.execute("drop table driven"); connection.commit(); connection.close()
"#;

const NODE: &str = r#"
await client.query('create table driven (id serial primary key, name text, data jsonb)');
for (let n = 0; n < 20; n++) await client.query('insert into driven (name, data) values ($1, $2)', ['name ' + n, { n }]);
console.log((await client.query('select * from driven order by id')).rows);
console.log((await client.query({ name: 'by-id', text: 'select name from driven where id = $1', values: [3] })).rows);
console.log((await client.query({ name: 'by-id', text: 'select name from driven where id = $1', values: [4] })).rows);
const many = await Promise.all([1, 2, 3].map((n) => client.query('select $1::int * 2 as twice', [n])));
console.log(many.map((result) => result.rows[0].twice));
try { await client.query('select * from nowhere'); } catch (error) { console.log(error.code, error.message); }
await client.query('begin'); await client.query('delete from driven'); await client.query('rollback');
console.log((await client.query('select count(*) from driven')).rows);
console.log((await client.query('select 1 as a; select 2 as b')).map((result) => result.rows));
await client.query('drop table driven');
"#;

#[test]
fn psycopg2_gives_the_same_with_and_without_us() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    let script = clients::python_script(PYTHON);
    let direct = Ran::run_with(clients::python(&mut rig.direct(clients::PYTHON)), &script).ok();
    assert_eq!(rig.python("planner", PYTHON).ok(), direct);
}

#[test]
fn node_pg_gives_the_same_with_and_without_us() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    let script = clients::node_script(NODE);
    let direct = Ran::run_with(clients::node(&mut rig.direct("node")), &script).ok();
    assert_eq!(rig.node("planner", NODE).ok(), direct);
}

#[test]
fn large_results_pass_whole() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    let script = "select g, repeat(md5(g::text), 20) from generate_series(1, 20000) g;\n";
    let direct = Ran::run_with(clients::psql(&mut rig.direct("psql")), script).ok();
    assert_eq!(rig.psql("planner", script).ok(), direct);
    let row = rig.row_when(&["--text", "generate_series(1, 20000)"]);
    assert_eq!(row.number("rows"), 20_000);
    assert!(row.number("bytes_out") > 12_000_000);
}
