//! The pages made from the definition of the keys: `docs/configuration.md` and the sample `agent/interlock.toml`.

use super::schema::{
    AgentConfig, Audit, ClickHouse, DnsConfig, Intercept, Limits, ListenerConfig, Log, Paths, Policies,
    TargetConfig,
};
use super::section::{Key, Reload, Section, Unwritten};

/// One table as it is documented.
struct Table {
    heading: &'static str,
    /// Written `[[heading]]`, any number of times.
    repeated: bool,
    /// Off unless written: the sample has it commented out.
    optional: bool,
    about: &'static [&'static str],
    keys: Vec<Key>,
}

fn table<S: Section>(repeated: bool, optional: bool) -> Table {
    Table { heading: S::HEADING, repeated, optional, about: S::ABOUT, keys: S::keys() }
}

/// Every table, in the order of the page.
fn tables() -> Vec<Table> {
    vec![
        table::<AgentConfig>(true, false),
        table::<TargetConfig>(true, false),
        table::<Policies>(false, false),
        table::<Intercept>(false, false),
        table::<DnsConfig>(false, false),
        table::<Audit>(false, false),
        table::<ClickHouse>(false, true),
        table::<Limits>(false, false),
        table::<Paths>(false, false),
        table::<Log>(false, false),
        table::<ListenerConfig>(true, true),
    ]
}

impl Table {
    fn title(&self) -> String {
        if self.repeated { format!("[[{}]]", self.heading) } else { format!("[{}]", self.heading) }
    }
}

/// Lines of a doc comment as one paragraph.
fn paragraph(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// The page `docs/configuration.md`.
pub fn page() -> String {
    let mut page = String::from(PAGE_HEAD);
    for table in tables() {
        page.push_str(&format!("\n## `{}`\n\n{}\n", table.title(), paragraph(table.about)));
        if table.repeated {
            page.push_str("\nMay be written any number of times.\n");
        }
        for key in &table.keys {
            page.push_str(&format!("\n### `{}`\n\n{}\n\n", key.name, paragraph(key.about)));
            page.push_str(&format!("- Allowed: {}.\n", key.allowed));
            match key.default {
                Unwritten::Required => page.push_str("- Required.\n"),
                Unwritten::Nothing => page.push_str("- Default: not set.\n"),
                Unwritten::Toml(text) => page.push_str(&format!("- Default: `{text}`\n")),
            }
            if let Some(sample) = key.sample {
                page.push_str(&format!("- Example: `{} = {sample}`\n", key.name));
            }
            if key.reload == Reload::Restart {
                page.push_str("- A change needs a restart.\n");
            }
        }
    }
    page
}

const PAGE_HEAD: &str = r#"# Configuration

<!-- Made from agent/src/config/schema.rs by `UPDATE=1 cargo test -p interlock config`; a test holds it equal. -->

`interlock` reads one TOML file: `/etc/interlock/interlock.toml`, or what `--config` or `INTERLOCK_CONFIG` names.
`agent/interlock.toml` is a sample with every key. `interlock config check` checks a file without starting anything and
`interlock config sample` prints the sample.

A key that is not listed here is refused, and so is a value that is not allowed; all problems are reported at once, each
with file, line and column. Relative paths start from the folder of the file.

The daemon reads the file again when it changes (also by rename or by a swapped symbolic link) and on `SIGHUP`, and the
policies with it. A file with problems changes nothing: what was in force stays in force, and `interlock status` says what
is wrong. Keys marked so keep their old value until the daemon is restarted.
"#;

/// Columns of the sample file.
const SAMPLE_WIDTH: usize = 100;

/// The sample configuration: every key once, with its default or an example.
pub fn sample() -> String {
    let mut sample = String::from(SAMPLE_HEAD);
    for table in tables() {
        let off = if table.optional { "# " } else { "" };
        sample.push('\n');
        comment(&mut sample, &paragraph(table.about));
        sample.push_str(&format!("{off}{}\n", table.title()));
        for key in &table.keys {
            let mut about = paragraph(key.about);
            about.push_str(&format!(" Allowed: {}.", key.allowed));
            if key.reload == Reload::Restart {
                about.push_str(" A change needs a restart.");
            }
            comment(&mut sample, &about);
            sample.push_str(&match (key.default, key.sample) {
                (Unwritten::Required, Some(value)) => format!("{off}{} = {value}\n", key.name),
                (_, Some(value)) => format!("# {} = {value}\n", key.name),
                (Unwritten::Toml(value), None) => format!("# {} = {value}\n", key.name),
                (_, None) => format!("# {} =\n", key.name),
            });
        }
    }
    sample
}

const SAMPLE_HEAD: &str = "\
# A sample configuration of Interlock, with every key. Lines that start with `# key = value` show the default, or an
# example where the default is nothing. The same with more words: docs/configuration.md.
# Made from agent/src/config/schema.rs; a test holds it equal.
";

/// Adds a comment, broken into lines.
fn comment(into: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > SAMPLE_WIDTH {
            into.push_str(&line);
            into.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    into.push_str(&line);
    into.push('\n');
}
