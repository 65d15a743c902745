//! This very process, and hostile names.
use super::*;

#[test]
fn looks_itself_up() {
    let own = Process::look_up(std::process::id(), 0);
    assert_eq!(*own.exe, *std::env::current_exe().unwrap().display().to_string());
    assert!(own.file.is_some_and(|file| file.inode > 0));
    assert!(own.argv.contains("interlock"), "{}", own.argv);
    let parent = format!("({})", std::os::unix::process::parent_id());
    assert!(own.parents.split(' ').next().unwrap().ends_with(&parent), "{}", own.parents);
}

#[test]
fn a_process_that_started_later_is_another_one() {
    let pid = std::process::id();
    let started = Stat::read(pid).unwrap().started_at();
    assert_ne!(Process::look_up(pid, started + SECOND), Process::default());
    assert_eq!(Process::look_up(pid, started - SECOND), Process::default());
    assert_eq!(Process::look_up(u32::MAX, 0), Process::default());
}

#[test]
fn passwords_in_addresses_are_left_out() {
    for (text, expected) in [
        ("psql postgresql://app:se:cr@et@db/shop -X", "psql postgresql://app:***@db/shop -X"),
        ("curl http://a:b@h/ https://c:d@h", "curl http://a:***@h/ https://c:***@h"),
        ("curl http://h:80/a@b", "curl http://h:***@b"),
        ("curl http://user@h", "curl http://user@h"),
        ("://", "://"),
        ("plain", "plain"),
    ] {
        assert_eq!(without_passwords(text), expected);
    }
}

#[test]
fn names_may_hold_anything() {
    let fields = "S 7 1 1 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 1 0 4711 8192 1";
    for name in ["sh", "a) S 9 9 9", "(", ") (", "a\nb"] {
        let stat = Stat::parse(&format!("42 ({name}) {fields}\n")).unwrap();
        assert_eq!((stat.name.as_str(), stat.pid, stat.parent, stat.start), (name, 42, 7, 4711));
    }
    for broken in ["", "42", "42 (sh)", "42 (sh) S 7", "x (sh) S 7"] {
        assert!(Stat::parse(broken).is_none());
    }
}
