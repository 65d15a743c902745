//! Rows to a Native block.

use super::LOW_VERSION;
use super::low::Dictionary;
use crate::codec::bytes::{put_bytes, put_number};
use crate::column::{Access, COLUMNS};
use crate::row::Row;
use std::borrow::Borrow;
use uuid::Uuid;

/// Appends one block of all `rows`, with every column.
pub fn write_block<R: Borrow<Row>>(rows: &[R], out: &mut Vec<u8>) {
    put_number(out, COLUMNS.len() as u64);
    put_number(out, rows.len() as u64);
    for column in COLUMNS {
        put_bytes(out, column.name.as_bytes());
        put_bytes(out, column.clickhouse().as_bytes());
        write_column(rows, &column.access, out);
    }
}

fn write_column<R: Borrow<Row>>(rows: &[R], access: &Access, out: &mut Vec<u8>) {
    let each = || rows.iter().map(Borrow::borrow);
    match access {
        Access::Uuid(get, _) => out.extend(each().flat_map(|row| uuid_bytes(get(row)))),
        Access::Time(get, _) => out.extend(each().flat_map(|row| get(row).to_le_bytes())),
        Access::U16(get, _) => out.extend(each().flat_map(|row| get(row).to_le_bytes())),
        Access::U32(get, _) => out.extend(each().flat_map(|row| get(row).to_le_bytes())),
        Access::U64(get, _) => out.extend(each().flat_map(|row| get(row).to_le_bytes())),
        Access::Ip(get, _) => out.extend(each().flat_map(|row| get(row).octets())),
        Access::Word(words) => out.extend(each().map(|row| (words.code)(row))),
        Access::Low(get, _) => {
            let mut dictionary = Dictionary::default();
            each().for_each(|row| dictionary.push(get(row)));
            out.extend_from_slice(&LOW_VERSION.to_le_bytes());
            dictionary.write(out);
        }
        Access::Text(get, _) => each().for_each(|row| put_bytes(out, get(row).as_bytes())),
        Access::Lows(get, _) => {
            let mut dictionary = Dictionary::default();
            out.extend_from_slice(&LOW_VERSION.to_le_bytes());
            write_offsets(each().map(|row| get(row).len()), out);
            each().for_each(|row| dictionary.extend(get(row)));
            dictionary.write(out);
        }
        Access::Nullables(get, _) => {
            write_offsets(each().map(|row| get(row).len()), out);
            out.extend(each().flat_map(get).map(|item| u8::from(item.is_none())));
            for item in each().flat_map(get) {
                put_bytes(out, item.as_deref().unwrap_or_default().as_bytes());
            }
        }
    }
}

/// The running totals of the lengths of arrays.
fn write_offsets(lengths: impl Iterator<Item = usize>, out: &mut Vec<u8>) {
    let mut end = 0_u64;
    for length in lengths {
        end += length as u64;
        out.extend_from_slice(&end.to_le_bytes());
    }
}

/// ClickHouse keeps a UUID as its two halves, each little-endian.
fn uuid_bytes(id: Uuid) -> [u8; 16] {
    let (high, low) = id.as_u64_pair();
    let mut bytes = [0; 16];
    let (first, second) = bytes.split_at_mut(8);
    first.copy_from_slice(&high.to_le_bytes());
    second.copy_from_slice(&low.to_le_bytes());
    bytes
}
