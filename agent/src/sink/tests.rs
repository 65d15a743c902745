//! What needs no server. The rest is shown against the real engine, in the integration tests.

use super::retry::Backoff;
use super::*;
use std::time::Duration;

#[test]
fn waits_double_to_half_a_minute_and_differ() {
    let mut backoff = Backoff::default();
    let waits: Vec<Duration> = (0..12).map(|_| backoff.next()).collect();
    for (index, wait) in waits.iter().enumerate() {
        let whole = Duration::from_millis(250 << index).min(Duration::from_secs(30));
        assert!(*wait <= whole && *wait >= whole / 2, "{index}: {wait:?}");
    }
    backoff.reset();
    assert!(backoff.next() <= Duration::from_millis(250));
    let differ = (0..20).map(|_| Backoff::default().next()).collect::<std::collections::HashSet<_>>();
    assert!(differ.len() > 1);
}

#[test]
fn the_password_is_not_shown() {
    let config = SinkConfig {
        url: "http://127.0.0.1:8123".to_owned(),
        database: "interlock".to_owned(),
        user: "audit".to_owned(),
        password: "hunter2".to_owned(),
        host: "host".to_owned(),
        batch_rows: 10,
        batch_wait: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
    };
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_server_that_is_not_there_is_explained() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Bound and closed again: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = SinkConfig {
        url: format!("http://127.0.0.1:{port}"),
        database: "interlock".to_owned(),
        user: "default".to_owned(),
        password: String::new(),
        host: "host".to_owned(),
        batch_rows: 10,
        batch_wait: Duration::from_secs(1),
        timeout: Duration::from_secs(10),
    };
    let error = runtime
        .block_on(query(&config, &audit::Filter::default(), &mut |_| std::ops::ControlFlow::Continue(())))
        .unwrap_err();
    assert!(error.to_string().contains("onnection refused"), "{error}");
}
