//! Names, paths, globs, tags and other texts.

use super::{Kind, List, Value, string, what_it_is, wrong_type, wrong_value};
use crate::config::section::{Reader, shown};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use toml::de::DeValue;

/// Bytes of the longest path Linux takes (`PATH_MAX`, with its NUL).
const PATH_BYTES_MAX: usize = 4_095;
/// Characters of a name: a DNS label's, so that a name can be one.
const NAME_CHARS_MAX: usize = 63;

/// A name: lower-case letters, digits and hyphens.
pub(crate) struct Name;

impl Name {
    /// Whether a text is a name.
    pub(crate) fn is(text: &str) -> bool {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        text.len() <= NAME_CHARS_MAX && text.starts_with(plain) && text.chars().all(|c| plain(c) || c == '-')
    }
}

impl Kind for Name {
    type Out = String;

    fn allowed(&self) -> String {
        "a name of `a`-`z`, `0`-`9` and `-`, starting with a letter or digit, at most 63 long".to_owned()
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<String> {
        let text = string(self, at, value, reader)?;
        if Self::is(text) {
            return Some(text.to_owned());
        }
        wrong_value(self, at, value, &format!("is `{}`", shown(text)), reader);
        None
    }
}

/// Any text of so many bytes, without control characters.
pub(crate) struct Text {
    /// What it is, as a noun phrase.
    pub(crate) what: &'static str,
    /// The most bytes.
    pub(crate) max: usize,
}

impl Kind for Text {
    type Out = String;

    fn allowed(&self) -> String {
        format!("{} of 1 to {} bytes", self.what, self.max)
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<String> {
        let text = string(self, at, value, reader)?;
        if text.is_empty() || text.len() > self.max || text.chars().any(char::is_control) {
            wrong_value(self, at, value, "is empty, too long or holds control characters", reader);
            return None;
        }
        Some(text.to_owned())
    }
}

/// Reads a text that can be a path.
fn path(kind: &impl Kind, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<PathBuf> {
    let text = string(kind, at, value, reader)?;
    if text.is_empty() || text.len() > PATH_BYTES_MAX || text.contains('\0') {
        wrong_value(kind, at, value, "is empty, too long or holds a NUL", reader);
        return None;
    }
    Some(PathBuf::from(text))
}

/// A path that starts at the root and has no `..`.
pub(crate) struct AbsolutePath;

impl Kind for AbsolutePath {
    type Out = PathBuf;

    fn allowed(&self) -> String {
        "an absolute path without `..`".to_owned()
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<PathBuf> {
        let path = path(self, at, value, reader)?;
        if path.is_absolute() && !path.components().any(|part| part == Component::ParentDir) {
            return Some(path);
        }
        wrong_value(self, at, value, &format!("is `{}`", shown(&path.to_string_lossy())), reader);
        None
    }
}

/// A path; a relative one starts from the folder of the configuration file.
pub(crate) struct FilePath;

impl Kind for FilePath {
    type Out = PathBuf;

    fn allowed(&self) -> String {
        "a path, relative to the folder of this file or absolute".to_owned()
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<PathBuf> {
        path(self, at, value, reader).map(|path| tidy(&reader.folder.join(path)))
    }
}

/// Drops `.` components, so that messages show what a person would write.
fn tidy(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

/// A cgroup under the cgroup v2 mount, written without a leading slash.
pub(crate) struct RelativeCgroup;

impl Kind for RelativeCgroup {
    type Out = PathBuf;

    fn allowed(&self) -> String {
        "a path under the cgroup v2 mount without leading `/` and without `..`, such as `\"interlock\"`"
            .to_owned()
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<PathBuf> {
        let path = path(self, at, value, reader)?;
        if path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Some(path);
        }
        wrong_value(self, at, value, &format!("is `{}`", shown(&path.to_string_lossy())), reader);
        None
    }
}

/// A pattern for cgroup paths.
pub(crate) struct Glob;

impl Kind for Glob {
    type Out = String;

    fn allowed(&self) -> String {
        "a cgroup path from the cgroup v2 mount, such as `\"/system.slice/planner-*.service\"` (`*`: any characters but \
         `/`, `?`: one, `/**/`: any number of levels)"
            .to_owned()
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<String> {
        let path = path(self, at, value, reader)?;
        let text = path.to_string_lossy();
        let why = if !text.starts_with('/') {
            "does not start with `/`"
        } else if text.trim_matches('/').is_empty() {
            "is the root, which would take every process of the host"
        } else if text.split('/').any(|part| part == "..") {
            "holds `..`"
        } else if text.split('/').all(|part| part.is_empty() || part.chars().all(|c| c == '*')) {
            "matches every cgroup of the host"
        } else if text.split('/').any(|part| part != "**" && part.contains("**")) {
            "has `**` within a component"
        } else {
            return Some(text.into_owned());
        };
        wrong_value(self, at, value, why, reader);
        None
    }
}

/// An HTTP address without credentials in it.
pub(crate) struct Dsn;

impl Kind for Dsn {
    type Out = String;

    fn allowed(&self) -> String {
        "an address `http://HOST[:PORT]` or `https://HOST[:PORT]`, without user, password or query".to_owned()
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<String> {
        let text = string(self, at, value, reader)?;
        let plain = url::Url::parse(text).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if plain {
            return Some(text.to_owned());
        }
        // Not shown: what is wrong with it may be the password in it.
        wrong_value(self, at, value, "is not such an address", reader);
        None
    }
}

/// Tags by what they are on.
pub(crate) struct TagsKind;

/// Tags of one column or table.
const TAGS_MAX: usize = 16;
/// Columns and tables that carry tags.
const TAGGED_MAX: usize = 4_096;

impl Kind for TagsKind {
    type Out = BTreeMap<String, Vec<String>>;

    fn allowed(&self) -> String {
        format!(
            "a table of at most {TAGGED_MAX} entries `\"SCHEMA.TABLE\" = [TAG…]` or `\"SCHEMA.TABLE.COLUMN\" = [TAG…]`, \
             each with 1 to {TAGS_MAX} tags"
        )
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self::Out> {
        let DeValue::Table(table) = value.get_ref() else {
            wrong_type(self, at, value, reader);
            return None;
        };
        if table.len() > TAGGED_MAX {
            wrong_value(self, at, value, &format!("has {} entries", table.len()), reader);
            return None;
        }
        let tags_kind = List { item: Name, min: 1, max: TAGS_MAX };
        let mut read = BTreeMap::new();
        for (key, tags) in table {
            let tag_at = format!("{at}.\"{}\"", shown(key.get_ref()));
            let parts = key.get_ref().split('.').filter(|part| !part.is_empty()).count();
            let dots = key.get_ref().matches('.').count();
            if !(2..=3).contains(&parts) || parts != dots + 1 {
                // `a.b.c = [..]` without quotes is TOML for nested tables: the commonest mistake here.
                let unquoted = if matches!(tags.get_ref(), DeValue::Table(_)) {
                    " (put the whole name in quotes)"
                } else {
                    ""
                };
                let message = format!(
                    "`{}` names no table or column; expected `\"SCHEMA.TABLE\"` or `\"SCHEMA.TABLE.COLUMN\"`{unquoted}",
                    shown(key.get_ref())
                );
                reader.problems.add(key.span(), &tag_at, message);
            } else if matches!(tags.get_ref(), DeValue::Array(_)) {
                if let Some(tags) = tags_kind.read(&tag_at, tags, reader) {
                    read.insert(key.get_ref().to_string(), tags);
                }
            } else {
                let message = format!("`{tag_at}` is {}; expected {}", what_it_is(tags), tags_kind.allowed());
                reader.bad(&tag_at, tags, message);
            }
        }
        (read.len() == table.len()).then_some(read)
    }
}

/// The name that a Unix socket is bound to.
pub(crate) struct UnixSocket;

impl Kind for UnixSocket {
    type Out = String;

    fn allowed(&self) -> String {
        "an absolute path, or `@` and an abstract name, of at most 107 bytes, such as `\"/run/app/app.sock\"`"
            .to_owned()
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<String> {
        const BYTES_MAX: usize = 107;
        let text = string(self, at, value, reader)?;
        let why = match text.as_bytes() {
            [b'/' | b'@'] | [] => "names nothing",
            [b'/' | b'@', ..] if text.len() > BYTES_MAX => "is too long for a Unix socket",
            [b'/' | b'@', ..] if text.contains('\0') => "holds a zero byte",
            [b'/' | b'@', ..] => return Some(text.to_owned()),
            _ => "starts neither with `/` nor with `@`",
        };
        wrong_value(self, at, value, why, reader);
        None
    }
}
