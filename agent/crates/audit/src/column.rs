//! The one definition of a row's columns. The table in ClickHouse, the blocks, the journal, JSON, CSV and the terminal
//! all follow this list, so that none of them can drift from another.

use crate::row::{Boundary, End, Row, Verdict, Word};
use std::net::Ipv6Addr;
use std::sync::Arc;
use uuid::Uuid;
use wire::{Action, Certainty};

#[cfg(test)]
mod tests;

/// One column of the audit table.
pub struct Column {
    /// Its name everywhere.
    pub name: &'static str,
    /// Which part of the row it belongs to.
    pub part: Part,
    /// Its type and how it is read from and put into a [`Row`].
    pub(crate) access: Access,
}

/// The parts of a row. The journal writes the first two as one record and the last as another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// What all rows of a session share: [`crate::Subject`].
    Subject,
    /// Known when the operation is asked.
    Asked,
    /// Known when it has ended.
    Ended,
}

/// A column's type, with its typed reader and writer of a row.
pub(crate) enum Access {
    Uuid(fn(&Row) -> Uuid, fn(&mut Row, Uuid)),
    /// µs since 1970 UTC.
    Time(fn(&Row) -> i64, fn(&mut Row, i64)),
    U16(fn(&Row) -> u16, fn(&mut Row, u16)),
    U32(fn(&Row) -> u32, fn(&mut Row, u32)),
    U64(fn(&Row) -> u64, fn(&mut Row, u64)),
    Ip(fn(&Row) -> Ipv6Addr, fn(&mut Row, Ipv6Addr)),
    Word(Words),
    /// A text that repeats from row to row.
    Low(fn(&Row) -> &Arc<str>, fn(&mut Row, Arc<str>)),
    /// A text of its own.
    Text(fn(&Row) -> &str, fn(&mut Row, String)),
    /// A list of texts that repeat from row to row.
    Lows(fn(&Row) -> &Arc<[Arc<str>]>, fn(&mut Row, Arc<[Arc<str>]>)),
    /// A list of texts and NULLs.
    Nullables(fn(&Row) -> &[Option<String>], fn(&mut Row, Vec<Option<String>>)),
}

/// A column that holds one of a few words.
pub(crate) struct Words {
    /// The ClickHouse type, with every word and its number.
    pub(crate) kind: &'static str,
    pub(crate) code: fn(&Row) -> u8,
    pub(crate) word: fn(&Row) -> &'static str,
    /// Sets it from its number; false if there is no such number.
    pub(crate) set: fn(&mut Row, u8) -> bool,
    pub(crate) code_of: fn(&str) -> Option<u8>,
}

impl Column {
    /// Its type in ClickHouse, spelled as ClickHouse spells it.
    pub const fn clickhouse(&self) -> &'static str {
        match &self.access {
            Access::Uuid(..) => "UUID",
            Access::Time(..) => "DateTime64(6, 'UTC')",
            Access::U16(..) => "UInt16",
            Access::U32(..) => "UInt32",
            Access::U64(..) => "UInt64",
            Access::Ip(..) => "IPv6",
            Access::Word(words) => words.kind,
            Access::Low(..) => "LowCardinality(String)",
            Access::Text(..) => "String",
            Access::Lows(..) => "Array(LowCardinality(String))",
            Access::Nullables(..) => "Array(Nullable(String))",
        }
    }
}

/// The column of that name.
pub fn column(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.name == name)
}

macro_rules! copied {
    ($kind:ident $part:ident $name:literal $($field:ident $(($edit:ident))?).+) => {
        Column {
            name: $name,
            part: Part::$part,
            access: Access::$kind(|row| row.$($field).+, |row, value| row.$($field $(.$edit())?).+ = value),
        }
    };
}

macro_rules! shared {
    ($kind:ident $part:ident $name:literal $($field:ident $(($edit:ident))?).+) => {
        Column {
            name: $name,
            part: Part::$part,
            access: Access::$kind(|row| &row.$($field).+, |row, value| row.$($field $(.$edit())?).+ = value),
        }
    };
}

macro_rules! word {
    ($word:ident $part:ident $name:literal $kind:literal $($field:ident $(($edit:ident))?).+) => {
        Column {
            name: $name,
            part: Part::$part,
            access: Access::Word(Words {
                kind: $kind,
                code: |row| row.$($field).+.code(),
                word: |row| row.$($field).+.word(),
                set: |row, code| match $word::of_code(code) {
                    Some(value) => {
                        row.$($field $(.$edit())?).+ = value;
                        true
                    }
                    None => false,
                },
                code_of: |word| $word::of_word(word).map(Word::code),
            }),
        }
    };
}

/// Every column, in the order of the table. New ones go at the end of their part, with a new journal version
/// (`codec.rs`) and a new migration (`schema.rs`); none is ever renamed, retyped or removed.
pub static COLUMNS: &[Column] = &ALL;

/// [`COLUMNS`], as the compiler can look into it.
pub(crate) const ALL: [Column; 48] = [
    copied!(Uuid Asked "id" id),
    copied!(Time Asked "time" time),
    shared!(Low Subject "host" subject (edit).host),
    shared!(Low Subject "agent" subject (edit).agent),
    shared!(Low Subject "cgroup" subject (edit).cgroup),
    copied!(U32 Subject "pid" subject (edit).pid),
    copied!(U32 Subject "uid" subject (edit).uid),
    shared!(Low Subject "exe" subject (edit).exe),
    shared!(Low Subject "task" subject (edit).task),
    copied!(Uuid Subject "session" subject (edit).session),
    copied!(U64 Asked "sequence" sequence),
    shared!(Low Subject "target" subject (edit).target),
    Column {
        name: "destination",
        part: Part::Subject,
        access: Access::Ip(Row::destination_ip, Row::set_destination_ip),
    },
    Column {
        name: "destination_port",
        part: Part::Subject,
        access: Access::U16(
            |row| row.subject.destination.port(),
            |row, port| row.subject.edit().destination.set_port(port),
        ),
    },
    word!(Boundary Subject "boundary" "Enum8('transparent' = 1, 'explicit' = 2)" subject (edit).boundary),
    shared!(Low Subject "protocol" subject (edit).protocol),
    shared!(Low Subject "user" subject (edit).user),
    shared!(Low Subject "database" subject (edit).database),
    word!(Action Asked "action" "Enum8('connect' = 1, 'read' = 2, 'execute' = 3, 'write' = 4, 'delete' = 5, 'define' = 6, 'admin' = 7, 'unknown' = 8)" action),
    shared!(Low Asked "verb" verb),
    shared!(Lows Asked "resources" resources),
    shared!(Text Asked "statement" statement),
    copied!(U64 Asked "statement_bytes" statement_bytes),
    copied!(U64 Asked "fingerprint" fingerprint),
    shared!(Nullables Asked "binds" binds),
    word!(Certainty Asked "certainty" "Enum8('exact' = 1, 'partial' = 2, 'opaque' = 3)" certainty),
    word!(Verdict Asked "verdict" "Enum8('forward' = 1, 'deny' = 2)" verdict),
    shared!(Lows Asked "policies" policies),
    shared!(Low Asked "reason" reason),
    copied!(U64 Asked "decision_ns" decision_ns),
    word!(End Ended "end" "Enum8('done' = 1, 'failed' = 2, 'refused' = 3, 'interrupted' = 4)" outcome.end),
    copied!(U64 Ended "rows" outcome.rows),
    copied!(U64 Ended "bytes_in" outcome.bytes_in),
    copied!(U64 Ended "bytes_out" outcome.bytes_out),
    copied!(U64 Ended "target_us" outcome.target_us),
    shared!(Low Ended "error_code" outcome.error_code),
    shared!(Text Ended "error" outcome.error),
    copied!(U64 Subject "cgroup_id" subject (edit).cgroup_id),
    copied!(U32 Subject "thread" subject (edit).thread),
    copied!(U32 Subject "login_uid" subject (edit).login_uid),
    shared!(Low Subject "exe_hash" subject (edit).exe_hash),
    copied!(U64 Subject "exe_inode" subject (edit).exe_inode),
    shared!(Low Subject "argv" subject (edit).argv),
    shared!(Low Subject "parents" subject (edit).parents),
    shared!(Low Subject "unit" subject (edit).unit),
    shared!(Low Subject "container" subject (edit).container),
    shared!(Low Subject "destination_name" subject (edit).destination_name),
    shared!(Low Subject "degraded" subject (edit).degraded),
];
