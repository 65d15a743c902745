//! Messages for scripted conversations, and a bench that has logged in.

use crate::fuzz::Bench;
use crate::postgres::Postgres;
use crate::{Limits, Options, Side, Verdict};
use std::sync::{Arc, LazyLock};

/// One set of caches serves all tests, as it serves all sessions.
static OPTIONS: LazyLock<Options> = LazyLock::new(|| Options::new(Arc::new(Limits::default())));

pub(super) fn options() -> Options {
    OPTIONS.clone()
}

pub(super) fn plain_options() -> Options {
    Options { no_lookups: true, ..options() }
}

pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&i32::try_from(body.len() + 4).unwrap().to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn strings(parts: &[&str]) -> Vec<u8> {
    parts.iter().flat_map(|part| part.bytes().chain([0])).collect()
}

pub(super) fn startup(settings: &[(&str, &str)]) -> Vec<u8> {
    let mut body = 196_608_i32.to_be_bytes().to_vec();
    for (name, value) in settings {
        body.extend(strings(&[name, value]));
    }
    body.push(0);
    let mut packet = i32::try_from(body.len() + 4).unwrap().to_be_bytes().to_vec();
    packet.append(&mut body);
    packet
}

pub(super) fn request(code: i32, rest: &[u8]) -> Vec<u8> {
    let mut packet = i32::try_from(8 + rest.len()).unwrap().to_be_bytes().to_vec();
    packet.extend_from_slice(&code.to_be_bytes());
    packet.extend_from_slice(rest);
    packet
}

pub(super) fn query(text: &str) -> Vec<u8> {
    message(b'Q', &strings(&[text]))
}

pub(super) fn parse(name: &str, text: &str) -> Vec<u8> {
    let mut body = strings(&[name, text]);
    body.extend_from_slice(&[0, 0]);
    message(b'P', &body)
}

pub(super) fn bind(portal: &str, statement: &str, values: &[&str]) -> Vec<u8> {
    let mut body = strings(&[portal, statement]);
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(&u16::try_from(values.len()).unwrap().to_be_bytes());
    for value in values {
        body.extend_from_slice(&i32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend_from_slice(value.as_bytes());
    }
    body.extend_from_slice(&[0, 0]);
    message(b'B', &body)
}

pub(super) fn describe(kind: char, name: &str) -> Vec<u8> {
    message(b'D', &strings(&[&format!("{kind}{name}")]))
}

pub(super) fn close(kind: char, name: &str) -> Vec<u8> {
    message(b'C', &strings(&[&format!("{kind}{name}")]))
}

pub(super) fn execute(portal: &str) -> Vec<u8> {
    let mut body = strings(&[portal]);
    body.extend_from_slice(&[0; 4]);
    message(b'E', &body)
}

pub(super) fn sync() -> Vec<u8> {
    message(b'S', &[])
}

pub(super) fn ready(status: u8) -> Vec<u8> {
    message(b'Z', &[status])
}

pub(super) fn complete(tag: &str) -> Vec<u8> {
    message(b'C', &strings(&[tag]))
}

pub(super) fn error(code: &str, text: &str) -> Vec<u8> {
    let mut body = strings(&["SERROR", &format!("C{code}"), &format!("M{text}")]);
    body.push(0);
    message(b'E', &body)
}

pub(super) fn row(values: &[&str]) -> Vec<u8> {
    let mut body = u16::try_from(values.len()).unwrap().to_be_bytes().to_vec();
    for value in values {
        body.extend_from_slice(&i32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend_from_slice(value.as_bytes());
    }
    message(b'D', &body)
}

/// What the target says to the lookup of the search path.
pub(super) fn looked_up(path: &str) -> Vec<u8> {
    looked_up_in(path, b'I')
}

/// The same, in that state of the transaction.
pub(super) fn looked_up_in(path: &str, status: u8) -> Vec<u8> {
    let closed = message(b'3', &[]);
    let bound = [closed.clone(), message(b'1', &[]), message(b'2', &[])].concat();
    let found = [row(&[path, "on", "UTF8", "app"]), complete("SELECT 1")].concat();
    [bound, found, closed.clone(), closed, ready(status)].concat()
}

pub(super) fn welcome() -> Vec<u8> {
    let key = message(b'K', &[0, 0, 0, 7, 1, 2, 3, 4]);
    let setting = message(b'S', &strings(&["standard_conforming_strings", "on"]));
    [message(b'R', &[0; 4]), setting, key, ready(b'I')].concat()
}

/// A session that is logged in under the search path `{pg_catalog,public}`.
pub(super) fn logged_in() -> Bench {
    let mut bench = Bench::new(&Postgres, &options());
    bench.data_answered(Side::Client, &startup(&[("user", "app"), ("database", "shop")]), |_| {
        Verdict::Forward
    });
    bench.data(Side::Server, &welcome());
    bench.data(Side::Server, &looked_up("{pg_catalog,public}"));
    assert!(bench.seen.to_client.ends_with(&ready(b'I')), "not let in: {:?}", bench.seen);
    bench.seen = crate::fuzz::Transcript::default();
    bench
}

/// Lets everything pass.
pub(super) fn forward(bench: &mut Bench, bytes: &[u8]) {
    bench.data_answered(Side::Client, bytes, |_| Verdict::Forward);
}

/// Refuses every operation whose text or verb holds `what`.
pub(super) fn refuse(bench: &mut Bench, bytes: &[u8], what: &str) {
    bench.data_answered(Side::Client, bytes, |question| {
        let op = question.op();
        let text = String::from_utf8_lossy(&op.text);
        if text.contains(what) || op.meaning.verb.contains(what) {
            crate::fuzz::denial()
        } else {
            Verdict::Forward
        }
    });
}

pub(super) fn contains(bytes: &[u8], what: &str) -> bool {
    memchr::memmem::find(bytes, what.as_bytes()).is_some()
}
