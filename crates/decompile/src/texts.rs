//! Which bytes are the text of a string, with the zero behind it. Texts of other
//! encodings than UTF-8 and, for Windows, UTF-16 stay bytes.

/// The longest text that is taken for one, in bytes.
const LONGEST: usize = 4096;
/// A text of fewer characters may be anything.
const SHORTEST: usize = 2;
/// The same for UTF-16, where every small number looks like a character.
const SHORTEST_WIDE: usize = 3;
/// Characters of a text in the name of its symbol.
const IN_NAME: usize = 16;

/// A text in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    /// Characters of 1 or 2 bytes each, the zero included.
    pub(crate) length: usize,
    /// Bytes of a character.
    pub(crate) width: usize,
    /// What of it goes into a name.
    pub(crate) label: String,
}

/// The text that begins with these bytes.
pub(crate) fn text(bytes: &[u8], wide: bool) -> Option<Text> {
    narrow(bytes).or_else(|| wide.then(|| utf16(bytes)).flatten())
}

fn narrow(bytes: &[u8]) -> Option<Text> {
    let within = bytes.get(..LONGEST).unwrap_or(bytes);
    let length = within.iter().position(|&byte| byte == 0)?;
    let text = std::str::from_utf8(bytes.get(..length)?).ok()?;
    (length >= SHORTEST && text.chars().all(is_text)).then(|| Text {
        length: length.saturating_add(1),
        width: 1,
        label: label(text.chars()),
    })
}

fn utf16(bytes: &[u8]) -> Option<Text> {
    let (pairs, _) = bytes.get(..LONGEST).unwrap_or(bytes).as_chunks::<2>();
    let length = pairs.iter().position(|pair| *pair == [0, 0])?;
    let units = pairs
        .get(..length)?
        .iter()
        .map(|pair| u16::from_le_bytes(*pair));
    let text: Vec<char> = char::decode_utf16(units).collect::<Result<_, _>>().ok()?;
    // Other alphabets than Latin are likelier to be numbers.
    let plain = |&c: &char| c < '\u{250}' && is_text(c);
    (length >= SHORTEST_WIDE && text.iter().all(plain)).then(|| Text {
        length: length.saturating_add(1),
        width: 2,
        label: label(text.into_iter()),
    })
}

fn is_text(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{1b}') || !c.is_control()
}

fn label(text: impl Iterator<Item = char>) -> String {
    text.take(IN_NAME)
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_from_numbers() {
        let found = text(b"usage: %s\n\0rest", false).unwrap();
        assert_eq!(
            (found.length, found.width, found.label.as_str()),
            (11, 1, "usage___s_")
        );
        for bytes in [
            &b"no end"[..],
            b"x\0",
            b"\0\0",
            b"\x01\x02\0",
            b"\xff\xfe\xfd\0",
        ] {
            assert_eq!(text(bytes, true), None, "{bytes:?}");
        }
        assert_eq!(
            text("größer\0".as_bytes(), false).map(|text| text.length),
            Some(9)
        );
        let wide: Vec<u8> = "kernel32\0"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(text(&wide, false), None);
        let found = text(&wide, true).unwrap();
        assert_eq!(
            (found.length, found.width, found.label.as_str()),
            (9, 2, "kernel32")
        );
    }
}
