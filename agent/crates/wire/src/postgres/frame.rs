//! Bytes ↔ messages: the framing of protocol 3.0 and the few message bodies that are read.
//!
//! <https://www.postgresql.org/docs/15/protocol-message-formats.html>

use bytes::{Bytes, BytesMut};

/// Type byte and length of a message: `length` counts itself and the body, not the type byte.
pub(super) const HEADER_BYTES: usize = 5;

/// The header of one typed message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    pub(super) kind: u8,
    /// Bytes of the whole message, header included.
    pub(super) total: usize,
}

/// The header at the front of `bytes`: `None` = more bytes are needed, `Err` = a length no message can have.
pub(super) fn header(bytes: &[u8]) -> Result<Option<Header>, ()> {
    let Some((&[kind, a, b, c, d], _)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let length = usize::try_from(i32::from_be_bytes([a, b, c, d])).map_err(drop)?;
    if length < 4 {
        return Err(());
    }
    Ok(Some(Header { kind, total: length + 1 }))
}

/// Bytes that arrived and were not used yet. Chunks are passed on without copying as long as messages end where
/// chunks do, or may be streamed; only a message that must be seen whole and arrives in pieces is gathered.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    chunk: Bytes,
    gathered: BytesMut,
}

impl Inbound {
    pub(super) fn push(&mut self, bytes: Bytes) {
        if self.gathered.is_empty() && self.chunk.is_empty() {
            self.chunk = bytes;
            return;
        }
        if !self.chunk.is_empty() {
            self.gathered.extend_from_slice(&self.chunk);
            self.chunk = Bytes::new();
        }
        self.gathered.extend_from_slice(&bytes);
    }

    pub(super) fn front(&self) -> &[u8] {
        if self.gathered.is_empty() { &self.chunk } else { &self.gathered }
    }

    pub(super) fn len(&self) -> usize {
        self.front().len()
    }

    /// Takes the first `count` bytes, or all there are.
    pub(super) fn take(&mut self, count: usize) -> Bytes {
        let count = count.min(self.len());
        if self.gathered.is_empty() {
            return self.chunk.split_to(count);
        }
        let taken = self.gathered.split_to(count).freeze();
        if self.gathered.is_empty() {
            // Let go of the block that a long message made grow.
            self.gathered = BytesMut::new();
        }
        taken
    }
}

/// Reads the fields of one message body; every read is checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn u8(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    pub(super) fn i16(&mut self) -> Option<i16> {
        let (&head, rest) = self.0.split_first_chunk::<2>()?;
        self.0 = rest;
        Some(i16::from_be_bytes(head))
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        let (&head, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(i32::from_be_bytes(head))
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    /// A string up to its NUL, which is taken and not returned.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(0, self.0)?;
        let head = self.bytes(end)?;
        self.u8()?;
        Some(head)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The body of a message whose header was read.
pub(super) fn body(message: &[u8]) -> &[u8] {
    message.get(HEADER_BYTES..).unwrap_or_default()
}

/// Client messages that are read. Their bodies borrow from the message.
pub(super) mod client {
    use super::Fields;
    use bytes::Bytes;

    /// `Parse`: name and text; the parameter types are skipped, but must be there.
    pub(in super::super) fn parse(body: &[u8]) -> Option<(&[u8], &[u8])> {
        let mut fields = Fields(body);
        let name = fields.string()?;
        let text = fields.string()?;
        let count = u16::try_from(fields.i16()?).ok()?;
        fields.bytes(usize::from(count) * 4)?;
        fields.is_empty().then_some((name, text))
    }

    /// What a `Bind` says.
    pub(in super::super) struct Bind<'a> {
        pub(in super::super) portal: &'a [u8],
        pub(in super::super) statement: &'a [u8],
        pub(in super::super) values: Vec<Option<Bytes>>,
    }

    /// `Bind`. `message` is the whole message, so that values are slices of it, not copies.
    pub(in super::super) fn bind(message: &Bytes) -> Option<Bind<'_>> {
        let mut fields = Fields(super::body(message));
        let portal = fields.string()?;
        let statement = fields.string()?;
        let formats = u16::try_from(fields.i16()?).ok()?;
        fields.bytes(usize::from(formats) * 2)?;
        // The count is unsigned on the wire since 65,535 parameters are allowed.
        let count = u16::from_be_bytes(fields.i16()?.to_be_bytes());
        // Each value takes four bytes at least: the count alone can't make the list grow.
        let mut values = Vec::with_capacity(usize::from(count).min(fields.0.len() / 4));
        for _ in 0..count {
            values.push(match fields.i32()? {
                -1 => None,
                length => Some(message.slice_ref(fields.bytes(usize::try_from(length).ok()?)?)),
            });
        }
        let results = u16::try_from(fields.i16()?).ok()?;
        fields.bytes(usize::from(results) * 2)?;
        fields.is_empty().then_some(Bind { portal, statement, values })
    }

    /// Of a `Bind`, only the prepared statement.
    pub(in super::super) fn bound(body: &[u8]) -> Option<&[u8]> {
        let mut fields = Fields(body);
        fields.string()?;
        fields.string()
    }

    /// `Describe` and `Close`: `S`tatement or `P`ortal, and its name.
    pub(in super::super) fn named(body: &[u8]) -> Option<(u8, &[u8])> {
        let mut fields = Fields(body);
        let kind = fields.u8()?;
        let name = fields.string()?;
        fields.is_empty().then_some((kind, name))
    }

    /// `Execute`: the portal.
    pub(in super::super) fn execute(body: &[u8]) -> Option<&[u8]> {
        let mut fields = Fields(body);
        let portal = fields.string()?;
        fields.i32()?;
        fields.is_empty().then_some(portal)
    }

    /// `Query`: the text.
    pub(in super::super) fn query(body: &[u8]) -> Option<&[u8]> {
        let mut fields = Fields(body);
        let text = fields.string()?;
        fields.is_empty().then_some(text)
    }
}

/// The parts of server messages that are read.
pub(super) mod server {
    use super::Fields;

    /// SQLSTATE and message of an `ErrorResponse`.
    pub(in super::super) fn error(body: &[u8]) -> (Box<str>, Box<str>) {
        let mut fields = Fields(body);
        let (mut code, mut message) = (Box::from(""), Box::from(""));
        while let Some(kind) = fields.u8().filter(|kind| *kind != 0) {
            let Some(text) = fields.string() else { break };
            let text = || String::from_utf8_lossy(text).into_owned().into_boxed_str();
            match kind {
                b'C' => code = text(),
                b'M' => message = text(),
                _ => {}
            }
        }
        (code, message)
    }

    /// The number of rows in a `CommandComplete` tag: its last word, if that is a number.
    pub(in super::super) fn rows(body: &[u8]) -> u64 {
        let tag = Fields(body).string().unwrap_or_default();
        let last = tag.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        std::str::from_utf8(last).ok().and_then(|word| word.parse().ok()).unwrap_or(0)
    }

    /// Name and value of a `ParameterStatus`.
    pub(in super::super) fn parameter(body: &[u8]) -> Option<(&[u8], &[u8])> {
        let mut fields = Fields(body);
        Some((fields.string()?, fields.string()?))
    }

    /// The text values of a `DataRow`'s columns.
    pub(in super::super) fn row(body: &[u8]) -> Option<Vec<&[u8]>> {
        let mut fields = Fields(body);
        let count = u16::try_from(fields.i16()?).ok()?;
        (0..count)
            .map(|_| match fields.i32()? {
                -1 => Some(&b""[..]),
                length => fields.bytes(usize::try_from(length).ok()?),
            })
            .collect()
    }
}
