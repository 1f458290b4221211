//! Finds include directives in YARA rules, where yara's own lexer would.
//!
//! Follows the lexer of yara 4: a directive is `include`, blanks on the same
//! line and a path in quotes, anywhere but in a string, regular expression,
//! comment or hex string. It knows no grammar, and neither does that lexer: any
//! `/` outside those opens a regular expression. What versions of yara read
//! differently is refused rather than guessed. Called by the parent only.

use std::ops::Range;

/// Bytes that may be read in vain, looking for the end of hex strings that are
/// none: without it, rules could make the search quadratic.
pub(super) const WORK: usize = 8 << 20;

/// An include directive: byte positions in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) path: Range<usize>,
}

/// A text that cannot be read with certainty, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    at: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unterminated(&'static str),
    Ambiguous(&'static str),
    TooComplex,
}

impl Fault {
    /// Where in the text.
    pub(super) fn at(self) -> usize {
        self.at
    }

    /// What is wrong there.
    pub(super) fn reason(self) -> String {
        match self.kind {
            Kind::Unterminated(what) => format!("unterminated {what}"),
            Kind::Ambiguous(what) => {
                format!(
                    "{what} that versions of YARA read differently; write it on a line of its own, outside of other things"
                )
            }
            Kind::TooComplex => "too many unclosed braces".to_owned(),
        }
    }
}

/// Reads one text from token to token.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    work: &'a mut usize,
}

impl<'a> Lexer<'a> {
    /// Begins at byte `at`, which must be the end of a token.
    pub(super) fn starting(text: &'a [u8], at: usize, work: &'a mut usize) -> Self {
        Self { text, at, work }
    }

    /// The next directive; `None` at the end of the text.
    pub(super) fn next_directive(&mut self) -> Result<Option<Directive>, Fault> {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'"' => self.string()?,
                b'/' => self.slash()?,
                b'{' => self.brace()?,
                // `$include` and the like are one token with what follows.
                b'$' | b'#' | b'@' | b'!' => {
                    self.at += 1;
                    self.word();
                }
                byte if is_word(byte) => {
                    if let Some(directive) = self.word_or_directive()? {
                        return Ok(Some(directive));
                    }
                }
                _ => self.at += 1,
            }
        }
        Ok(None)
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn fault(at: usize, kind: Kind) -> Fault {
        Fault { at, kind }
    }

    /// Steps over letters, digits and underscores.
    fn word(&mut self) {
        while self.peek(0).is_some_and(is_word) {
            self.at += 1;
        }
    }

    fn word_or_directive(&mut self) -> Result<Option<Directive>, Fault> {
        let start = self.at;
        self.word();
        let word = self.text.get(start..self.at).unwrap_or_default();
        if !word.ends_with(b"include") {
            return Ok(None);
        }
        let mut quote = self.at;
        while matches!(self.text.get(quote), Some(b' ' | b'\t')) {
            quote += 1;
        }
        if quote == self.at || self.text.get(quote) != Some(&b'"') {
            return Ok(None);
        }
        if word.len() > b"include".len() {
            // A number ends where its digits do: `5include "x"` is a directive
            // for yara, `x5include "x"` is not.
            return if word.first().is_some_and(u8::is_ascii_digit) {
                Err(Self::fault(start, Kind::Ambiguous("a number")))
            } else {
                Ok(None)
            };
        }
        let open = quote + 1;
        let rest = self.text.get(open..).unwrap_or_default();
        let Some(length) = rest.iter().position(|&byte| byte == b'"') else {
            return Err(Self::fault(start, Kind::Unterminated("include")));
        };
        self.at = open + length + 1;
        Ok(Some(Directive {
            start,
            end: self.at,
            path: open..open + length,
        }))
    }

    fn string(&mut self) -> Result<(), Fault> {
        self.quoted(b'"', "string")
    }

    /// Steps over what ends at the next `close` that no backslash precedes.
    fn quoted(&mut self, close: u8, what: &'static str) -> Result<(), Fault> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek(0) {
                Some(b'\\') if self.peek(1).is_some_and(|next| next != b'\n') => self.at += 2,
                None | Some(b'\n' | b'\\') => {
                    return Err(Self::fault(start, Kind::Unterminated(what)));
                }
                Some(byte) => {
                    self.at += 1;
                    if byte == close {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn slash(&mut self) -> Result<(), Fault> {
        match self.peek(1) {
            Some(b'/') => {
                while self.peek(0).is_some_and(|byte| byte != b'\n') {
                    self.at += 1;
                }
            }
            Some(b'*') => {
                let start = self.at;
                self.at += 2;
                while self.peek(0) != Some(b'*') || self.peek(1) != Some(b'/') {
                    if self.peek(0).is_none() {
                        return Err(Self::fault(start, Kind::Unterminated("comment")));
                    }
                    self.at += 1;
                }
                self.at += 2;
            }
            _ => {
                self.quoted(b'/', "regular expression")?;
                // The modifiers belong to the token, and nothing after them.
                for modifier in [b'i', b's'] {
                    if self.peek(0) == Some(modifier) {
                        self.at += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// Steps over a hex string, or over the brace alone when it opens none.
    fn brace(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let (plain, longest, read) = hex_ends(self.text.get(start + 1..).unwrap_or_default());
        if plain != longest {
            // A `}` in a line comment may end the string: versions differ.
            return Err(Self::fault(start, Kind::Ambiguous("a hex string")));
        }
        let taken = longest.unwrap_or(0);
        let Some(left) = self.work.checked_sub(read - taken) else {
            return Err(Self::fault(start, Kind::TooComplex));
        };
        *self.work = left;
        self.at = start + 1 + taken;
        Ok(())
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where a reader of hex digits can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Digits,
    Slash,
    Block,
    Star,
    Line,
}

/// After the opening brace: the length up to the closing brace when `}` in
/// comments is ignored; the greatest length when a `//` comment may also end
/// before its line does, as yara's pattern has it; and the bytes looked at.
fn hex_ends(text: &[u8]) -> (Option<usize>, Option<usize>, usize) {
    let mut plain = Some(Place::Digits);
    // All places that a reading which may leave line comments early can be in.
    let mut places = vec![Place::Digits];
    let mut next = Vec::with_capacity(5);
    let (mut plain_end, mut longest) = (None, None);
    let mut read = 0;
    for (&byte, length) in text.iter().zip(1..) {
        if places.is_empty() && plain.is_none() {
            break;
        }
        read = length;
        if byte == b'}' {
            if plain == Some(Place::Digits) {
                plain_end = Some(length);
            }
            if places.contains(&Place::Digits) {
                longest = Some(length);
            }
        }
        plain = plain.and_then(|place| step(place, byte));
        next.clear();
        for &place in &places {
            let reached = step(place, byte);
            let left_early = (reached == Some(Place::Line)).then_some(Place::Digits);
            for place in [reached, left_early].into_iter().flatten() {
                if !next.contains(&place) {
                    next.push(place);
                }
            }
        }
        std::mem::swap(&mut places, &mut next);
    }
    (plain_end, longest, read)
}

fn step(place: Place, byte: u8) -> Option<Place> {
    let hex = b" -|~?[]()\n\r\t".contains(&byte) || byte.is_ascii_hexdigit();
    match (place, byte) {
        (Place::Digits, b'/') => Some(Place::Slash),
        (Place::Digits, _) => hex.then_some(Place::Digits),
        (Place::Slash, b'/') => Some(Place::Line),
        (Place::Slash, b'*') | (Place::Block, b'*') | (Place::Star, b'*') => {
            Some(if place == Place::Slash {
                Place::Block
            } else {
                Place::Star
            })
        }
        (Place::Slash, _) => None,
        (Place::Star, b'/') | (Place::Line, b'\n') => Some(Place::Digits),
        (Place::Block | Place::Star, _) => Some(Place::Block),
        (Place::Line, _) => Some(Place::Line),
    }
}
