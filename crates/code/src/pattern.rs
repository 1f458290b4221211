//! Patterns of bytes and of instructions, as people write them.

use thiserror::Error;

use crate::lookup::find;

/// Longer patterns are refused.
const MOST_BYTES: usize = 1024;

/// More instructions in one pattern are refused.
const MOST_STEPS: usize = 32;

/// A pattern that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// It is empty.
    #[error("the pattern is empty")]
    Empty,
    /// It has only wildcards.
    #[error("the pattern has nothing but wildcards")]
    OnlyWildcards,
    /// It is too long.
    #[error("the pattern has {0} parts (at most {1})")]
    TooLong(usize, usize),
    /// A part is no byte.
    #[error("`{0}` is no byte: two hexadecimal digits, each of which may be `?`")]
    NotAByte(String),
}

/// Bytes of which some bits may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BytePattern {
    /// Value and mask of each byte.
    bytes: Vec<(u8, u8)>,
    /// The longest run without wildcards, and where it begins.
    run: Vec<u8>,
    run_at: usize,
}

impl BytePattern {
    /// Reads `48 8b ?? 0?`; spaces may be left out.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let letters: Vec<char> = text
            .chars()
            .filter(|letter| !letter.is_whitespace())
            .collect();
        if letters.len() > MOST_BYTES * 2 {
            return Err(PatternError::TooLong(letters.len() / 2, MOST_BYTES));
        }
        let mut bytes = Vec::with_capacity(letters.len() / 2);
        for pair in letters.chunks(2) {
            let wrong = || PatternError::NotAByte(pair.iter().collect());
            let &[high, low] = pair else {
                return Err(wrong());
            };
            let nibble = |letter: char| match letter {
                '?' | '.' => Some((0, 0)),
                _ => letter.to_digit(16).map(|digit| (digit as u8, 0xf)),
            };
            let (high, high_mask) = nibble(high).ok_or_else(wrong)?;
            let (low, low_mask) = nibble(low).ok_or_else(wrong)?;
            bytes.push((high << 4 | low, high_mask << 4 | low_mask));
        }
        if bytes.is_empty() {
            return Err(PatternError::Empty);
        }
        if bytes.iter().all(|&(_, mask)| mask == 0) {
            return Err(PatternError::OnlyWildcards);
        }
        let (mut run_at, mut length) = (0, 0);
        let mut start = 0;
        for (index, &(_, mask)) in bytes.iter().enumerate() {
            if mask != 0xff {
                start = index + 1;
            } else if index + 1 - start > length {
                (run_at, length) = (start, index + 1 - start);
            }
        }
        let run = bytes
            .iter()
            .skip(run_at)
            .take(length)
            .map(|&(value, _)| value)
            .collect();
        Ok(Self { bytes, run, run_at })
    }

    /// The first place at or behind a position.
    pub(crate) fn find(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let last = bytes.len().checked_sub(self.bytes.len())?;
            if at > last {
                return None;
            }
            if !self.run.is_empty() {
                let rest = bytes.get(at.checked_add(self.run_at)?..)?;
                at = at.checked_add(find(rest, &self.run)?)?;
            }
            let here = bytes.get(at..)?.get(..self.bytes.len())?;
            let matches = here
                .iter()
                .zip(&self.bytes)
                .all(|(byte, (value, mask))| byte & mask == *value);
            if matches {
                return Some(at);
            }
            at = at.checked_add(1)?;
        }
    }
}

/// Text with `*` for any text and `?` for any letter, whatever the case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob(Vec<u8>);

impl Glob {
    /// In the time of the lengths' product at most: only the last `*` is ever
    /// tried again.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (&self.0, text.as_bytes());
        let (mut at, mut of) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while let Some(letter) = text.get(at) {
            match pattern.get(of) {
                Some(b'*') => {
                    star = Some((of, at));
                    of += 1;
                }
                Some(b'?') => (at, of) = (at + 1, of + 1),
                Some(own) if own.eq_ignore_ascii_case(letter) => (at, of) = (at + 1, of + 1),
                _ => match &mut star {
                    Some((place, taken)) => {
                        *taken += 1;
                        (at, of) = (*taken, *place + 1);
                    }
                    None => return false,
                },
            }
        }
        pattern
            .get(of..)
            .unwrap_or_default()
            .iter()
            .all(|&letter| letter == b'*')
    }
}

/// One instruction of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) mnemonic: Glob,
    pub(crate) operands: Glob,
}

/// Instructions, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Step>);

impl Pattern {
    /// Reads `mov rax, *; call *`: instructions parted by `;` or line ends, with
    /// `*` for any text and `?` for any letter. One without operands matches
    /// any. Spaces among operands mean nothing.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut steps = Vec::new();
        for line in text.split([';', '\n']) {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            // Prefixes belong to the name.
            let mut words = line.splitn(2, char::is_whitespace);
            let mut mnemonic = words.next().unwrap_or_default().to_owned();
            let mut rest = words.next().unwrap_or_default().trim();
            if ["rep", "repe", "repne", "lock", "notrack", "bnd"]
                .contains(&mnemonic.to_lowercase().as_str())
                && let Some(next) = rest.split_whitespace().next()
            {
                mnemonic = format!("{mnemonic} {next}");
                rest = rest.strip_prefix(next).unwrap_or_default().trim();
            }
            let mut operands = String::new();
            without_spaces(if rest.is_empty() { "*" } else { rest }, &mut operands);
            steps.push(Step {
                mnemonic: Glob(mnemonic.into_bytes()),
                operands: Glob(operands.into_bytes()),
            });
        }
        if steps.is_empty() {
            return Err(PatternError::Empty);
        }
        if steps.len() > MOST_STEPS {
            return Err(PatternError::TooLong(steps.len(), MOST_STEPS));
        }
        if text.len() > MOST_BYTES * 8 {
            return Err(PatternError::TooLong(text.len(), MOST_BYTES * 8));
        }
        Ok(Self(steps))
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }
}

/// Copies text without its spaces.
pub(crate) fn without_spaces(text: &str, to: &mut String) {
    to.clear();
    to.extend(text.chars().filter(|letter| !letter.is_whitespace()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_with_wildcards() {
        let pattern = BytePattern::parse("48 8b ?? 0?").unwrap();
        let bytes = b"\x48\x8b\x48\x8b\x11\x05\x48\x8b\x12\x15";
        assert_eq!(pattern.find(bytes, 0), Some(2));
        assert_eq!(pattern.find(bytes, 3), None);
        assert_eq!(BytePattern::parse("?1").unwrap().find(bytes, 0), Some(4));
        assert_eq!(
            BytePattern::parse("?? ??"),
            Err(PatternError::OnlyWildcards)
        );
        assert_eq!(BytePattern::parse(""), Err(PatternError::Empty));
        assert!(matches!(
            BytePattern::parse("4 8x"),
            Err(PatternError::NotAByte(_))
        ));
    }

    #[test]
    fn text_with_wildcards() {
        for (glob, text, expected) in [
            ("mov*", "movzx", true),
            ("*,*[r?p+*]", "rax,qwordptr[rip+0x10]", true),
            ("r?x", "rax", true),
            ("r?x", "rx", false),
            ("a*b*c", "aXbXbX", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(Glob(glob.into()).matches(text), expected, "{glob} {text}");
        }
    }

    #[test]
    fn instructions() {
        let pattern = Pattern::parse("rep stosq; mov eax, [ rbx ]\ncall").unwrap();
        assert_eq!(pattern.steps().len(), 3);
        assert_eq!(pattern.steps()[0].mnemonic, Glob(b"rep stosq".to_vec()));
        assert_eq!(pattern.steps()[1].operands, Glob(b"eax,[rbx]".to_vec()));
        assert_eq!(Pattern::parse(" ; "), Err(PatternError::Empty));
    }
}
