//! Edits as editors, shells and Kubernetes make them.

use super::*;
use nix::sys::signal::{Signal as Number, raise};
use std::fs;
use std::os::unix::fs::symlink;
use tokio::time::{timeout, timeout_at};

/// Far beyond what any event takes; reached only when one is missed.
const BOUND: Duration = Duration::from_secs(20);

/// The next change of files. The signal of the test for signals reaches every watch of this process: it is passed over.
async fn next(watch: &mut Watch) -> Change {
    loop {
        match timeout(BOUND, watch.next()).await.expect("a change is noticed") {
            Change::Files => return Change::Files,
            Change::Signal => {}
        }
    }
}

/// Nothing is reported for longer than a change could be held back.
async fn quiet(watch: &mut Watch) {
    let end = Instant::now() + QUIET + PATIENCE;
    while let Ok(change) = timeout_at(end, watch.next()).await {
        assert_eq!(change, Change::Signal, "reported though nothing changed");
    }
}

#[tokio::test]
async fn sees_edits_renames_and_new_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("interlock.toml");
    let policies = folder.path().join("policies");
    fs::create_dir(&policies).unwrap();
    fs::write(&file, "1").unwrap();
    let mut watch = Watch::new(vec![file.clone(), policies.clone()]).unwrap();

    fs::write(&file, "2").unwrap();
    assert_eq!(next(&mut watch).await, Change::Files);

    let new = folder.path().join(".interlock.toml.swp");
    fs::write(&new, "3").unwrap();
    fs::rename(&new, &file).unwrap();
    assert_eq!(next(&mut watch).await, Change::Files);
    // The renamed-in file is watched too.
    fs::write(&file, "4").unwrap();
    assert_eq!(next(&mut watch).await, Change::Files);

    fs::write(policies.join("a.cedar"), "permit").unwrap();
    assert_eq!(next(&mut watch).await, Change::Files);
    fs::remove_file(policies.join("a.cedar")).unwrap();
    assert_eq!(next(&mut watch).await, Change::Files);

    // The folder goes and comes back.
    fs::remove_dir(&policies).unwrap();
    assert_eq!(next(&mut watch).await, Change::Files);
    fs::create_dir(&policies).unwrap();
    assert_eq!(next(&mut watch).await, Change::Files);
    fs::write(policies.join("b.cedar"), "permit").unwrap();
    assert_eq!(next(&mut watch).await, Change::Files);
}

#[tokio::test]
async fn sees_a_swapped_link() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, text) in [("..1", "old"), ("..2", "new")] {
        fs::create_dir_all(at(version).join("policies")).unwrap();
        fs::write(at(version).join("interlock.toml"), text).unwrap();
        fs::write(at(version).join("policies/a.cedar"), text).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/interlock.toml", at("interlock.toml")).unwrap();
    symlink("..data/policies", at("policies")).unwrap();
    let mut watch = Watch::new(vec![at("interlock.toml"), at("policies")]).unwrap();

    symlink("..2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    assert_eq!(next(&mut watch).await, Change::Files);
    // The new target is watched, in its own folder.
    fs::write(at("..2/policies/a.cedar"), "newer").unwrap();
    assert_eq!(next(&mut watch).await, Change::Files);
    fs::write(at("..1/policies/a.cedar"), "nobody looks at this any more").unwrap();
    quiet(&mut watch).await;
}

#[tokio::test]
async fn sees_a_file_that_appears_with_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a/b/interlock.toml");
    let mut watch = Watch::new(vec![file.clone()]).unwrap();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "1").unwrap();
    assert_eq!(next(&mut watch).await, Change::Files);
}

#[tokio::test]
async fn touched_and_equal_files_wake_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("interlock.toml");
    fs::write(&file, "1").unwrap();
    let mut watch = Watch::new(vec![file.clone()]).unwrap();
    fs::write(&file, "1").unwrap();
    fs::write(folder.path().join("something-else"), "2").unwrap();
    quiet(&mut watch).await;
}

#[tokio::test]
async fn a_signal_counts_without_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let mut watch = Watch::new(vec![folder.path().join("interlock.toml")]).unwrap();
    raise(Number::SIGHUP).unwrap();
    assert_eq!(timeout(BOUND, watch.next()).await, Ok(Change::Signal));
}

#[test]
fn circular_links_end() {
    let folder = tempfile::tempdir().unwrap();
    symlink("b", folder.path().join("a")).unwrap();
    symlink("a", folder.path().join("b")).unwrap();
    let mut found = BTreeSet::new();
    folders(&folder.path().join("a/interlock.toml"), &mut found);
    assert!(found.contains(folder.path()));
}
