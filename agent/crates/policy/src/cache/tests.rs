//! What the cache finds, what it forgets, and what it must not confuse.

use super::*;
use crate::ruling::Effect;
use wire::{Access, Action, Certainty, Facts, Resource, ResourceKind};

fn meaning(table: &str) -> Arc<Meaning> {
    let access =
        Access { action: Action::Read, resource: Resource::new(ResourceKind::Table, &["public", table]) };
    Arc::new(Meaning {
        accesses: Box::new([access]),
        certainty: Certainty::Exact,
        facts: Facts::default(),
        ..Meaning::opaque("SELECT", Action::Read, "")
    })
}

fn who(agent: &str) -> Principal {
    Principal::new(agent.into(), "/u".into(), "/exe".into(), String::new(), 0)
}

fn place(database: &str) -> Place {
    Place::new("t".into(), database.into())
}

fn ruling(reason: &str) -> Arc<Ruling> {
    Arc::new(Ruling {
        effect: Effect::Deny,
        policies: Arc::new([]),
        reason: reason.into(),
        hint: "".into(),
        resources: Arc::new([]),
        record_binds: false,
    })
}

fn found(cache: &Cache, asked: &Asked<'_>) -> Option<String> {
    cache.get(asked).map(|ruling| ruling.reason.to_string())
}

#[test]
fn found_by_address_and_by_content() {
    let cache = Cache::default();
    let (who, at, first) = (who("a"), place("d"), meaning("x"));
    let asked = Asked { who: &who, at: &at, meaning: &first, hour: 1 };
    assert_eq!(found(&cache, &asked), None);
    cache.put(&asked, false, &ruling("r"));
    assert_eq!(found(&cache, &asked).as_deref(), Some("r"));
    let again = Arc::new(Meaning { fingerprint: 9, ..(*first).clone() });
    assert_eq!(found(&cache, &Asked { meaning: &again, ..asked }).as_deref(), Some("r"), "by content");
    assert_eq!(found(&cache, &Asked { hour: 2, ..asked }).as_deref(), Some("r"), "the hour does not matter");
}

#[test]
fn what_differs_is_not_confused() {
    let cache = Cache::default();
    let (who_a, at, first) = (who("a"), place("d"), meaning("x"));
    let asked = Asked { who: &who_a, at: &at, meaning: &first, hour: 1 };
    cache.put(&asked, false, &ruling("r"));
    for other in
        [who("b"), who_a.clone().on_task(Some("t".into())), who_a.clone().in_container(Some("c".into()))]
    {
        assert_eq!(found(&cache, &Asked { who: &other, ..asked }), None);
    }
    let mut tampered = who_a.clone();
    tampered.uid = 7;
    assert_eq!(found(&cache, &Asked { who: &tampered, ..asked }), None, "equal hash, other fields");
    assert_eq!(found(&cache, &Asked { at: &place("e"), ..asked }), None);
    for other in [
        (*meaning("y")).clone(),
        Meaning { certainty: Certainty::Partial, ..(*first).clone() },
        Meaning { facts: Facts { filtered: Some(true), ..Facts::default() }, ..(*first).clone() },
        Meaning { verb: "COPY".into(), ..(*first).clone() },
        Meaning { doubt: "why".into(), ..(*first).clone() },
    ] {
        assert_eq!(found(&cache, &Asked { meaning: &Arc::new(other), ..asked }), None);
    }
}

#[test]
fn rulings_of_an_hour_end_with_it() {
    let cache = Cache::default();
    let (who, at, meaning) = (who("a"), place("d"), meaning("x"));
    let asked = Asked { who: &who, at: &at, meaning: &meaning, hour: 7 };
    cache.put(&asked, true, &ruling("seven"));
    assert_eq!(found(&cache, &asked).as_deref(), Some("seven"));
    let eight = Asked { hour: 8, ..asked };
    assert_eq!(found(&cache, &eight), None);
    cache.put(&eight, true, &ruling("eight"));
    assert_eq!(found(&cache, &eight).as_deref(), Some("eight"));
    let content = Arc::new((*meaning).clone());
    assert_eq!(found(&cache, &Asked { meaning: &content, ..eight }).as_deref(), Some("eight"));
}

#[test]
fn entries_are_bounded_and_the_recently_used_stay() {
    let cache = Cache::default();
    let (who, at, kept) = (who("a"), place("d"), meaning("kept"));
    let asked = Asked { who: &who, at: &at, meaning: &kept, hour: 0 };
    cache.put(&asked, false, &ruling("kept"));
    for n in 0..20 * SHARDS * HALF {
        let other = meaning(&format!("t{n}"));
        cache.put(&Asked { meaning: &other, ..asked }, false, &ruling("other"));
        if n % HALF == 0 {
            let content = Arc::new((*kept).clone());
            assert!(found(&cache, &Asked { meaning: &content, ..asked }).is_some(), "used often, after {n}");
        }
    }
    let entries: usize =
        cache.far.iter().map(|shard| lock(shard)).map(|shard| shard.young.len() + shard.old.len()).sum();
    assert!(entries <= SHARDS * 2 * HALF, "{entries}");
}

#[test]
fn large_meanings_are_not_kept() {
    let cache = Cache::default();
    let (who, at, large) = (who("a"), place("d"), meaning(&"x".repeat(MEANING_BYTES_MAX)));
    let asked = Asked { who: &who, at: &at, meaning: &large, hour: 0 };
    cache.put(&asked, false, &ruling("r"));
    assert_eq!(found(&cache, &asked), None);
}

#[test]
fn shared_by_threads() {
    let cache = Cache::default();
    let (who, at) = (who("a"), place("d"));
    let meanings: Vec<_> = (0..50).map(|n| meaning(&format!("t{n}"))).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    for (n, meaning) in meanings.iter().enumerate() {
                        let asked = Asked { who: &who, at: &at, meaning, hour: 0 };
                        match cache.get(&asked) {
                            Some(ruling) => assert_eq!(&*ruling.reason, n.to_string()),
                            None => cache.put(&asked, false, &ruling(&n.to_string())),
                        }
                    }
                }
            });
        }
    });
}
