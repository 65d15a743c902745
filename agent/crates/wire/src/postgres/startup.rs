//! The first packet of a connection: what kind it is, and what a login asks for.
//!
//! <https://www.postgresql.org/docs/15/protocol-message-formats.html>: `StartupMessage`, `SSLRequest`,
//! `GSSENCRequest`, `CancelRequest`. These have a length and a code, but no type byte.

use super::frame::Fields;
use crate::{Access, Action, CancelKey, Certainty, Facts, Meaning, Resource, ResourceKind};
use bytes::Bytes;

const CODE_CANCEL: i32 = 80_877_102;
const CODE_SSL: i32 = 80_877_103;
const CODE_GSSENC: i32 = 80_877_104;
/// The first byte of a TLS record that holds a ClientHello.
pub(super) const TLS_HANDSHAKE: u8 = 0x16;

/// What a connection begins with.
#[derive(Debug)]
pub(super) enum First {
    /// `SSLRequest` or `GSSENCRequest`: may this connection be encrypted?
    Encryption,
    /// Another connection's operation is to be interrupted.
    Cancel(CancelKey),
    /// A login.
    Login(Box<Login>),
    /// A protocol that is not spoken.
    Version,
    /// No first packet that PostgreSQL knows.
    Malformed,
}

/// What a `StartupMessage` asks for.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) user: Box<str>,
    pub(super) database: Box<str>,
    pub(super) application: Box<str>,
    /// Talks the replication protocol instead of, or beside, SQL.
    pub(super) replication: bool,
    pub(super) client_encoding: Option<Box<str>>,
    pub(super) meaning: Meaning,
}

/// Length of the first packet: `None` = more bytes are needed, `Err` = impossible or over `max`.
pub(super) fn length(bytes: &[u8], max: usize) -> Result<Option<usize>, ()> {
    let Some(head) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = usize::try_from(i32::from_be_bytes(*head)).map_err(drop)?;
    if (8..=max).contains(&length) { Ok(Some(length)) } else { Err(()) }
}

/// Reads one whole first packet.
pub(super) fn first(packet: &Bytes) -> First {
    let mut fields = Fields(packet.get(4..).unwrap_or_default());
    match fields.i32() {
        Some(CODE_SSL | CODE_GSSENC) if fields.is_empty() => First::Encryption,
        Some(CODE_CANCEL) => cancel(&mut fields, packet).map_or(First::Malformed, First::Cancel),
        Some(version) if version >> 16 == 3 => {
            login(fields).map_or(First::Malformed, |login| First::Login(Box::new(login)))
        }
        Some(_) => First::Version,
        None => First::Malformed,
    }
}

fn cancel(fields: &mut Fields<'_>, packet: &Bytes) -> Option<CancelKey> {
    let process = u32::from_be_bytes(fields.i32()?.to_be_bytes());
    // Four bytes up to protocol 3.0, up to 256 from 3.2 on.
    let secret = fields.0;
    (!secret.is_empty() && secret.len() <= 256)
        .then(|| CancelKey { process, secret: packet.slice_ref(secret) })
}

fn login(mut fields: Fields<'_>) -> Option<Login> {
    let (mut user, mut database, mut application) = (None, None, None);
    let (mut replication, mut client_encoding, mut certainty) = (false, None, Certainty::Exact);
    let mut accesses = vec![
        Access { action: Action::Connect, resource: Resource::new(ResourceKind::Target, &[]) },
        Access { action: Action::Connect, resource: Resource::new(ResourceKind::Database, &[]) },
    ];
    loop {
        let name = text(fields.string()?)?;
        if name.is_empty() {
            break;
        }
        let value = text(fields.string()?)?;
        match name {
            "user" => user = Some(value),
            "database" => database = Some(value),
            "application_name" => application = Some(value),
            "replication" => replication = !matches!(value, "" | "false" | "off" | "no" | "0" | "f" | "n"),
            "options" => {
                if settings_in_options(value, |name| accesses.push(setting(name))).is_none() {
                    certainty = Certainty::Partial;
                }
            }
            // Protocol options, not settings; the target names those it does not know.
            name if name.starts_with("_pq_.") => {}
            name => {
                if name == "client_encoding" {
                    client_encoding = Some(Box::from(value));
                }
                accesses.push(setting(name));
            }
        }
    }
    if !fields.is_empty() {
        return None;
    }
    if replication {
        let resource = Resource::new(ResourceKind::Name, &["replication"]);
        accesses.push(Access { action: Action::Admin, resource });
    }
    let user = user.filter(|user| !user.is_empty())?;
    let doubt = if certainty == Certainty::Exact { "" } else { "the `options` of the login can't be read" };
    let meaning = Meaning {
        verb: "LOGIN".into(),
        action: if replication { Action::Admin } else { Action::Connect },
        accesses: accesses.into_boxed_slice(),
        certainty,
        doubt: doubt.into(),
        facts: Facts::default(),
        fingerprint: 0,
    };
    Some(Login {
        user: user.into(),
        database: database.filter(|database| !database.is_empty()).unwrap_or(user).into(),
        application: application.unwrap_or_default().into(),
        replication,
        client_encoding,
        meaning,
    })
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// A login may change settings as SET does, and is judged as if it did.
fn setting(name: &str) -> Access {
    let name = name.to_ascii_lowercase();
    let action = match name.as_str() {
        "role" | "session_authorization" => Action::Admin,
        _ => Action::Write,
    };
    Access { action, resource: Resource::new(ResourceKind::Name, &["setting", &name]) }
}

/// The settings in the command-line `options` of a login: `-c name=value` and `--name=value`, where a backslash takes
/// the next character as it is. `None` if it holds anything else.
fn settings_in_options(options: &str, mut found: impl FnMut(&str)) -> Option<()> {
    let mut words = words(options).into_iter();
    while let Some(word) = words.next() {
        let assignment = match word.strip_prefix("--") {
            Some(rest) => rest.to_owned(),
            None => match word.strip_prefix("-c")? {
                "" => words.next()?,
                attached => attached.to_owned(),
            },
        };
        let (name, _) = assignment.split_once('=')?;
        // The command line takes dashes for underscores.
        found(&name.replace('-', "_"));
    }
    Some(())
}

fn words(options: &str) -> Vec<String> {
    let (mut words, mut word, mut escaped) = (Vec::new(), String::new(), false);
    for character in options.chars() {
        match character {
            _ if escaped => {
                word.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            _ if character.is_ascii_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(character),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
