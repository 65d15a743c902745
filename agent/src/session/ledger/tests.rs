//! Sessions and connections that end in either order.

use super::*;
use crate::identity::Caller;
use crate::session::Site;

fn account(cookie: u64, decoded: u64, written: u64) -> Account {
    Account { cookie, decoded, written, recorder: Recorder::new(&Site::default(), &Caller::nobody()) }
}

fn closed(cookie: u64, delivered: u64, received: u64) -> Closed {
    Closed { cookie, delivered, received }
}

#[test]
fn what_agrees_is_settled_in_either_order() {
    let (ledger, now) = (Ledger::default(), Instant::now());
    assert!(ledger.session(account(1, 100, 200)).is_none());
    // A FIN that was none: a byte less is certain.
    assert!(ledger.connection(closed(1, 99, 199), now).is_none());
    assert!(ledger.connection(closed(2, 100, 150), now).is_none());
    assert!(ledger.session(account(2, 100, 200)).is_none(), "the agent may leave without reading all");
    let waiting = ledger.lock();
    assert!(waiting.sessions.is_empty() && waiting.connections.is_empty());
}

#[test]
fn what_differs_is_told_in_either_order() {
    let (ledger, now) = (Ledger::default(), Instant::now());
    assert!(ledger.session(account(1, 100, 200)).is_none());
    let (_, difference) = ledger.connection(closed(1, 150, 200), now).unwrap();
    assert_eq!(difference, Difference { unread: 50, foreign: 0 });
    assert_eq!(
        difference.to_string(),
        "50 bytes that the agent has sent were not read: its session had ended"
    );
    assert!(ledger.connection(closed(2, 101, 207), now).is_none());
    let (account, difference) = ledger.session(account(2, 100, 200)).unwrap();
    assert_eq!((account.cookie, difference), (2, Difference { unread: 1, foreign: 7 }));
    assert!(difference.to_string().ends_with("; 7 bytes that the agent has received are not its session's"));
}

#[test]
fn what_nobody_asks_for_is_forgotten() {
    let (ledger, now) = (Ledger::default(), Instant::now());
    for cookie in 0..WAITING_MAX as u64 {
        assert!(ledger.connection(closed(cookie, 0, 0), now).is_none());
    }
    ledger.connection(closed(1_000_000, 0, 0), now);
    assert_eq!(ledger.lock().connections.len(), WAITING_MAX, "no more than that");
    ledger.connection(closed(1_000_001, 0, 0), now + KEPT);
    assert_eq!(ledger.lock().connections.len(), 1);
    for cookie in 0..=WAITING_MAX as u64 {
        ledger.session(account(cookie + 2_000_000, 0, 0));
    }
    assert_eq!(ledger.lock().sessions.len(), 1);
}
