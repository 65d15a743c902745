//! Rows for tests, and tests of cutting and ids.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::HashSet;

/// A plausible row, different for each number.
pub(crate) fn sample(number: u64) -> Row {
    let time = 1_770_000_000_000_000 + i64::try_from(number).unwrap() * 1_000;
    let mut row = Row::blank();
    row.id = next_id(time);
    row.time = time;
    let subject = row.subject.edit();
    subject.host = "db-host-1".into();
    subject.agent = ["planner", "executor"][number as usize % 2].into();
    subject.cgroup = "/agents.slice/planner".into();
    subject.pid = 4_000 + number as u32;
    subject.uid = 1_000;
    subject.exe = "/usr/bin/python3.11".into();
    subject.task = "nightly".into();
    subject.session = Uuid::from_u128(0x42 + u128::from(number / 10));
    subject.target = "shop-db".into();
    subject.destination = SocketAddr::from(([127, 0, 0, 1], 5_432));
    subject.protocol = "postgres".into();
    subject.user = "app".into();
    subject.database = "shop".into();
    subject.cgroup_id = 4_711;
    subject.thread = 4_001 + number as u32;
    subject.login_uid = 1_000;
    subject.exe_hash = "9f86d081884c7d65".into();
    subject.exe_inode = 815;
    subject.argv = "python3 agent.py".into();
    subject.parents = "bash(812) systemd(1)".into();
    subject.unit = "planner.service".into();
    subject.destination_name = "db.shop.example".into();
    subject.degraded = "security hooks".into();
    row.sequence = number % 10 + 1;
    row.action = Action::Read;
    row.verb = "SELECT".into();
    row.resources = Arc::from(["table public.orders".into(), "column public.orders.total".into()]);
    row.statement = format!("SELECT total FROM orders WHERE id = {number}");
    row.statement_bytes = row.statement.len() as u64;
    row.fingerprint = 0xfeed_beef;
    row.binds = if number.is_multiple_of(3) { vec![Some(number.to_string()), None] } else { Vec::new() };
    row.certainty = Certainty::Exact;
    row.verdict = if number.is_multiple_of(7) { Verdict::Deny } else { Verdict::Forward };
    row.policies = Arc::from(["planner-reads".into()]);
    row.reason = "permitted by planner-reads".into();
    row.decision_ns = 800;
    row.outcome = done(number);
    row
}

/// An outcome.
pub(crate) fn done(number: u64) -> Outcome {
    Outcome {
        end: End::Done,
        rows: number,
        bytes_in: 80,
        bytes_out: 900,
        target_us: 210,
        ..Outcome::default()
    }
}

fn low() -> impl Strategy<Value = Arc<str>> {
    prop_oneof!["[a-c]{0,2}", "\\PC{0,40}", ".{0,8}"].prop_map(Arc::from)
}

fn lows() -> impl Strategy<Value = Arc<[Arc<str>]>> {
    vec(low(), 0..4).prop_map(Arc::from)
}

fn word<W: Word + std::fmt::Debug>() -> impl Strategy<Value = W> {
    proptest::sample::select(W::ALL)
}

fn address() -> impl Strategy<Value = SocketAddr> {
    (
        prop_oneof![
            any::<u32>().prop_map(|v4| IpAddr::V4(v4.into())),
            any::<u128>().prop_map(|v6| IpAddr::V6(v6.into()))
        ],
        any::<u16>(),
    )
        .prop_map(|(ip, port)| SocketAddr::new(ip.to_canonical(), port))
}

fn outcome() -> impl Strategy<Value = Outcome> {
    (word(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), low(), ".{0,30}").prop_map(
        |(end, rows, bytes_in, bytes_out, target_us, error_code, error)| Outcome {
            end,
            rows,
            bytes_in,
            bytes_out,
            target_us,
            error_code,
            error,
        },
    )
}

/// Any row at all, within the times that text can show.
pub(crate) fn any_row() -> impl Strategy<Value = Row> {
    let who = (
        any::<u128>(),
        -62_135_596_800_000_000..253_402_300_800_000_000_i64,
        low(),
        low(),
        low(),
        low(),
        low(),
    );
    let numbers =
        (any::<u32>(), any::<u32>(), any::<u128>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    let place = (low(), address(), word(), low(), low(), low(), low());
    let what = (word(), low(), lows(), ".{0,60}", vec(proptest::option::of(".{0,10}"), 0..4), word());
    let ruling = (word(), lows(), low());
    let process = (low(), low(), low(), low(), low());
    let all = (who, numbers, place, what, ruling, outcome(), process);
    all.prop_map(|(who, numbers, place, what, ruling, outcome, process)| {
        let subject = Subject::new(SubjectFields {
            host: who.2,
            agent: who.3,
            cgroup: who.4,
            exe: who.5,
            task: who.6,
            pid: numbers.0,
            uid: numbers.1,
            session: Uuid::from_u128(numbers.2),
            target: place.0,
            destination: place.1,
            boundary: place.2,
            protocol: place.3,
            user: place.4,
            database: place.5,
            cgroup_id: numbers.4,
            thread: numbers.1,
            login_uid: numbers.0,
            exe_hash: process.0,
            exe_inode: numbers.3,
            argv: process.1,
            parents: process.2,
            unit: process.3,
            container: process.4.clone(),
            destination_name: process.4,
            degraded: place.6,
        });
        Row {
            id: Uuid::from_u128(who.0),
            time: who.1,
            subject,
            sequence: numbers.3,
            statement_bytes: numbers.4,
            fingerprint: numbers.5,
            decision_ns: numbers.6,
            action: what.0,
            verb: what.1,
            resources: what.2,
            statement: what.3,
            binds: what.4,
            certainty: what.5,
            verdict: ruling.0,
            policies: ruling.1,
            reason: ruling.2,
            outcome,
        }
    })
}

#[test]
fn a_small_row_is_not_cut() {
    let mut row = sample(3);
    row.fit(4 << 10);
    assert_eq!(row, {
        let mut same = sample(3);
        same.id = row.id;
        same
    });
}

#[test]
fn a_huge_row_fits_and_says_so() {
    let mut row = sample(1);
    row.statement = "é".repeat(100_000);
    row.binds = vec![Some("x".repeat(500)); 100_000];
    row.resources = (0..50_000).map(|n| Arc::from(format!("table public.t{n}"))).collect();
    row.policies = (0..50_000).map(|n| Arc::from(format!("p{n}"))).collect();
    row.reason = "r".repeat(100_000).into();
    row.outcome.error = "e".repeat(100_000);
    row.fit(10_000);
    assert!(row.weight() <= 10_100, "{}", row.weight());
    assert!(row.statement.ends_with('…') && row.statement.starts_with('é'));
    assert!(
        row.resources.last().unwrap().starts_with("… ")
            && row.binds.last().unwrap().as_ref().unwrap().ends_with("more")
    );
}

proptest! {
    #[test]
    fn any_row_fits(mut row in any_row(), max in 4_096_usize..8_192, big in 0_usize..20_000) {
        row.statement.push_str(&"ß".repeat(big));
        row.binds.push(Some("∂".repeat(big)));
        row.fit(max);
        prop_assert!(row.weight() <= max + 200);
    }
}

#[test]
fn ids_are_version_7_unique_and_increase_with_time() {
    let ids: Vec<_> = (0..10_000).map(|n| next_id(1_770_000_000_000_000 + n)).collect();
    assert!(ids.iter().all(|id| id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122));
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    assert!(ids.is_sorted());
    let other = std::thread::spawn(|| next_id(1_770_000_000_000_000)).join().unwrap();
    assert!(!ids.contains(&other));
}

#[test]
fn words_and_their_numbers_never_change() {
    fn all<W: Word>() -> String {
        W::ALL.iter().map(|w| format!("{}={} ", w.word(), w.code())).collect()
    }
    assert_eq!(all::<Action>(), "connect=1 read=2 execute=3 write=4 delete=5 define=6 admin=7 unknown=8 ");
    assert_eq!(all::<Certainty>(), "exact=1 partial=2 opaque=3 ");
    assert_eq!(all::<Boundary>(), "transparent=1 explicit=2 ");
    assert_eq!(all::<Verdict>(), "forward=1 deny=2 ");
    assert_eq!(all::<End>(), "done=1 failed=2 refused=3 interrupted=4 ");
}

#[test]
fn a_subject_is_changed_for_one_row_alone() {
    let one = sample(1);
    let mut other = one.clone();
    let bytes = |row: &Row| row.subject.encoded(|| row.subject.user.as_bytes().to_vec()).to_vec();
    assert_eq!(bytes(&other), b"app");
    other.subject.edit().user = "root".into();
    assert_eq!((&*one.subject.user, &*other.subject.user), ("app", "root"));
    assert_eq!((bytes(&one), bytes(&other)), (b"app".to_vec(), b"root".to_vec()));
    assert_ne!(one, other);
    let mut own = other.clone();
    drop(other);
    own.subject.edit().user = "app".into();
    assert_eq!(bytes(&own), b"app", "what was made of it before is forgotten");
    assert_eq!(one, own);
}
