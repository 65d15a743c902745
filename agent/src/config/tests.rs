//! Cases (`cases/*.toml` with the expected report beside), made pages, changes, and arbitrary input.

use super::*;
use proptest::prelude::*;
use std::fs::{self, Permissions};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

/// Resolves from the case's own `#! host NAME ADDRESS…` lines; nothing is asked of the network.
struct Hosts(Vec<(String, Vec<IpAddr>)>);

impl Resolve for Hosts {
    fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let found = self.0.iter().find(|(name, _)| name == host);
        found.map(|(_, addresses)| addresses.clone()).ok_or_else(|| "no such host".to_owned())
    }
}

/// Makes the files a case names (`#! file PATH [MODE [TEXT]]`) and gives its hosts.
fn prepare(source: &str, folder: &Path) -> Hosts {
    let mut hosts = Vec::new();
    for line in source.lines().filter_map(|line| line.strip_prefix("#! ")) {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[0] {
            "file" => {
                let path = folder.join(words[1]);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, words.get(3).copied().unwrap_or_default()).unwrap();
                let mode = u32::from_str_radix(words.get(2).unwrap_or(&"0600"), 8).unwrap();
                fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            }
            "host" => {
                let addresses = words[2..].iter().map(|address| address.parse().unwrap()).collect();
                hosts.push((words[1].to_owned(), addresses));
            }
            other => panic!("unknown directive {other}"),
        }
    }
    Hosts(hosts)
}

fn updating() -> bool {
    std::env::var_os("UPDATE").is_some()
}

/// Compares with a file of the source tree, or writes it with `UPDATE=1`.
#[track_caller]
fn check_file(path: &Path, now: &str) {
    if updating() {
        fs::write(path, now).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(expected == now, "{} differs (UPDATE=1 rewrites it); now:\n{now}", path.display());
}

fn manifest_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn cases() {
    let mut count = 0;
    for entry in fs::read_dir(manifest_folder().join("src/config/cases")).unwrap() {
        let case = entry.unwrap().path();
        if case.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        count += 1;
        let folder = tempfile::tempdir().unwrap();
        let source = fs::read_to_string(&case).unwrap();
        let hosts = prepare(&source, folder.path());
        let file = folder.path().join("interlock.toml");
        fs::write(&file, &source).unwrap();
        let report = match Config::load_with(&file, &hosts) {
            Ok(config) => format!("{config:#?}\n"),
            Err(error) => error.render(),
        };
        let report = report.replace(&format!("{}/", folder.path().display()), "");
        check_file(
            &case.with_extension("expected"),
            &report.replace(&folder.path().display().to_string(), ""),
        );
    }
    assert!(count >= 12, "only {count} cases found");
}

#[test]
fn documentation_page_is_current() {
    check_file(&manifest_folder().join("../docs/configuration.md"), &document::page());
}

#[test]
fn sample_is_current_and_valid() {
    let file = manifest_folder().join("interlock.toml");
    check_file(&file, &document::sample());
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("policies")).unwrap();
    let config =
        Config::parse(&document::sample(), &folder.path().join("i.toml"), &Hosts(Vec::new())).unwrap();
    assert_eq!(config.agents.len(), 1);
    assert_eq!(config.targets.len(), 1);
}

/// Every line of the sample that is commented out is right when it is not, so that a reader can just uncomment it.
#[test]
fn sample_is_valid_when_uncommented() {
    let text: String = document::sample()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with('[') || rest.split(' ').nth(1) == Some("=") => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("policies")).unwrap();
    let secret = folder.path().join("clickhouse-password");
    fs::write(&secret, "hunter2\nnot this\n").unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let config = Config::parse(&text, &folder.path().join("i.toml"), &Hosts(Vec::new())).unwrap();
    assert_eq!(config.sink.as_ref().unwrap().password().unwrap(), "hunter2");
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.target("shop-db").unwrap().tags.len(), 2);
}

/// Parses as if the file were in a folder with policies, the same each time.
fn parse(source: &str) -> Result<Config, ConfigError> {
    parse_with(source, &Hosts(Vec::new()))
}

fn parse_with(source: &str, hosts: &dyn Resolve) -> Result<Config, ConfigError> {
    let file = manifest_folder().join("src/config/cases/folder/i.toml");
    Config::parse(source, &file, hosts)
}

#[test]
fn defaults_are_those_of_the_wire() {
    let (ours, theirs) = (parse("").unwrap().limits.wire(), wire::Limits::default());
    assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
}

#[test]
fn finds_the_target_of_a_destination() {
    let config = parse(
        "[[target]]\nname = 'a'\nprotocol = 'postgres'\naddresses = ['127.0.0.1:5432', '[fd00::/8]:5432']\n\
         [[target]]\nname = 'b'\nprotocol = 'postgres'\naddresses = ['10.0.0.0/8:5432']\nupstream = '127.0.0.1:1'",
    )
    .unwrap();
    let target = |address: &str| {
        let found = config.targets_at(address.parse().unwrap(), &[]);
        found.first().map(|target| target.name.as_str())
    };
    assert_eq!(target("127.0.0.1:5432"), Some("a"));
    assert_eq!(target("[::ffff:127.0.0.1]:5432"), Some("a"));
    assert_eq!(target("[fd12::1]:5432"), Some("a"));
    assert_eq!(target("10.255.0.1:5432"), Some("b"));
    assert_eq!(target("127.0.0.1:5433"), None);
    assert_eq!(target("[::1]:5432"), None);
    let asked = "10.1.1.1:5432".parse().unwrap();
    assert_eq!(config.target("b").unwrap().upstream_for(asked), "127.0.0.1:1".parse().unwrap());
    assert_eq!(config.target("a").unwrap().upstream_for(asked), asked);
}

#[test]
fn finds_the_targets_of_a_name() {
    let config = parse_with(
        "[[target]]\nname = 'a'\nprotocol = 'postgres'\naddresses = ['one.test:5432', '10.0.0.9:5433']\n\
         [[target]]\nname = 'b'\nprotocol = 'postgres'\naddresses = ['two.test.:5432']",
        &Offline,
    )
    .unwrap();
    let targets = |address: &str, names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| (*name).into()).collect();
        let found = config.targets_at(address.parse().unwrap(), &names);
        found.iter().map(|target| target.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(targets("10.7.7.7:5432", &["one.test"]), ["a"], "at an address that is not in the file");
    assert_eq!(targets("10.7.7.7:5432", &["two.test"]), ["b"], "a final dot is no part of the name");
    assert_eq!(targets("10.7.7.7:5432", &["one.test", "two.test"]), ["a", "b"]);
    assert_eq!(targets("10.7.7.7:5433", &["one.test"]), [""; 0], "on another port");
    assert_eq!(targets("10.7.7.7:5432", &["three.test"]), [""; 0]);
    assert_eq!(targets("10.0.0.9:5433", &["two.test"]), ["a"], "an address stays its target's");
}

#[test]
fn changes_tell_what_needs_a_restart() {
    let old = parse("").unwrap();
    assert_eq!(old.changes(&old).to_string(), "nothing changed");
    let new = parse(
        "[paths]\nrun = '/run/other'\n[log]\nlevel = 'debug'\n[intercept]\nport = 0\n[[agent]]\nname = 'a'\n\
         [sink.clickhouse]\nurl = 'http://127.0.0.1:8123'",
    )
    .unwrap();
    let changes = old.changes(&new);
    assert_eq!(changes.live, ["agent", "sink.clickhouse", "log.level"]);
    assert_eq!(changes.restart, ["paths.run", "intercept.port"]);
    let kept = new.keeping(&old);
    assert_eq!(kept.paths, old.paths);
    assert_eq!(kept.intercept.port, 941);
    assert_eq!(kept.log.level, Level::Debug);
}

#[test]
fn unreadable_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("i.toml");
    let message = |path: &Path| Config::load_with(path, &Offline).unwrap_err().to_string();
    assert!(message(&file).contains("can't be read"));
    assert!(message(folder.path()).contains("is not a regular file"));
    fs::write(&file, b"[log]\nlevel = \"\xff\"").unwrap();
    assert!(message(&file).contains("i.toml:2:10: the file is not UTF-8 here"), "{}", message(&file));
    fs::write(&file, vec![b'#'; FILE_BYTES_MAX as usize + 1]).unwrap();
    assert!(message(&file).contains("is larger than"));
    fs::write(&file, "a".repeat(1000) + "\n").unwrap();
    assert!(message(&file).contains("not valid TOML"));
    assert!(message(Path::new("/dev/zero")).contains("is not a regular file"));
}

#[test]
fn many_problems_are_counted_not_kept() {
    let source: String = (0..200).map(|key| format!("k{key} = 1\n")).collect();
    let error = parse(&source).unwrap_err();
    assert_eq!((error.problems.len(), error.left_out), (50, 150));
    assert!(error.to_string().ends_with("and 150 more"));
}

#[test]
fn deep_nesting_is_an_error() {
    for source in ["a = ".to_owned() + &"[".repeat(1 << 20), "a".to_owned() + &".a".repeat(100_000) + " = 1"]
    {
        parse(&source).unwrap_err();
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(source in "\\PC*") {
        drop(parse(&source));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("i.toml");
        fs::write(&file, &bytes).unwrap();
        drop(Config::load_with(&file, &Offline));
    }

    /// The sample with some bytes replaced reaches the readers behind the parser.
    #[test]
    fn mutated_sample_never_panics(edits in proptest::collection::vec((any::<u16>(), "[\\PC\n\"\\[\\]]{0,3}"), 1..8)) {
        let mut text: Vec<char> = document::sample().replace("\n# ", "\n").chars().collect();
        for (at, new) in edits {
            let at = at as usize % text.len();
            text.splice(at..(at + 1).min(text.len()), new.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(error) = parse(&text) {
            drop(error.render());
        }
    }

    #[test]
    fn addresses_read_back(text in "[0-9a-f:.\\[\\]/]{0,24}(:[0-9]{1,5})?") {
        if let Ok(address) = Address::parse(&text) {
            prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
        }
    }
}
