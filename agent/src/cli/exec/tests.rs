//! Finding users, tasks, and telling which cgroup one is in. Running commands is tested with the kernel.

use super::*;

#[test]
fn tells_its_cgroup() {
    let hybrid = "2:cpu:/x\n1:name=systemd:/init.scope\n0::/interlock/planner/7\n";
    assert!(is_in(hybrid, Path::new("/sys/fs/cgroup/unified/interlock/planner/7")));
    assert!(!is_in(hybrid, Path::new("/sys/fs/cgroup/unified/interlock/planner/77")));
    assert!(!is_in(hybrid, Path::new("/sys/fs/cgroup/unified/interlock/planner")));
    assert!(!is_in("0::/\n", Path::new("/sys/fs/cgroup")));
    assert!(!is_in("", Path::new("/sys/fs/cgroup")));
}

#[test]
fn finds_users() {
    assert!(find_user("root").unwrap().uid.is_root());
    assert_eq!(find_user("0").unwrap().name, "root");
    let error = find_user("nobody-of-that-name").unwrap_err().to_string();
    assert_eq!(error, "there is no user `nobody-of-that-name` on this host");
    find_user("a\0b").unwrap_err();
}

#[test]
fn tasks_are_short_and_printable() {
    assert_eq!(task("T-1042").as_deref(), Ok("T-1042"));
    for bad in ["", "a b", "a\n", "\x1b[2J", &"x".repeat(129)] {
        task(bad).unwrap_err();
    }
}
