//! This very program, against `sha256sum`.
use super::*;
use crate::identity::Process;

#[test]
fn agrees_with_sha256sum_and_is_remembered() {
    let pid = std::process::id();
    let file = Process::look_up(pid, 0).file.unwrap();
    let hashes = Hashes::default();
    assert_eq!(hashes.known(file), None);
    let hash = hashes.compute(|| open(pid), file);
    let output = std::process::Command::new("sha256sum").arg(std::env::current_exe().unwrap()).output();
    let expected = String::from_utf8(output.unwrap().stdout).unwrap();
    assert_eq!(*hash, *expected.split(' ').next().unwrap());
    // A program that was built this very moment is read again each time.
    let remembered = (!file.is_fresh()).then_some(hash);
    assert_eq!(hashes.known(file), remembered);
    let other = Process::look_up(std::os::unix::process::parent_id(), 0).file.unwrap();
    assert_eq!(*hashes.compute(|| open(pid), other), *"", "another program than was seen");
}
