//! Words, numbers and the many kinds of quotes.

use super::{Kind, Lexer, is_word, is_word_start};

/// What may stand in a string besides its text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Quote {
    /// `''` for a quote.
    Plain,
    /// That, and a backslash before any character.
    Escapes,
    /// Neither: bit strings.
    Bits,
}

impl Lexer<'_> {
    /// A word, or a string or identifier that a letter before its quote makes special.
    pub(super) fn word(&mut self) -> Kind {
        match (self.peek(0), self.peek(1), self.peek(2)) {
            (b'e' | b'E', b'\'', _) => {
                self.at += 1;
                self.string(Quote::Escapes);
                Kind::Other
            }
            (b'b' | b'B' | b'x' | b'X', b'\'', _) => {
                self.at += 1;
                self.string(Quote::Bits);
                Kind::Other
            }
            (b'u' | b'U', b'&', b'\'') => {
                self.at += 2;
                self.string(Quote::Plain);
                Kind::Other
            }
            (b'u' | b'U', b'&', b'"') => {
                self.at += 2;
                self.quoted();
                Kind::Other
            }
            _ => {
                self.skip_bytes(is_word);
                Kind::Word
            }
        }
    }

    pub(super) fn text(&mut self) -> Kind {
        if self.string(Quote::Plain) { Kind::Text } else { Kind::Other }
    }

    /// Skips `'…'` with its continuations on further lines; is it in one piece, ended, and without a backslash?
    fn string(&mut self, quote: Quote) -> bool {
        let mut plain = true;
        loop {
            self.at += 1;
            match self.string_piece(quote) {
                None => return false,
                Some(backslash) => plain &= !backslash,
            }
            if !self.continues() {
                return plain;
            }
            plain = false;
        }
    }

    /// Skips to behind the closing quote; was there a backslash? `None` if the text ends first.
    fn string_piece(&mut self, quote: Quote) -> Option<bool> {
        let mut backslash = false;
        while self.at < self.text.len() {
            match self.peek(0) {
                b'\'' if quote != Quote::Bits && self.peek(1) == b'\'' => self.at += 2,
                b'\'' => {
                    self.at += 1;
                    return Some(backslash);
                }
                b'\\' => {
                    backslash = true;
                    self.at += if quote == Quote::Escapes { 2 } else { 1 };
                }
                _ => self.at += 1,
            }
        }
        None
    }

    /// Moves on to the next quote if only blanks with a line break among them are between.
    fn continues(&mut self) -> bool {
        let mut ahead = self.clone();
        let mut newline = false;
        loop {
            match ahead.peek(0) {
                b'\n' | b'\r' => {
                    newline = true;
                    ahead.at += 1;
                }
                b' ' | b'\t' | 0x0b | 0x0c => ahead.at += 1,
                b'-' if ahead.peek(1) == b'-' => ahead.skip_bytes(|byte| !matches!(byte, b'\n' | b'\r')),
                b'\'' if newline => {
                    self.at = ahead.at;
                    return true;
                }
                _ => return false,
            }
        }
    }

    pub(super) fn quoted(&mut self) -> Kind {
        self.at += 1;
        while self.at < self.text.len() {
            match (self.peek(0), self.peek(1)) {
                (b'"', b'"') => self.at += 2,
                (b'"', _) => {
                    self.at += 1;
                    return Kind::Quoted;
                }
                _ => self.at += 1,
            }
        }
        Kind::Other
    }

    /// `$1`, `$tag$…$tag$`, or a stray `$`.
    pub(super) fn dollar(&mut self) -> Kind {
        let start = self.at;
        self.at += 1;
        if self.peek(0).is_ascii_digit() {
            self.skip_bytes(|byte| byte.is_ascii_digit());
            return if is_word_start(self.peek(0)) { Kind::Other } else { Kind::Parameter };
        }
        if is_word_start(self.peek(0)) {
            self.skip_bytes(|byte| is_word_start(byte) || byte.is_ascii_digit());
        }
        if self.peek(0) != b'$' {
            self.at = start + 1;
            return Kind::Other;
        }
        self.at += 1;
        let tag = self.text.get(start..self.at).unwrap_or_default();
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at =
            memchr::memmem::find(rest, tag).map_or(self.text.len(), |found| self.at + found + tag.len());
        Kind::Other
    }

    /// Skips digits; are some of them grouped by `_`, as newer servers allow?
    fn digits(&mut self) -> bool {
        let mut grouped = false;
        loop {
            self.skip_bytes(|byte| byte.is_ascii_digit());
            if self.peek(0) != b'_' || !self.peek(1).is_ascii_digit() {
                return grouped;
            }
            self.at += 1;
            grouped = true;
        }
    }

    pub(super) fn number(&mut self) -> Kind {
        let mut grouped = self.digits();
        if self.peek(0) == b'.' && self.peek(1) != b'.' {
            self.at += 1;
            grouped |= self.digits();
        }
        if matches!(self.peek(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if self.peek(1 + sign).is_ascii_digit() {
                self.at += 1 + sign;
                grouped |= self.digits();
            }
        }
        if is_word_start(self.peek(0)) || self.peek(0) == b'.' {
            self.skip_bytes(is_word);
            return Kind::Other;
        }
        if grouped {
            return Kind::Other;
        }
        Kind::Number
    }
}
