//! How fast readings are: run with `--ignored --nocapture`, in release.

use super::{Reader, usual};
use crate::Limits;
use std::hint::black_box;
use std::time::Instant;

fn nanoseconds(rounds: u32, mut work: impl FnMut(u32)) -> u128 {
    let start = Instant::now();
    for round in 0..rounds {
        work(round);
    }
    start.elapsed().as_nanos() / u128::from(rounds)
}

#[test]
#[ignore = "measures"]
fn measure() {
    let reader = Reader::new(&Limits::default());
    let scope = usual();
    let point = "SELECT abalance FROM pgbench_accounts WHERE aid = $1";
    reader.read(&scope, point.as_bytes());
    let exact = nanoseconds(2_000_000, |_| drop(black_box(reader.read(&scope, black_box(point.as_bytes())))));
    let texts: Vec<String> =
        (0..100_000).map(|id| format!("SELECT abalance FROM pgbench_accounts WHERE aid = {id}")).collect();
    reader.read(&scope, texts[0].as_bytes());
    let shape = nanoseconds(2_000_000, |round| {
        let text = &texts[round as usize % texts.len()];
        drop(black_box(reader.read(&scope, black_box(text.as_bytes()))));
    });
    println!("exact hit {exact} ns, shape hit {shape} ns");
    let join = "SELECT c.name, sum(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id \
                WHERE o.placed > now() - interval '7 days' GROUP BY c.name HAVING sum(o.total) > 100 ORDER BY 2 DESC LIMIT 10";
    let insert = "INSERT INTO orders (customer_id, total) VALUES (1, 2.5) ON CONFLICT (id) DO UPDATE SET total = excluded.total RETURNING id";
    for sql in ["SELECT abalance FROM pgbench_accounts WHERE aid = 12345", join, insert] {
        let miss = nanoseconds(2_000, |_| {
            let reader = Reader { shared: reader.shared.clone() };
            drop(black_box(reader.read_uncached(&scope, black_box(sql.as_bytes()))));
        });
        println!("miss {miss} ns: {sql}");
    }
}
