//! What the commands print, and the exit codes that say what came of it.

use super::*;
use crate::cli::Context;
use policy::{Catalog, Source};
use std::path::{Path, PathBuf};

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, text).unwrap();
    file
}

const READ: &str = r#"@id("read") permit (principal in Role::"readers", action == Action::"read", resource)
    when { context.certainty == "exact" };"#;

/// Runs the command as the command line would; its exit code.
fn exit_code(config: &Path, arguments: &[&str]) -> Result<String, String> {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        policy: PolicyArgs,
    }
    let line = ["policy"].into_iter().chain(arguments.iter().copied());
    let line = <Line as clap::Parser>::try_parse_from(line).unwrap();
    let done = run(line.policy, &Context { config: config.to_owned() });
    done.map(|code| format!("{code:?}")).map_err(|error| format!("{error:#}"))
}

#[test]
fn exit_codes_say_what_came_of_it() {
    let (success, failure) =
        (format!("{:?}", ExitCode::SUCCESS), format!("{:?}", ExitCode::from(crate::cli::exit::FAILED)));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = write(
        folder,
        "interlock.toml",
        "[[agent]]\nname = \"a\"\nroles = [\"readers\"]\ncgroups = [\"/a\"]\n[policies]\npaths = [\"p\"]\n",
    );
    let path = |file: &Path| file.display().to_string();
    let good = path(&write(folder, "p/good.cedar", READ));
    let bad = path(&write(folder, "bad.cedar", "permit (principal, action, resource"));
    let more = READ.replace("@id(\"read\")", "@id(\"more\")");
    let more = more.split(" when").next().unwrap_or_default().trim_end();
    let odd = path(&write(folder, "odd.cedar", &format!("{READ}\n{more};\n")));
    let head = "agent a readers\ntarget t postgres\non t/d\ncase c\nas a\nsql SELECT x FROM y\n";
    let passes = path(&write(folder, "p/cases/passes.case", &format!("{head}expect forward by read")));
    let fails = path(&write(folder, "fails.case", &format!("{head}expect deny")));
    let empty = path(&write(folder, "empty.case", "# nothing yet\n"));
    for (arguments, expected) in [
        (vec!["check"], &success),
        (vec!["check", "--strict", "--json", &good], &success),
        (vec!["check", &bad], &failure),
        (vec!["check", &odd], &success),
        (vec!["check", "--strict", &odd], &failure),
        (vec!["test"], &success),
        (vec!["test", "--json", &passes], &success),
        (vec!["test", &fails], &failure),
        (vec!["test", &passes, &good], &failure),
        (vec!["test", &empty], &failure),
        (vec!["test", "--policies", &bad, &passes], &failure),
    ] {
        assert_eq!(exit_code(&config, &arguments).as_ref(), Ok(expected), "{arguments:?}");
    }
    let nowhere = exit_code(&config, &["check", &path(folder.join("none").as_path())]).unwrap_err();
    assert!(nowhere.contains("can't be read"), "{nowhere}");
    let empty = exit_code(&config, &["check", &path(folder.join("p/cases").as_path())]).unwrap_err();
    assert!(empty.contains("holds no .cedar file"), "{empty}");
}

#[test]
fn failures_are_told_with_their_place_and_reason() {
    let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
    let head = "agent a\ntarget t postgres\non t/d\ncase nobody\nas a\nsql SELECT x FROM y\nexpect forward";
    let outcome = test::test(
        &[source("x.case", head), source("y.case", "case")],
        &[source("p.cedar", READ)],
        &Catalog::default(),
    );
    let page = test::text(&outcome, 2, output::Paint::off());
    assert!(
        page.contains("failed x.case:6: nobody: SELECT x FROM y by `a`\n  expected  forward\n"),
        "{page}"
    );
    assert!(page.contains("no policy permits `a` to read"), "{page}");
    assert!(page.contains("y.case:1:1: error: "), "{page}");
    assert!(page.contains("note: policy `read` decides no case"), "{page}");
    assert!(page.ends_with("failed: 1 of 1 operation in 2 files; not all could be run\n"), "{page}");
}

/// EXECUTE means what was prepared, which a case does not know: it is not taken for harmless.
#[test]
fn statements_that_lean_on_others_are_not_understood() {
    let all =
        Source { name: "p.cedar".into(), text: "@id(\"all\") permit (principal, action, resource);".into() };
    let head = "agent a\ntarget t postgres\non t/d\ncase c\nas a\nsql EXECUTE p\nsql FETCH ALL FROM c\nexpect deny by nothing";
    let file = Source { name: "x.case".into(), text: head.into() };
    let outcome = test::test(&[file], &[all], &Catalog::default());
    assert_eq!((outcome.passed, outcome.failures.len()), (2, 0), "{outcome:?}");
}
