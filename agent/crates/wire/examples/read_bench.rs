//! How fast statements are read: `cargo run --release -p wire --example read_bench`. Prints ns per reading.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use wire::Limits;
use wire::postgres::sql::{Reader, Scope};

const POINT: &str = "SELECT abalance FROM pgbench_accounts WHERE aid = ";
const JOIN: &str = "SELECT c.name, sum(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id \
                    WHERE o.placed > now() - interval '7 days' GROUP BY c.name HAVING sum(o.total) > 100 ORDER BY 2 DESC";
const UPSERT: &str = "INSERT INTO orders (customer_id, total) VALUES (1, 2.5) \
                      ON CONFLICT (id) DO UPDATE SET total = excluded.total RETURNING id";

fn nanoseconds(rounds: u32, mut work: impl FnMut(u32)) -> u128 {
    let start = Instant::now();
    for round in 0..rounds {
        work(round);
    }
    start.elapsed().as_nanos() / u128::from(rounds)
}

fn main() {
    let reader = Reader::new(&Limits::default());
    let scope =
        Arc::new(Scope { search_path: vec!["pg_catalog".into(), "public".into()], user: "app".into() });
    let prepared = format!("{POINT}$1");
    let exact =
        nanoseconds(2_000_000, |_| drop(black_box(reader.read(&scope, black_box(prepared.as_bytes())))));
    let texts: Vec<String> = (0..100_000).map(|id| format!("{POINT}{id}")).collect();
    let mut ids = texts.iter().cycle();
    let shape = nanoseconds(2_000_000, |_| {
        let text = ids.next().map_or("", String::as_str);
        drop(black_box(reader.read(&scope, black_box(text.as_bytes()))));
    });
    println!("the same text again {exact} ns, another constant {shape} ns");
    for text in [prepared.as_str(), JOIN, UPSERT] {
        // A comment makes each text new to the cache.
        let miss = nanoseconds(2_000, |round| {
            let fresh = format!("{text} /* {round} */");
            drop(black_box(reader.read(&scope, black_box(fresh.as_bytes()))));
        });
        println!("never seen {miss} ns: {text}");
    }
}
