//! The house rules that a compiler does not know: who imports whom, what every file begins with, how large it may be.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Code lines of a file, and of a file of tests.
const LINES_MAX: usize = 400;
const TEST_LINES_MAX: usize = 500;
/// Bytes of a committed file.
const FILE_BYTES_MAX: u64 = 300 << 10;

/// Which of our packages a package may import, for code and tests together.
const IMPORTS: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("mask", &["wire"]),
    ("policy", &["wire"]),
    ("audit", &["wire"]),
    ("interlock-common", &[]),
    ("interlock", &["audit", "interlock-common", "mask", "policy", "wire"]),
    ("xtask", &[]),
    ("tests", &["audit", "interlock", "interlock-common", "policy", "wire", "xtask"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn files(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                if !["target", ".git", "node_modules", "corpus"].contains(&name.to_str().unwrap()) {
                    folders.push(path);
                }
            } else if extension.is_empty() || path.extension().is_some_and(|it| it == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

#[test]
fn packages_import_only_what_the_table_allows() {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let metadata: Value = serde_json::from_slice(&cargo.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let table: BTreeMap<&str, &[&str]> = IMPORTS.iter().copied().collect();
    assert_eq!(ours, table.keys().copied().collect(), "the table names every package");
    for package in packages {
        let name = package["name"].as_str().unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            assert!(!ours.contains(used) || table[name].contains(&used), "{name} imports {used}");
        }
    }
}

#[test]
fn wire_stays_free_of_io() {
    let manifest = std::fs::read_to_string(root().join("agent/crates/wire/Cargo.toml")).unwrap();
    for word in ["tokio", "cedar", "serde", "tracing", "rustls"] {
        assert!(!manifest.contains(word), "wire knows {word}");
    }
    for path in files("rs").iter().filter(|path| path.starts_with(root().join("agent/crates/wire/src"))) {
        let text = std::fs::read_to_string(path).unwrap();
        let test = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
        for word in ["std::net", "std::fs", "Instant::now", "SystemTime"] {
            assert!(test || !text.contains(word), "{}: {word}", shown(path));
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_stays_small() {
    let mut wrong = Vec::new();
    for path in files("rs") {
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.starts_with("//!") {
            wrong.push(format!("{}: does not begin with `//!`", shown(&path)));
        }
        if path.ends_with("mod.rs") {
            wrong.push(format!("{}: a `mod.rs`", shown(&path)));
        }
        let code = text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
            .count();
        let test = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
        let max = if test { TEST_LINES_MAX } else { LINES_MAX };
        if code > max {
            wrong.push(format!("{}: {code} lines of code", shown(&path)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_over() {
    let marks =
        [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["X", "XX"].concat(), ["#[ig", "nore"].concat()];
    let mut wrong = Vec::new();
    for path in files("rs") {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                wrong.push(format!("{}:{}: {line}", shown(&path), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_huge() {
    for path in files("") {
        let size = std::fs::metadata(&path).unwrap().len();
        let lock = path.file_name().is_some_and(|name| name == "Cargo.lock" || name == "package-lock.json");
        assert!(lock || size <= FILE_BYTES_MAX, "{}: {size} bytes", shown(&path));
    }
}

#[test]
fn every_protocol_is_complete() {
    for protocol in wire::registry::PROTOCOLS {
        let name = protocol.name();
        let folder = root().join("agent/crates/wire/src").join(name);
        for file in ["README.md", "frame.rs", "machine.rs", "reply.rs", "tests.rs"] {
            assert!(folder.join(file).exists(), "{name} has no {file}");
        }
        for place in [
            format!("tests/cases/{name}"),
            format!("tests/fuzz/corpus/{name}"),
            format!("tests/fuzz/fuzz_targets/{name}.rs"),
        ] {
            assert!(root().join(&place).exists(), "{name} has no {place}");
        }
        assert!(std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap().contains(name));
    }
}

#[test]
fn the_threat_model_names_every_attack_and_only_tests_that_exist() {
    let page = std::fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let table = page.split("\n## Ways out").nth(1).unwrap().split("\n## ").next().unwrap();
    let cells = table.lines().filter_map(|line| line.trim_end_matches(" |").rsplit(" | ").next());
    let named: BTreeSet<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let list = |name: &str| std::fs::read_to_string(root().join("tests/cases/boundary").join(name)).unwrap();
    let (hooks, confined) = (list("attacks.tsv"), list("confined.tsv"));
    let lines = hooks.lines().chain(confined.lines()).filter(|line| !line.starts_with('#'));
    let attacks: BTreeSet<&str> = lines.filter_map(|line| line.split('\t').next()).collect();
    // Plain connections are no way out; they stand in the list as what is redirected.
    let plain = ["tcp4", "tcp6", "tcp_nonblocking", "bound_outside"];
    let unnamed: Vec<_> = attacks.iter().filter(|it| !named.contains(*it) && !plain.contains(it)).collect();
    assert!(unnamed.is_empty(), "docs/threat-model.md does not name {unnamed:?}");
    let sources: String =
        files("rs").iter().map(|path| std::fs::read_to_string(path).unwrap_or_default()).collect();
    let missing: Vec<_> = named
        .iter()
        .filter(|name| !attacks.contains(*name) && !sources.contains(&format!("fn {name}(")))
        .collect();
    assert!(missing.is_empty(), "docs/threat-model.md names tests that are not there: {missing:?}");
}
