//! Prepared statements, pipelines, COPY and cursors with a driver that uses them: tokio-postgres.

use crate::support::{ALLOW_ALL, Rig};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

fn block_on<T>(rig: &Rig, agent: &str, work: impl AsyncFnOnce(&mut Client) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut client, connection) = rig.tokio_postgres(agent).connect(NoTls).await.unwrap();
        let running = tokio::spawn(connection);
        let result = work(&mut client).await;
        drop(client);
        running.await.unwrap().unwrap();
        result
    })
}

#[test]
fn each_execution_is_one_row_with_its_count() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    block_on(&rig, "planner", async |client| {
        let statement = client.prepare("select id from customers where id <= $1").await.unwrap();
        for count in 1..=3_i32 {
            assert_eq!(
                client.query(&statement, &[&count]).await.unwrap().len(),
                usize::try_from(count).unwrap()
            );
        }
    });
    let rows = rig.rows_when(3, &["--agent", "planner", "--text", "id <= $1"]);
    let counts: Vec<u64> = rows.iter().map(|row| row.number("rows")).collect();
    assert_eq!(counts, [1, 2, 3]);
    assert!(rows.iter().all(|row| row.text("end") == "done"));
}

#[test]
fn a_pipeline_keeps_its_order_and_its_rows() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    block_on(&rig, "planner", async |client| {
        let one = client.prepare("select $1::int4 + 1").await.unwrap();
        let many = (0..200_i32).map(|n| {
            let (client, one) = (&*client, &one);
            async move { client.query_one(one, &[&n]).await.unwrap().get::<_, i32>(0) }
        });
        let mut results = Vec::new();
        // Polled together: all are sent before the first reply is read.
        for result in join_all(many.collect()).await {
            results.push(result);
        }
        assert_eq!(results, (1..=200).collect::<Vec<i32>>());
    });
    assert_eq!(rig.rows_when(200, &["--agent", "planner", "--text", "$1::int4 + 1"]).len(), 200);
}

#[test]
fn copy_both_ways_and_cursors_and_failures() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    block_on(&rig, "planner", async |client| {
        client.batch_execute("create table bulk (n int)").await.unwrap();
        let transaction = client.transaction().await.unwrap();
        let portal = transaction.bind("select g from generate_series(1, 100) g", &[]).await.unwrap();
        assert_eq!(transaction.query_portal(&portal, 30).await.unwrap().len(), 30);
        assert_eq!(transaction.query_portal(&portal, 0).await.unwrap().len(), 70);
        transaction.commit().await.unwrap();
        let error = client.query("select 1 / $1::int4", &[&0_i32]).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "22012");
        let simple = client.simple_query("select 1; select 2").await.unwrap();
        assert_eq!(simple.iter().filter(|message| matches!(message, SimpleQueryMessage::Row(_))).count(), 2);
    });
    let row = rig.row_when(&["--text", "generate_series(1, 100)"]);
    assert_eq!(row.number("rows"), 100, "one operation over two fetches");
    let failed = rig.row_when(&["--text", "select 1 / $1"]);
    assert_eq!((failed.text("end"), failed.text("error_code")), ("failed", "22012"));
}

#[test]
fn bind_values_are_kept_where_a_policy_asks_for_them() {
    let policy = "@id(\"all\")\n@record(\"binds\")\npermit (principal, action, resource);\n";
    let rig = Rig::start(&[("all.cedar", policy)]);
    block_on(&rig, "planner", async |client| {
        client.query("select $1::text, $2::text", &[&"seen", &None::<String>]).await.unwrap();
    });
    let row = rig.row_when(&["--text", "$2::text"]);
    let binds = row.0.get("binds").unwrap();
    assert_eq!(binds, &serde_json::json!(["seen", null]));
}

/// Runs all futures, giving each a turn whenever any is woken.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        let mut all = true;
        for (future, result) in &mut running {
            if result.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(output) => *result = Some(output),
                    std::task::Poll::Pending => all = false,
                }
            }
        }
        if all { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    running.into_iter().map(|(_, result)| result.unwrap()).collect()
}
