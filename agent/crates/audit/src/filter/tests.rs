//! Filters on rows and as SQL. That both mean the same is shown against the real engine, in the integration tests.

use super::*;
use crate::row::tests::sample;
use proptest::prelude::*;

#[test]
fn each_condition_counts() {
    let row = sample(7);
    let yes = Filter {
        agent: Some("executor".into()),
        target: Some("shop-db".into()),
        user: Some("app".into()),
        session: Some(row.subject.session),
        verdict: Some(Verdict::Deny),
        action: Some(Action::Read),
        resource: Some("PUBLIC.orders".into()),
        text: Some("from ORDERS".into()),
        since: Some(row.time),
        until: Some(row.time + 1),
        ..Filter::default()
    };
    assert!(yes.matches(&row) && Filter::default().matches(&row));
    let no = [
        Filter { agent: Some("exec".into()), ..yes.clone() },
        Filter { target: Some("SHOP-DB".into()), ..yes.clone() },
        Filter { user: Some(String::new()), ..yes.clone() },
        Filter { session: Some(Uuid::nil()), ..yes.clone() },
        Filter { verdict: Some(Verdict::Forward), ..yes.clone() },
        Filter { action: Some(Action::Write), ..yes.clone() },
        Filter { resource: Some("orders.x".into()), ..yes.clone() },
        Filter { text: Some("from%orders".into()), ..yes.clone() },
        Filter { since: Some(row.time + 1), ..yes.clone() },
        Filter { until: Some(row.time), ..yes },
    ];
    assert!(no.iter().all(|filter| !filter.matches(&row)));
}

#[test]
fn values_never_are_in_the_sql() {
    let hostile = "x' OR 1=1 -- `\\{agent:String}".to_owned();
    let filter = |value: &str| Filter {
        agent: Some(value.into()),
        target: Some(value.into()),
        user: Some(value.into()),
        resource: Some(value.into()),
        text: Some(value.into()),
        ..Filter::default()
    };
    let (hostile, harmless) = (filter(&hostile).select("interlock"), filter("a").select("interlock"));
    assert_eq!(hostile.sql, harmless.sql);
    assert!(hostile.parameters.iter().all(|(_, value)| value.contains("or 1=1") || value.contains("OR 1=1")));
}

#[test]
fn the_database_is_quoted() {
    let sql = Filter { limit: Some(5), newest_first: true, ..Filter::default() }.select("a`; DROP\\").sql;
    assert!(
        sql.contains("FROM `a\\`; DROP\\\\`.operations ORDER BY `time` DESC, toString(`id`) DESC LIMIT 5"),
        "{sql}"
    );
}

proptest! {
    #[test]
    fn holds_is_contains_of_lower_case(text in "[a-cA-C%_ß]{0,12}", part in "[a-cA-C%_ß]{0,3}") {
        prop_assert_eq!(holds(&text, &part), text.to_ascii_lowercase().contains(&part.to_ascii_lowercase()));
    }

    #[test]
    fn places_sort_like_times(mut rows in proptest::collection::vec((any::<i64>(), any::<u128>()), 0..20)) {
        let rows: Vec<Row> = rows.drain(..).map(|(time, id)| Row { time, id: Uuid::from_u128(id), ..Row::blank() }).collect();
        let mut sorted = rows.clone();
        sorted.sort_by_key(|row| (row.time, row.id.as_u128()));
        let mut old = rows.clone();
        old.sort_by_key(|row| Filter::default().place(row));
        prop_assert_eq!(&old, &sorted);
        let mut new = rows;
        new.sort_by_key(|row| Filter { newest_first: true, ..Filter::default() }.place(row));
        sorted.reverse();
        prop_assert_eq!(&new, &sorted);
    }
}
