//! How a table of the file is defined once (keys, types, defaults, texts) and read into a struct.
//!
//! The `section!` macro makes three things of one definition: the typed struct the daemon uses, the reader with its
//! error messages, and the list of keys that `docs/configuration.md` and the sample file are generated from.

use super::kind::{Kind, Value, what_it_is};
use super::problem::Problems;
use super::resolve::Resolve;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// A key as it is documented.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its name in its table.
    pub name: &'static str,
    /// What it is for, one string a line.
    pub about: &'static [&'static str],
    /// What may be written, as a noun phrase.
    pub allowed: String,
    /// What holds when it is not written.
    pub default: Unwritten,
    /// When a change takes effect.
    pub reload: Reload,
    /// The value that the sample file shows, as TOML; the default where there is none.
    pub sample: Option<&'static str>,
}

/// What holds when a key is not written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unwritten {
    /// It must be written.
    Required,
    /// Nothing: the feature is off or the value follows from another.
    Nothing,
    /// This value, as TOML.
    Toml(&'static str),
}

/// When a changed key takes effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reload {
    /// With the next reload.
    Live,
    /// With the next start: a reload says so and goes on with the old value.
    Restart,
}

/// A table of the file.
pub(crate) trait Section: Sized {
    /// `paths` for `[paths]`.
    const HEADING: &'static str;
    /// What it is for, one string a line.
    const ABOUT: &'static [&'static str];
    /// Its keys in documented order.
    fn keys() -> Vec<Key>;
    /// Reads it; `at` is its path, such as `target[0]`. Every problem is noted, and any means `None`.
    fn read(table: Option<&DeTable<'_>>, at: &str, reader: &mut Reader<'_>) -> Option<Self>;
    /// The keys in which two differ.
    fn differences(&self, other: &Self) -> Vec<(&'static str, Reload)>;
    /// Takes over from a running one what only a restart can change.
    fn keep(&mut self, running: &Self);
}

/// Reads the parsed file: collects problems and remembers where every value stands.
pub(crate) struct Reader<'a> {
    /// The folder that relative paths start from.
    pub(crate) folder: &'a Path,
    /// How host names are resolved.
    pub(crate) resolver: &'a dyn Resolve,
    /// The name servers to ask, and how long each may take; none: the system's.
    pub(crate) servers: (Vec<SocketAddr>, Duration),
    /// What is wrong so far.
    pub(crate) problems: Problems,
    places: HashMap<String, Range<usize>>,
    /// Reading a default, whose positions are not those of the file.
    in_default: bool,
}

impl<'a> Reader<'a> {
    /// A reader that has seen nothing.
    pub(crate) fn new(folder: &'a Path, resolver: &'a dyn Resolve) -> Self {
        let servers = (Vec::new(), Duration::ZERO);
        Self {
            folder,
            resolver,
            servers,
            problems: Problems::default(),
            places: HashMap::new(),
            in_default: false,
        }
    }

    /// The addresses of a host name.
    pub(crate) fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        self.resolver.resolve_by(&self.servers.0, self.servers.1, host)
    }

    /// Notes a problem with a value.
    pub(crate) fn bad(&mut self, at: &str, value: &Value<'_>, message: String) {
        if self.in_default {
            self.bad_at(at, message);
        } else {
            self.problems.add(value.span(), at, message);
        }
    }

    /// Notes a problem with whatever is written at a path such as `listener[0].target`, or its table if it isn't written.
    pub(crate) fn bad_at(&mut self, at: &str, message: String) {
        let mut written = at;
        let place = loop {
            if let Some(place) = self.places.get(written) {
                break place.clone();
            }
            match written.rfind(['.', '[']).and_then(|end| written.get(..end)) {
                Some(parent) => written = parent,
                None => break 0..0,
            }
        };
        self.problems.add(place, at, message);
    }

    /// Remembers where a path stands.
    pub(crate) fn place(&mut self, at: &str, span: Range<usize>) {
        if !self.in_default {
            self.places.insert(at.to_owned(), span);
        }
    }

    /// Reads one key of a table, or its default.
    pub(crate) fn field<K: Kind>(
        &mut self,
        table: Option<&DeTable<'_>>,
        at: &str,
        name: &str,
        kind: &K,
        default: Unwritten,
    ) -> Option<K::Out> {
        let path = format!("{at}.{name}");
        if let Some(value) = table.and_then(|table| table.get(name)) {
            self.place(&path, value.span());
            return kind.read(&path, value, self);
        }
        match default {
            Unwritten::Nothing => kind.nothing(),
            Unwritten::Required => {
                self.bad_at(at, format!("`{at}` needs `{name}`: {}", kind.allowed()));
                None
            }
            Unwritten::Toml(text) => match DeValue::parse(text) {
                Ok(value) => {
                    self.in_default = true;
                    let read = kind.read(&path, &value, self);
                    self.in_default = false;
                    read
                }
                Err(error) => {
                    self.bad_at(at, format!("the default of `{path}` is not TOML: {}", error.message()));
                    None
                }
            },
        }
    }

    /// Notes every key of a table that is not known.
    pub(crate) fn refuse_unknown(&mut self, table: Option<&DeTable<'_>>, at: &str, known: &[&str]) {
        for key in table.into_iter().flat_map(|table| table.keys()) {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let path = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
            let guess = did_you_mean(name, known);
            let allowed = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let message = format!("unknown key `{}`{guess}; allowed here: {allowed}", shown(&path));
            self.problems.add(key.span(), &path, message);
        }
    }

    /// The tables of `[[heading]]`, each with its path.
    pub(crate) fn each<S: Section>(&mut self, root: &DeTable<'_>) -> Vec<Option<S>> {
        let heading = S::HEADING;
        let Some(value) = root.get(heading) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            let found = what_it_is(value);
            self.bad(
                heading,
                value,
                format!("`{heading}` is {found}; write `[[{heading}]]` once for each of them"),
            );
            return Vec::new();
        };
        let mut read = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let at = format!("{heading}[{index}]");
            self.place(&at, item.span());
            read.push(match item.get_ref() {
                DeValue::Table(table) => S::read(Some(table), &at, self),
                _ => {
                    self.bad(&at, item, format!("`{at}` is {}; expected a table", what_it_is(item)));
                    None
                }
            });
        }
        read
    }

    /// The table of `[heading]`, or its defaults.
    pub(crate) fn one<S: Section>(&mut self, root: &DeTable<'_>) -> Option<S> {
        let table = self.table(root, S::HEADING, S::HEADING)?;
        S::read(table, S::HEADING, self)
    }

    /// The table under a key: `Some(None)` where it isn't written, `None` after noting that it is no table.
    pub(crate) fn table<'t, 'i>(
        &mut self,
        parent: &'t DeTable<'i>,
        name: &str,
        at: &str,
    ) -> Option<Option<&'t DeTable<'i>>> {
        let Some(value) = parent.get(name) else { return Some(None) };
        self.place(at, value.span());
        match value.get_ref() {
            DeValue::Table(table) => Some(Some(table)),
            _ => {
                self.bad(at, value, format!("`{at}` is {}; expected a table, `[{at}]`", what_it_is(value)));
                None
            }
        }
    }
}

/// ` (did you mean ..?)` for the nearest known name, or nothing.
pub(crate) fn did_you_mean(name: &str, known: &[&str]) -> String {
    let allowed_edits = (name.chars().count() / 3).clamp(1, 3);
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(edits, _)| *edits <= allowed_edits)
        .min()
        .map_or_else(String::new, |(_, candidate)| format!(" (did you mean `{candidate}`?)"))
}

/// A piece of input for a message: short, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    let mut short: String =
        text.chars().take(CHARS_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

/// Defines a table of the file; see the module text.
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $heading:literal $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $field:ident: $type:ty = $kind:expr, $default:expr, $reload:ident $(, sample $sample:literal)?;
            )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[doc = $doc])* pub $field: $type, )*
        }

        impl $crate::config::section::Section for $name {
            const HEADING: &'static str = $heading;
            const ABOUT: &'static [&'static str] = &[$($about),*];

            fn keys() -> Vec<$crate::config::section::Key> {
                vec![$($crate::config::section::Key {
                    name: stringify!($field),
                    about: &[$($doc),*],
                    allowed: $crate::config::kind::Kind::allowed(&$kind),
                    default: $default,
                    reload: $crate::config::section::Reload::$reload,
                    sample: [$(Some($sample),)? None].into_iter().flatten().next(),
                }),*]
            }

            fn read(
                table: Option<&toml::de::DeTable<'_>>,
                at: &str,
                reader: &mut $crate::config::section::Reader<'_>,
            ) -> Option<Self> {
                reader.refuse_unknown(table, at, &[$(stringify!($field)),*]);
                let before = reader.problems.len();
                $( let $field = reader.field(table, at, stringify!($field), &$kind, $default); )*
                if reader.problems.len() > before {
                    return None;
                }
                Some(Self { $($field: $field?),* })
            }

            fn differences(&self, other: &Self) -> Vec<(&'static str, $crate::config::section::Reload)> {
                let mut differences = Vec::new();
                $(
                    if self.$field != other.$field {
                        differences.push((stringify!($field), $crate::config::section::Reload::$reload));
                    }
                )*
                differences
            }

            fn keep(&mut self, running: &Self) {
                $(
                    if $crate::config::section::Reload::$reload == $crate::config::section::Reload::Restart {
                        self.$field.clone_from(&running.$field);
                    }
                )*
            }
        }
    };
}

pub(crate) use section;
