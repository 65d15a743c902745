//! Programs that are there, gone, and replaced.

use super::*;
use crate::identity::Process;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

fn executed(pid: u32, path: &Path) -> Executed {
    let found = std::fs::metadata(path).unwrap();
    let device = libc::major(found.dev()) << 20 | libc::minor(found.dev());
    Executed { program: Key { inode: found.ino(), device, reserved: 0 }, pid, path: path.into() }
}

#[test]
fn a_program_is_found_by_its_process_or_by_its_path() {
    let own = std::env::current_exe().unwrap();
    let hashes = Hashes::default();
    let expected = Process::look_up(std::process::id(), 0);
    // The greatest number there can be: no process has it.
    for pid in [std::process::id(), u32::MAX] {
        let programs = Programs::default();
        let executed = executed(pid, &own);
        assert!(programs.learn(&executed));
        let program = programs.known(executed.program).unwrap();
        assert_eq!((&*program.path, Some(program.file)), (&*expected.exe, expected.file));
        assert!(program.hash().is_none() && program.open().is_some());
        programs.hash(executed.program, &hashes);
        let program = programs.known(executed.program).unwrap();
        assert_eq!(program.hash().unwrap().len(), 64);
        assert!(program.open().is_none(), "files are not kept open");
    }
}

#[test]
fn another_file_under_the_same_path_is_not_it() {
    let own = std::env::current_exe().unwrap();
    let programs = Programs::default();
    let mut wrong = executed(u32::MAX, &own);
    wrong.program.inode += 1;
    assert!(!programs.learn(&wrong) && programs.known(wrong.program).is_none());
    let mut elsewhere = executed(u32::MAX, &own);
    elsewhere.program.device += 1;
    assert!(!programs.learn(&elsewhere), "the same number on another file system");
    let relative = Executed { path: own.file_name().unwrap().into(), ..executed(u32::MAX, &own) };
    assert!(!programs.learn(&relative), "relative to what?");
    let unknown = Executed { program: Key::default(), ..executed(std::process::id(), &own) };
    assert!(!programs.learn(&unknown));
}

/// What a process names as its program is its own choice.
#[test]
fn a_path_that_would_do_something_when_opened_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let programs = Programs::default();
    for path in [fifo.as_path(), Path::new("/dev/null"), folder.path()] {
        assert!(!programs.learn(&executed(u32::MAX, path)), "{}", path.display());
    }
}
