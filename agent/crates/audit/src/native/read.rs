//! A Native block to rows. The bytes may be anybody's: nothing here panics, and no length is believed before the bytes
//! for it are there.

use super::{BLOCK_ROWS_MAX, LOW_GLOBAL_KEYS, LOW_OWN_KEYS, LOW_VERSION};
use crate::codec::bytes::Reader;
use crate::column::{Access, column};
use crate::row::{Blank, Row};
use std::sync::Arc;
use uuid::Uuid;

/// Why bytes are no block.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NativeError {
    /// They end inside the block.
    #[error("the block ends early")]
    Short,
    /// A column that is not ours, or has another type.
    #[error(
        "column `{name}` has the type `{kind}`, which this version can't read; use the version that wrote it"
    )]
    Column {
        /// Its name.
        name: String,
        /// Its type.
        kind: String,
    },
    /// Anything else.
    #[error("the block is damaged: {0}")]
    Damaged(&'static str),
}

type Result<T> = std::result::Result<T, NativeError>;

/// Reads the block at the start of `bytes`: its rows, and its length in bytes. Columns that it lacks stay empty.
pub fn read_block(bytes: &[u8]) -> Result<(Vec<Row>, usize)> {
    let mut reader = Reader::new(bytes);
    let columns = size(&mut reader)?;
    let count = size(&mut reader)?;
    if count > BLOCK_ROWS_MAX {
        return Err(NativeError::Damaged("too many rows"));
    }
    if columns > 0 && count > reader.left() {
        return Err(NativeError::Short);
    }
    let blank = Blank::default();
    let mut rows = Vec::new();
    rows.resize_with(if columns == 0 { 0 } else { count }, || blank.row());
    for _ in 0..columns {
        let name = text(&mut reader)?;
        let kind = text(&mut reader)?;
        match column(name).filter(|column| column.clickhouse() == kind) {
            Some(column) => read_column(&mut reader, &mut rows, &column.access)?,
            None => return Err(NativeError::Column { name: name.to_owned(), kind: kind.to_owned() }),
        }
    }
    Ok((rows, bytes.len() - reader.left()))
}

fn read_column(reader: &mut Reader<'_>, rows: &mut [Row], access: &Access) -> Result<()> {
    match access {
        Access::Uuid(_, set) => each(reader, rows, |row, bytes| set(row, uuid_of(bytes)))?,
        Access::Time(_, set) => each(reader, rows, |row, bytes| set(row, i64::from_le_bytes(bytes)))?,
        Access::U16(_, set) => each(reader, rows, |row, bytes| set(row, u16::from_le_bytes(bytes)))?,
        Access::U32(_, set) => each(reader, rows, |row, bytes| set(row, u32::from_le_bytes(bytes)))?,
        Access::U64(_, set) => each(reader, rows, |row, bytes| set(row, u64::from_le_bytes(bytes)))?,
        Access::Ip(_, set) => each(reader, rows, |row, bytes: [u8; 16]| set(row, bytes.into()))?,
        Access::Word(words) => {
            for row in rows {
                let [code] = reader.array().ok_or(NativeError::Short)?;
                if !(words.set)(row, code) {
                    return Err(NativeError::Damaged("a number stands for no word of its column"));
                }
            }
        }
        Access::Low(_, set) => {
            low_version(reader)?;
            let values = low_values(reader, rows.len())?;
            rows.iter_mut().zip(values).for_each(|(row, value)| set(row, value));
        }
        Access::Text(_, set) => {
            for row in rows {
                set(row, lossy(reader)?);
            }
        }
        Access::Lows(_, set) => {
            low_version(reader)?;
            let lengths = lengths(reader, rows.len())?;
            let mut values = low_values(reader, lengths.iter().sum())?.into_iter();
            for (row, length) in rows.iter_mut().zip(lengths) {
                if length > 0 {
                    set(row, values.by_ref().take(length).collect());
                }
            }
        }
        Access::Nullables(_, set) => {
            let lengths = lengths(reader, rows.len())?;
            let nulls = reader.take(lengths.iter().sum()).ok_or(NativeError::Short)?;
            let mut nulls = nulls.iter();
            for (row, length) in rows.iter_mut().zip(lengths) {
                let mut list = Vec::new();
                for null in nulls.by_ref().take(length) {
                    let value = lossy(reader)?;
                    list.push((*null == 0).then_some(value));
                }
                set(row, list);
            }
        }
    }
    Ok(())
}

/// Reads a fixed number of bytes for each row.
fn each<const N: usize>(
    reader: &mut Reader<'_>,
    rows: &mut [Row],
    mut set: impl FnMut(&mut Row, [u8; N]),
) -> Result<()> {
    for row in rows {
        set(row, reader.array().ok_or(NativeError::Short)?);
    }
    Ok(())
}

fn low_version(reader: &mut Reader<'_>) -> Result<()> {
    match fixed(reader)? {
        LOW_VERSION => Ok(()),
        _ => Err(NativeError::Damaged("a dictionary of an unknown version")),
    }
}

/// The values of a LowCardinality column; they share the texts of its dictionary.
fn low_values(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Arc<str>>> {
    if count == 0 {
        return low_nothing(reader);
    }
    let flags = fixed(reader)?;
    if flags & LOW_GLOBAL_KEYS != 0 || flags & LOW_OWN_KEYS == 0 {
        return Err(NativeError::Damaged("a dictionary outside the block"));
    }
    let keys = usize::try_from(fixed(reader)?).ok().filter(|keys| *keys <= reader.left());
    let keys: Result<Vec<Arc<str>>> =
        (0..keys.ok_or(NativeError::Short)?).map(|_| lossy(reader).map(Arc::from)).collect();
    let keys = keys?;
    if fixed(reader)? != count as u64 {
        return Err(NativeError::Damaged("a dictionary column of another length"));
    }
    let width = match flags & 0xff {
        0 => 1,
        1 => 2,
        2 => 4,
        3 => 8,
        _ => return Err(NativeError::Damaged("an unknown width of indexes")),
    };
    let indexes = count.checked_mul(width).and_then(|size| reader.take(size)).ok_or(NativeError::Short)?;
    let value = |index: &[u8]| {
        let index = index.iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        keys.get(index).cloned().ok_or(NativeError::Damaged("an index outside its dictionary"))
    };
    indexes.chunks_exact(width).map(value).collect()
}

/// A column without values. ClickHouse writes sixteen zeros for it but, as we do, reads nothing; what follows can only
/// be the name of a column, the next block or the end, and none of these begins with a zero.
fn low_nothing(reader: &mut Reader<'_>) -> Result<Vec<Arc<str>>> {
    let mut ahead = reader.clone();
    if ahead.array() == Some([0]) {
        match reader.array::<16>() {
            Some(zeros) if zeros == [0; 16] => {}
            Some(_) => return Err(NativeError::Damaged("an empty dictionary column that is not empty")),
            None => return Err(NativeError::Short),
        }
    }
    Ok(Vec::new())
}

/// The lengths of arrays from their running totals; no longer together than the bytes that are left.
fn lengths(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<usize>> {
    let mut start = 0;
    let mut lengths = Vec::new();
    for _ in 0..rows {
        let end = fixed(reader)?;
        let length =
            end.checked_sub(start).ok_or(NativeError::Damaged("an array that ends before it begins"))?;
        lengths.push(usize::try_from(length).map_err(|_| NativeError::Short)?);
        start = end;
    }
    match usize::try_from(start) {
        Ok(total) if total <= reader.left() => Ok(lengths),
        _ => Err(NativeError::Short),
    }
}

fn fixed(reader: &mut Reader<'_>) -> Result<u64> {
    reader.array().map(u64::from_le_bytes).ok_or(NativeError::Short)
}

fn size(reader: &mut Reader<'_>) -> Result<usize> {
    usize::try_from(reader.number().ok_or(NativeError::Short)?)
        .map_err(|_| NativeError::Damaged("a huge number"))
}

fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a str> {
    let length = size(reader)?;
    std::str::from_utf8(reader.take(length).ok_or(NativeError::Short)?)
        .map_err(|_| NativeError::Damaged("a name that is no text"))
}

/// A text; ClickHouse's strings need not be UTF-8, ours are.
fn lossy(reader: &mut Reader<'_>) -> Result<String> {
    let length = size(reader)?;
    Ok(String::from_utf8_lossy(reader.take(length).ok_or(NativeError::Short)?).into_owned())
}

fn uuid_of(bytes: [u8; 16]) -> Uuid {
    let all = u128::from_le_bytes(bytes);
    Uuid::from_u64_pair(all as u64, (all >> 64) as u64)
}

/// Reads blocks from bytes that arrive in pieces.
#[derive(Default)]
pub struct BlockReader {
    buffer: Vec<u8>,
    start: usize,
    /// Not worth another attempt with fewer bytes than this.
    enough: usize,
}

impl BlockReader {
    /// Takes the next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole block; `None` until more bytes arrive. `last` says that none will: then bytes that are no whole
    /// block are an error.
    ///
    /// # Errors
    /// The bytes are no block.
    pub fn next_block(&mut self, last: bool) -> Result<Option<Vec<Row>>> {
        let bytes = self.buffer.get(self.start..).unwrap_or_default();
        if bytes.is_empty() || (!last && bytes.len() < self.enough) {
            return Ok(None);
        }
        match read_block(bytes) {
            Ok((rows, size)) => {
                self.start += size;
                self.enough = 0;
                Ok(Some(rows))
            }
            // Waiting for half as much again keeps the attempts few.
            Err(NativeError::Short) if !last => {
                self.enough = bytes.len() + bytes.len() / 2;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
