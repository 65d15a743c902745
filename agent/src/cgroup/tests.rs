//! Cgroup paths, patterns and the mount; what needs root is tested with the kernel side.
use super::*;
use std::path::Path;

const HYBRID: &str = "\
30 24 0:26 / /sys/fs/cgroup rw shared:9 - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
42 30 0:39 / /sys/fs/cgroup/uni\\040fied rw,relatime shared:10 - cgroup2 cgroup2 rw
50 30 0:39 /part /mnt/part rw,relatime - cgroup2 cgroup2 rw
";

#[test]
fn the_mount_is_found_by_its_type_and_root() {
    let found = Hierarchy::from_mountinfo(HYBRID).unwrap();
    assert_eq!(found.mount(), Path::new("/sys/fs/cgroup/uni fied"));
    assert!(Hierarchy::from_mountinfo("").is_none());
    assert!(Hierarchy::from_mountinfo("garbage - cgroup2\n - \n").is_none());
}

#[test]
fn a_path_stays_inside() {
    let found = Hierarchy::from_mountinfo(HYBRID).unwrap();
    assert_eq!(found.at("/a/./b").unwrap().name(), Path::new("/a/b"));
    assert_eq!(found.at("a/b").unwrap().directory(), Path::new("/sys/fs/cgroup/uni fied/a/b"));
    assert!(matches!(found.at("/a/../../etc"), Err(CgroupError::OutOfHierarchy(_))));
    assert!(found.at("/").unwrap().is_root());
    let a = found.at("/a").unwrap();
    assert!(a.contains(&a.child("b").unwrap()) && !a.contains(&found.at("/ab").unwrap()));
    for bad in ["", "..", ".", "/", "a/b", "/a"] {
        assert!(a.child(bad).is_err(), "{bad}");
    }
}

#[test]
fn patterns_match_whole_paths() {
    let cases: &[(&str, &str, bool)] = &[
        ("/agents/planner", "/agents/planner", true),
        ("/agents/planner", "/agents/planner/child", false),
        ("/agents/*", "/agents/planner", true),
        ("/agents/*", "/agents", false),
        ("/agents/*", "/agents/a/b", false),
        ("/agents/**", "/agents/a/b", true),
        ("/agents/**", "/agents", true),
        ("/**/x", "/x", true),
        ("/**/x", "/a/b/x", true),
        ("/**/x", "/a/b/xy", false),
        ("/a/**/b/*", "/a/b/c", true),
        ("/a/**/b/*", "/a/q/b/r/b/c", true),
        ("/run-?.scope", "/run-1.scope", true),
        ("/run-?.scope", "/run-12.scope", false),
        ("/a*b*c", "/aXXbYYc", true),
        ("/a*b*c", "/aXXbYY", false),
        ("/*", "/", false),
    ];
    for &(pattern, path, matches) in cases {
        assert_eq!(Pattern::new(pattern).unwrap().matches(Path::new(path)), matches, "{pattern} {path}");
    }
}

#[test]
fn bad_patterns_are_refused() {
    for bad in ["", "/", "//", "relative", "/a/../b", "/a/x**", "/./a", &format!("/{}", "a".repeat(5000))] {
        assert!(matches!(Pattern::new(bad), Err(CgroupError::Pattern { .. })), "{bad}");
    }
    assert!(Pattern::new("/a/b").unwrap().is_literal());
    assert!(!Pattern::new("/a/b*").unwrap().is_literal());
}

#[test]
fn a_hostile_pattern_takes_no_time() {
    let pattern = Pattern::new(&format!("/{}b", "*a".repeat(500))).unwrap();
    assert!(!pattern.matches(Path::new(&format!("/{}", "a".repeat(2000)))));
    let deep = Pattern::new(&format!("/{}x", "**/".repeat(500))).unwrap();
    assert!(!deep.matches(Path::new(&"/a".repeat(500))));
}

#[test]
fn the_own_cgroup_has_an_id() {
    let Ok(hierarchy) = Hierarchy::find() else {
        eprintln!("SKIPPED: no cgroup v2 here");
        return;
    };
    let own = hierarchy.own().unwrap();
    assert!(own.exists());
    let id = own.id().unwrap();
    if nix::unistd::geteuid().is_root() {
        assert_eq!(hierarchy.by_id(id).unwrap(), Some(own));
        assert_eq!(hierarchy.by_id(CgroupId(u64::MAX - 1)).unwrap(), None);
    }
}
