//! Rows as text: JSON objects and CSV records, and JSON objects back to rows.

use crate::column::{Access, COLUMNS};
use crate::row::Row;
use serde_json::{Map, Value};
use std::fmt::Write;
use std::sync::Arc;
use uuid::Uuid;

#[cfg(test)]
mod tests;
mod time;

pub use time::{parse_time, show_time};

/// Appends the row as one JSON object on one line, without a line feed. Every column, in order. Characters that could
/// steer a terminal are escaped.
pub fn write_json(row: &Row, out: &mut String) {
    let mut lead = '{';
    for column in COLUMNS {
        out.push(lead);
        lead = ',';
        put_json(column.name, out);
        out.push(':');
        match &column.access {
            Access::Lows(get, _) => put_list(get(row).iter().map(|item| Some(&**item)), out),
            Access::Nullables(get, _) => put_list(get(row).iter().map(Option::as_deref), out),
            Access::U16(..) | Access::U32(..) | Access::U64(..) => put_plain(row, &column.access, out),
            Access::Low(get, _) => put_json(get(row), out),
            Access::Text(get, _) => put_json(get(row), out),
            access => {
                out.push('"');
                put_plain(row, access, out);
                out.push('"');
            }
        }
    }
    out.push('}');
}

/// The row as a JSON object.
pub fn json(row: &Row) -> String {
    let mut out = String::with_capacity(1_024 + row.statement.len());
    write_json(row, &mut out);
    out
}

/// Reads what [`write_json`] writes. Columns that are missing stay empty, unknown ones are passed over.
///
/// # Errors
/// One line that names the first column that does not fit.
pub fn read_json(text: &str) -> Result<Row, String> {
    let fields: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("the row is not a JSON object: {error}"))?;
    let mut row = Row::blank();
    for column in COLUMNS {
        if let Some(value) = fields.get(column.name) {
            set(&mut row, &column.access, value)
                .ok_or_else(|| format!("the row's `{}` is not a {}", column.name, column.clickhouse()))?;
        }
    }
    Ok(row)
}

fn set(row: &mut Row, access: &Access, value: &Value) -> Option<()> {
    let list = |value: &Value| -> Option<Vec<Option<String>>> {
        let text = |item: &Value| {
            if item.is_null() { Some(None) } else { item.as_str().map(|t| Some(t.to_owned())) }
        };
        value.as_array()?.iter().map(text).collect()
    };
    match access {
        Access::Uuid(_, set) => set(row, Uuid::parse_str(value.as_str()?).ok()?),
        Access::Time(_, set) => set(row, parse_time(value.as_str()?)?),
        Access::U16(_, set) => set(row, u16::try_from(value.as_u64()?).ok()?),
        Access::U32(_, set) => set(row, u32::try_from(value.as_u64()?).ok()?),
        Access::U64(_, set) => set(row, value.as_u64()?),
        Access::Ip(_, set) => set(row, value.as_str()?.parse().ok()?),
        Access::Word(words) => (words.set)(row, (words.code_of)(value.as_str()?)?).then_some(())?,
        Access::Low(_, set) => set(row, Arc::from(value.as_str()?)),
        Access::Text(_, set) => set(row, value.as_str()?.to_owned()),
        Access::Lows(_, set) => {
            let items: Option<Vec<Arc<str>>> =
                list(value)?.into_iter().map(|item| item.map(Arc::from)).collect();
            set(row, items?.into());
        }
        Access::Nullables(_, set) => set(row, list(value)?),
    }
    Some(())
}

/// The names of all columns as a CSV record, with its line end.
pub fn csv_header() -> String {
    let names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
    names.join(",") + "\r\n"
}

/// Appends the row as one CSV record (RFC 4180) with its line end. Lists are JSON arrays.
pub fn write_csv(row: &Row, out: &mut String) {
    let mut field = String::new();
    for (index, column) in COLUMNS.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        field.clear();
        put_plain(row, &column.access, &mut field);
        if field.contains(['"', ',', '\r', '\n']) {
            out.push('"');
            out.push_str(&field.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&field);
        }
    }
    out.push_str("\r\n");
}

/// The value of one column as plain text, as CSV and the terminal show it. `None` for an unknown column.
pub fn value(row: &Row, column: &str) -> Option<String> {
    let mut out = String::new();
    put_plain(row, &crate::column::column(column)?.access, &mut out);
    Some(out)
}

fn put_plain(row: &Row, access: &Access, out: &mut String) {
    // Writing into a String can't fail.
    let _ = match access {
        Access::Uuid(get, _) => write!(out, "{}", get(row)),
        Access::Time(get, _) => write!(out, "{}", show_time(get(row))),
        Access::U16(get, _) => write!(out, "{}", get(row)),
        Access::U32(get, _) => write!(out, "{}", get(row)),
        Access::U64(get, _) => write!(out, "{}", get(row)),
        Access::Ip(get, _) => write!(out, "{}", get(row)),
        Access::Word(words) => out.write_str((words.word)(row)),
        Access::Low(get, _) => out.write_str(get(row)),
        Access::Text(get, _) => out.write_str(get(row)),
        Access::Lows(get, _) => {
            put_list(get(row).iter().map(|item| Some(&**item)), out);
            Ok(())
        }
        Access::Nullables(get, _) => {
            put_list(get(row).iter().map(Option::as_deref), out);
            Ok(())
        }
    };
}

fn put_list<'a>(items: impl Iterator<Item = Option<&'a str>>, out: &mut String) {
    out.push('[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        match item {
            Some(text) => put_json(text, out),
            None => out.push_str("null"),
        }
    }
    out.push(']');
}

/// A JSON string. Everything that a terminal might obey is escaped: all control characters and the marks that turn
/// the direction of writing around.
fn put_json(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if steers(letter) => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}

/// Can this character steer a terminal or hide text on it?
pub fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
