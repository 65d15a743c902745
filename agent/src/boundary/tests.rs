//! Words and folding of refusals.

use super::merge::{KINDS_MAX, WINDOW};
use super::{Merger, explain, lost};
use crate::cgroup::CgroupId;
use crate::intercept::Refused;
use interlock_common::Count;
use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime};

fn refused(reason: Count, pid: u32) -> Refused {
    Refused {
        reason,
        agent: Some("planner".into()),
        cgroup_id: CgroupId(7),
        pid,
        uid: 1000,
        address: Some("192.0.2.1:443".parse().unwrap()),
        port: 443,
        family: 2,
        name: "/run/docker.sock".to_owned(),
        detail: [2, 17],
        time: SystemTime::UNIX_EPOCH,
    }
}

#[test]
fn every_refusal_has_words_and_a_rule_of_its_own() {
    let told = |count: &Count| count.name().starts_with("denied_");
    let mut rules = HashSet::new();
    for reason in Count::ALL.into_iter().filter(told) {
        let words = explain(&refused(reason, 1));
        assert!(words.reason.len() > 25, "{reason:?}: {}", words.reason);
        assert!(words.rule.starts_with("kernel:") && rules.insert(words.rule.clone()), "{}", words.rule);
        // Cedar's policy ids in our files can't hold a colon, so nobody can write one that looks like it.
        assert_eq!(words.rule.matches(':').count(), 1);
    }
    assert_eq!(rules.len(), 24);
    assert_eq!(explain(&refused(Count::Device, 1)).action, wire::Action::Admin);
    assert!(lost(12).reason.starts_with("12 "));
}

#[test]
fn a_row_at_once_and_one_for_the_rest() {
    let mut merger = Merger::default();
    let start = Instant::now();
    let it = refused(Count::Datagram, 1);
    assert!(merger.take(&it, start));
    for _ in 0..3 {
        assert!(!merger.take(&it, start));
    }
    assert!(merger.take(&refused(Count::Datagram, 2), start), "another process is another kind");
    assert_eq!(merger.due(Some(start)), []);
    let due = merger.due(Some(start + WINDOW));
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].times, due[0].exact), (3, true));
    assert!(due[0].words().contains("3 more times"), "{}", due[0].words());
    assert!(merger.take(&it, start + WINDOW), "a new window begins with a row at once");
    assert_eq!(merger.due(Some(start + 3 * WINDOW)), [], "nothing was repeated");
}

#[test]
fn nothing_is_lost_when_it_ends() {
    let mut merger = Merger::default();
    let now = Instant::now();
    let it = refused(Count::Protocol, 1);
    assert!(merger.take(&it, now) && !merger.take(&it, now));
    assert_eq!(merger.due(None).iter().map(|repeated| repeated.times).sum::<u64>(), 1);
    assert!(merger.due(None).is_empty());
}

#[test]
fn a_flood_of_kinds_is_bounded_and_counted() {
    let mut merger = Merger::default();
    let now = Instant::now();
    let all = u32::try_from(KINDS_MAX).unwrap() * 2;
    let at_once = (0..all).filter(|&pid| merger.take(&refused(Count::Datagram, pid), now)).count();
    assert_eq!(at_once, KINDS_MAX + 1, "the last of them stands for all that follow");
    let other = Refused { cgroup_id: CgroupId(8), ..refused(Count::Datagram, 1) };
    assert!(
        merger.take(&other, now) && !merger.take(&other, now),
        "another cgroup is told apart all the same"
    );
    let due = merger.due(Some(now + WINDOW + Duration::from_secs(1)));
    assert_eq!(due.len(), 2);
    let folded = due.iter().find(|repeated| !repeated.exact).unwrap();
    assert!(folded.words().contains("not told apart"));
    assert_eq!(usize::try_from(folded.times).unwrap() + at_once, KINDS_MAX * 2);
}
