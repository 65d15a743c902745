//! The journal's records: small, versioned, checked. Reading never panics and never trusts a length.
//!
//! ```text
//! record  = FF F5 | kind u8 | version u8 | body length u32 LE | CRC-32 u32 LE | body
//! asked   : every `Subject` column in the order of COLUMNS, then every `Asked` column
//! ended   : the id, then every `Ended` column
//! whole   : as asked, then every `Ended` column
//! ```
//! Versions 2 and 3 had fewer `Subject` columns; version 1 had those and the `Asked` columns in one order, that of COLUMNS.
//!
//! The two marker bytes can't occur in UTF-8, and the CRC starts from the segment's random salt: no text that an
//! agent sends can pass for a record. Numbers are LEB128, ids and addresses fixed, texts and lists carry a length.

use crate::column::{ALL, Access, COLUMNS, Column, Part};
use crate::row::Row;
use std::sync::{Arc, LazyLock};
use uuid::Uuid;

pub(crate) mod bytes;
#[cfg(test)]
mod tests;

use bytes::{Reader, put_bytes, put_number};

/// What a record begins with.
pub(crate) const MARKER: [u8; 2] = [0xff, 0xf5];
/// Version of the column lists that the bodies follow.
const VERSION: u8 = 4;
/// How many columns there were before version 3, and before version 4.
const COLUMNS_BEFORE_3: usize = 37;
const COLUMNS_BEFORE_4: usize = 46;
/// The oldest version that is read.
const VERSION_MIN: u8 = 1;
/// Bytes before the body.
pub(crate) const HEAD: usize = 12;
/// Largest body that is written or believed.
pub(crate) const BODY_MAX: usize = 4 << 20;

/// A record as it was read.
#[derive(Debug, PartialEq)]
pub(crate) enum Record {
    /// An operation was asked; its end is not known yet.
    Asked(Box<Row>),
    /// The operation with this id ended; only the `Ended` columns of the row are set.
    Ended(Uuid, Box<Row>),
    /// An operation with its end.
    Whole(Box<Row>),
}

const ASKED: u8 = 1;
const ENDED: u8 = 2;
const WHOLE: u8 = 3;

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Bad {
    /// There may be more to come: the bytes end inside a record.
    Short,
    /// It is no record, or a damaged one.
    Damaged,
    /// A sound record of a version that this build does not know; so many bytes long.
    Version(usize),
}

/// Appends the record of an asked operation.
pub(crate) fn put_asked(out: &mut Vec<u8>, salt: u32, row: &Row) {
    put(out, salt, ASKED, |out| put_begin(out, row));
}

/// Appends the record of an operation's end.
pub(crate) fn put_ended(out: &mut Vec<u8>, salt: u32, row: &Row) {
    put(out, salt, ENDED, |out| {
        out.extend_from_slice(row.id.as_bytes());
        put_end(out, row);
    });
}

/// Appends the record of an operation with its end.
pub(crate) fn put_whole(out: &mut Vec<u8>, salt: u32, row: &Row) {
    put(out, salt, WHOLE, |out| {
        put_begin(out, row);
        put_end(out, row);
    });
}

/// Rewrites the CRC of one whole record for another segment's salt. False if it is not one.
pub(crate) fn resalt(record: &mut [u8], salt: u32) -> bool {
    let Some((head, body)) = record.split_at_mut_checked(HEAD) else { return false };
    let Ok(head) = <&mut [u8; HEAD]>::try_from(head) else { return false };
    let sum = checksum(salt, head, body).to_le_bytes();
    let [.., a, b, c, d] = head;
    [*a, *b, *c, *d] = sum;
    true
}

fn put(out: &mut Vec<u8>, salt: u32, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[MARKER[0], MARKER[1], kind, VERSION, 0, 0, 0, 0, 0, 0, 0, 0]);
    body(out);
    let length = u32::try_from(out.len() - start - HEAD).unwrap_or(u32::MAX).to_le_bytes();
    let Some(record) = out.get_mut(start..) else { return };
    if let Some(field) = record.get_mut(4..8) {
        field.copy_from_slice(&length);
    }
    resalt(record, salt);
}

/// CRC over kind, version, length and body, from the segment's salt.
fn checksum(salt: u32, head: &[u8; HEAD], body: &[u8]) -> u32 {
    let [_, _, kind, version, l0, l1, l2, l3, ..] = *head;
    let mut hasher = crc32fast::Hasher::new_with_initial(salt);
    hasher.update(&[kind, version, l0, l1, l2, l3]);
    hasher.update(body);
    hasher.finalize()
}

/// Reads the record at the start of `bytes`: itself and its length.
pub(crate) fn read(bytes: &[u8], salt: u32) -> Result<(Record, usize), Bad> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else {
        let known = bytes.iter().zip(MARKER).all(|(byte, marker)| *byte == marker);
        return Err(if known { Bad::Short } else { Bad::Damaged });
    };
    let [m0, m1, kind, version, l0, l1, l2, l3, c0, c1, c2, c3] = *head;
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    if [m0, m1] != MARKER || length > BODY_MAX {
        return Err(Bad::Damaged);
    }
    let Some(body) = rest.get(..length) else { return Err(Bad::Short) };
    if checksum(salt, head, body) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(Bad::Damaged);
    }
    let size = HEAD + length;
    if !(VERSION_MIN..=VERSION).contains(&version) {
        return Err(Bad::Version(size));
    }
    let record = read_body(kind, version, body).ok_or(Bad::Damaged)?;
    Ok((record, size))
}

fn read_body(kind: u8, version: u8, body: &[u8]) -> Option<Record> {
    let mut reader = Reader::new(body);
    let mut row = Box::new(Row::blank());
    let record = match kind {
        ASKED => {
            read_begin(&mut reader, &mut row, version)?;
            Record::Asked(row)
        }
        ENDED => {
            let id = Uuid::from_bytes(reader.array()?);
            read_columns(&mut reader, &mut row, &LISTS.ended)?;
            Record::Ended(id, row)
        }
        WHOLE => {
            read_begin(&mut reader, &mut row, version)?;
            read_columns(&mut reader, &mut row, &LISTS.ended)?;
            Record::Whole(row)
        }
        _ => return None,
    };
    reader.is_empty().then_some(record)
}

type List = Vec<&'static Column>;

/// Columns as records hold them, in order.
struct Lists {
    subject: List,
    asked: List,
    ended: List,
    /// Versions 2 and 3: `subject` without what came later.
    older: List,
    old: List,
    /// Version 1: `older` and `asked` in one.
    mixed: List,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    let all = COLUMNS.len();
    let of = |count: usize, parts: &[Part]| {
        COLUMNS.iter().take(count).filter(|column| parts.contains(&column.part)).collect()
    };
    Lists {
        subject: of(all, &[Part::Subject]),
        asked: of(all, &[Part::Asked]),
        ended: of(all, &[Part::Ended]),
        older: of(COLUMNS_BEFORE_3, &[Part::Subject]),
        old: of(COLUMNS_BEFORE_4, &[Part::Subject]),
        mixed: of(COLUMNS_BEFORE_3, &[Part::Subject, Part::Asked]),
    }
});

/// Appends the columns of one part: the loop over [`COLUMNS`], written out so that the compiler knows each column's
/// type and getter. It runs for every operation.
macro_rules! put_part {
    ($out:ident, $row:ident, $part:pat, $($index:literal)+) => {{
        const { assert!(ALL.len() == [$($index),+].len()) };
        $({
            const COLUMN: &Column = &ALL[$index];
            if matches!(COLUMN.part, $part) {
                put_column($out, $row, COLUMN);
            }
        })+
    }};
    ($out:ident, $row:ident, $part:pat) => {
        put_part!($out, $row, $part, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47)
    };
}

fn put_begin(out: &mut Vec<u8>, row: &Row) {
    out.extend_from_slice(row.subject.encoded(|| {
        let mut encoded = Vec::new();
        LISTS.subject.iter().for_each(|column| put_column(&mut encoded, row, column));
        encoded
    }));
    put_part!(out, row, Part::Asked);
}

fn put_end(out: &mut Vec<u8>, row: &Row) {
    put_part!(out, row, Part::Ended);
}

fn read_begin(reader: &mut Reader<'_>, row: &mut Row, version: u8) -> Option<()> {
    if version == 1 {
        return read_columns(reader, row, &LISTS.mixed);
    }
    let subject = match version {
        2 => &LISTS.older,
        3 => &LISTS.old,
        _ => &LISTS.subject,
    };
    read_columns(reader, row, subject)?;
    read_columns(reader, row, &LISTS.asked)
}

#[inline(always)]
fn put_column(out: &mut Vec<u8>, row: &Row, column: &Column) {
    match &column.access {
        Access::Uuid(get, _) => out.extend_from_slice(get(row).as_bytes()),
        Access::Time(get, _) => out.extend_from_slice(&get(row).to_le_bytes()),
        Access::U16(get, _) => out.extend_from_slice(&get(row).to_le_bytes()),
        Access::U32(get, _) => put_number(out, get(row).into()),
        Access::U64(get, _) => put_number(out, get(row)),
        Access::Ip(get, _) => out.extend_from_slice(&get(row).octets()),
        Access::Word(words) => out.push((words.code)(row)),
        Access::Low(get, _) => put_bytes(out, get(row).as_bytes()),
        Access::Text(get, _) => put_bytes(out, get(row).as_bytes()),
        Access::Lows(get, _) => {
            put_number(out, get(row).len() as u64);
            for item in get(row).iter() {
                put_bytes(out, item.as_bytes());
            }
        }
        Access::Nullables(get, _) => {
            put_number(out, get(row).len() as u64);
            for item in get(row) {
                match item {
                    None => put_number(out, 0),
                    Some(text) => {
                        put_number(out, text.len() as u64 + 1);
                        out.extend_from_slice(text.as_bytes());
                    }
                }
            }
        }
    }
}

fn read_columns(reader: &mut Reader<'_>, row: &mut Row, columns: &[&Column]) -> Option<()> {
    for column in columns {
        match &column.access {
            Access::Uuid(_, set) => set(row, Uuid::from_bytes(reader.array()?)),
            Access::Time(_, set) => set(row, i64::from_le_bytes(reader.array()?)),
            Access::U16(_, set) => set(row, u16::from_le_bytes(reader.array()?)),
            Access::U32(_, set) => set(row, u32::try_from(reader.number()?).ok()?),
            Access::U64(_, set) => set(row, reader.number()?),
            Access::Ip(_, set) => set(row, reader.array::<16>()?.into()),
            Access::Word(words) => {
                let [code] = reader.array()?;
                (words.set)(row, code).then_some(())?;
            }
            Access::Low(_, set) => set(row, Arc::from(reader.text()?)),
            Access::Text(_, set) => set(row, reader.text()?.to_owned()),
            Access::Lows(_, set) => {
                let count = reader.count()?;
                let list: Option<Vec<Arc<str>>> = (0..count).map(|_| reader.text().map(Arc::from)).collect();
                set(row, list?.into());
            }
            Access::Nullables(_, set) => {
                let count = reader.count()?;
                let list: Option<Vec<_>> = (0..count).map(|_| read_nullable(reader)).collect();
                set(row, list?);
            }
        }
    }
    Some(())
}

fn read_nullable(reader: &mut Reader<'_>) -> Option<Option<String>> {
    match reader.number()?.checked_sub(1) {
        None => Some(None),
        Some(length) => reader.text_of(usize::try_from(length).ok()?).map(|text| Some(text.to_owned())),
    }
}
