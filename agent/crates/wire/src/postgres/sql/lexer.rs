//! PostgreSQL's lexical rules, as far as literals, comments and brackets go.
//!
//! It decides nothing about a statement's meaning: it finds the constants that a shape leaves out, and refuses deep
//! nesting before the parser sees it. Tests hold its tokens against `pg_query::scan`.

mod literal;

/// What a token is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A keyword or an identifier without quotes.
    Word,
    /// `"…"`.
    Quoted,
    /// A decimal number in its plainest form: digits, perhaps a fraction, perhaps an exponent.
    Number,
    /// `'…'` in one piece and without a backslash.
    Text,
    /// `$1`.
    Parameter,
    /// One of `( ) [ ] , ; .`.
    Symbol(u8),
    /// A run of operator characters, perhaps several operators.
    Operator,
    /// Anything else: strings with a prefix or in several pieces, dollar quotes, odd numbers, stray characters.
    Other,
}

/// A token and the bytes it takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The tokens of a text, without white space and comments.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// The longest run of operator characters so far, those in block comments included.
    operator_bytes: usize,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self::at(text, 0)
    }

    /// The tokens from `start` on, where one begins or ends.
    pub(super) const fn at(text: &'a [u8], start: usize) -> Self {
        Self { text, at: start, operator_bytes: 0 }
    }

    /// The byte `ahead` of the current one; 0 past the end.
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at.saturating_add(ahead)).copied().unwrap_or(0)
    }

    fn skip_bytes(&mut self, wanted: impl Fn(u8) -> bool) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|byte| !wanted(*byte)).unwrap_or(rest.len());
    }

    fn skip_blank(&mut self) {
        while self.at < self.text.len() {
            match self.peek(0) {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => self.at += 1,
                b'-' if self.peek(1) == b'-' => self.skip_bytes(|byte| !matches!(byte, b'\n' | b'\r')),
                b'/' if self.peek(1) == b'*' => self.skip_block_comment(),
                _ => return,
            }
        }
    }

    fn skip_block_comment(&mut self) {
        let (mut depth, mut run) = (0_u32, self.at);
        while self.at < self.text.len() {
            if is_operator(self.peek(0)) {
                self.operator_bytes = self.operator_bytes.max(self.at.saturating_sub(run) + 1);
            } else {
                run = self.at + 1;
            }
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth = depth.saturating_add(1);
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth = depth.saturating_sub(1);
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    fn operator(&mut self) -> Kind {
        let start = self.at;
        while is_operator(self.peek(0)) {
            if matches!((self.peek(0), self.peek(1)), (b'-', b'-') | (b'/', b'*')) {
                break;
            }
            self.at += 1;
        }
        self.operator_bytes = self.operator_bytes.max(self.at - start);
        Kind::Operator
    }

    fn scan(&mut self) -> Kind {
        match self.peek(0) {
            symbol @ (b'(' | b')' | b'[' | b']' | b',' | b';') => {
                self.at += 1;
                Kind::Symbol(symbol)
            }
            b'.' if !self.peek(1).is_ascii_digit() => {
                // `..` is one token, so that `1..2` has a 1 and a 2.
                self.at += if self.peek(1) == b'.' { 2 } else { 1 };
                Kind::Symbol(b'.')
            }
            b'0'..=b'9' | b'.' => self.number(),
            b'\'' => self.text(),
            b'"' => self.quoted(),
            b'$' => self.dollar(),
            byte if is_word_start(byte) => self.word(),
            byte if is_operator(byte) => self.operator(),
            _ => {
                self.at += 1;
                Kind::Other
            }
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blank();
        let start = self.at;
        if start >= self.text.len() {
            return None;
        }
        let kind = self.scan();
        // No token is empty, so that every caller's loop ends.
        self.at = self.at.clamp(start + 1, self.text.len());
        Some(Token { kind, start, end: self.at })
    }
}

const fn is_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'~' | b'!'
            | b'@'
            | b'#'
            | b'^'
            | b'&'
            | b'|'
            | b'`'
            | b'?'
            | b'+'
            | b'-'
            | b'*'
            | b'/'
            | b'%'
            | b'<'
            | b'>'
            | b'='
            | b':'
    )
}

const fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

pub(super) const fn is_word(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// Longer runs of operator characters are refused: PostgreSQL's scanner looks at the rest of a run again for each
/// operator or comment that starts in it, which for 1 MiB of `/*/*/*` takes half an hour.
const OPERATOR_BYTES_MAX: usize = 256;

/// Does nothing in `text` nest deeper than `max`, nor slow the scanner down? Counts open brackets and, between two commas or the like, the
/// operators that each may nest one level. The parser has limits of its own: this one refuses early, and in one pass.
pub(super) fn is_readable(text: &[u8], max: usize) -> bool {
    let mut levels: Vec<usize> = Vec::new();
    // `outer` is the depth that all levels but the last have reached, `here` that of the last.
    let (mut outer, mut here) = (0_usize, 0_usize);
    let mut lexer = Lexer::new(text);
    while let Some(token) = lexer.next() {
        match token.kind {
            Kind::Symbol(b'(' | b'[') => {
                levels.push(here);
                outer += here + 1;
                here = 0;
            }
            Kind::Symbol(b')' | b']') => {
                if let Some(before) = levels.pop() {
                    outer = outer.saturating_sub(before + 1);
                    here = before;
                }
            }
            Kind::Symbol(b',' | b';') => here = 0,
            Kind::Operator => here += token.end - token.start,
            Kind::Word => {
                let word = text.get(token.start..token.end).unwrap_or_default();
                here = if separates(word) { 0 } else { here + usize::from(nests(word)) };
            }
            _ => {}
        }
        if outer + here > max || lexer.operator_bytes > OPERATOR_BYTES_MAX {
            return false;
        }
    }
    lexer.operator_bytes <= OPERATOR_BYTES_MAX
}

fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|wanted| word.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// Words between parts that do not nest in each other, whatever their number.
fn separates(word: &[u8]) -> bool {
    is_one_of(word, &["and", "or", "when", "then", "else", "where"])
}

/// Words that nest what is before or after them one level deeper.
fn nests(word: &[u8]) -> bool {
    const WORDS: [&str; 16] = [
        "not",
        "is",
        "isnull",
        "notnull",
        "like",
        "ilike",
        "similar",
        "collate",
        "at",
        "join",
        "union",
        "intersect",
        "except",
        "case",
        "atomic",
        "operator",
    ];
    is_one_of(word, &WORDS)
}

#[cfg(test)]
mod tests;
