//! Text: which encoding, which line ends, and what it says. The rules for
//! what counts as text are those of file(1): control characters that no text
//! has make it data. A window of 64 KiB decides, as there.

use super::bytes::{head, is};
use super::found::Found;
use super::identity::Category;
use super::script;

/// file(1) decides on the encoding with so much.
const WINDOW: usize = 64 << 10;
/// Longer lines are worth a word.
const LONG_LINE: usize = 300;

/// An encoding, and the text as far as the window goes.
struct Decoded {
    charset: &'static str,
    words: &'static str,
    text: String,
}

/// Recognises text.
pub(super) fn recognise(data: &[u8]) -> Option<Found> {
    let window = head(data, WINDOW);
    let decoded = decode(window, window.len() < data.len())?;
    let lines = line_words(&decoded.text);
    let script = script::recognise(&decoded.text);
    let mut found = match script {
        Some(script) => Found::new(
            script.kind,
            script.category,
            script.mime,
            format!("{}, {} text{lines}", script.words, decoded.words),
        ),
        None => Found::new(
            "text",
            Category::Text,
            "text/plain",
            format!("{} text{lines}", decoded.words),
        ),
    };
    found.charset = Some(decoded.charset);
    Some(found)
}

/// A script whose first line says so may have binary data behind it
/// (self-extractors); no encoding then.
pub(super) fn shebang(data: &[u8]) -> Option<Found> {
    if !is(data, 0, b"#!") {
        return None;
    }
    let line = head(data, 256)
        .split(|byte| matches!(byte, b'\n' | b'\0'))
        .next()?;
    let script = script::by_interpreter(std::str::from_utf8(line).ok()?)?;
    let text = format!("{} executable (binary data)", script.words);
    Some(Found::new(script.kind, script.category, script.mime, text))
}

fn decode(window: &[u8], cut: bool) -> Option<Decoded> {
    let wide = |charset, words, big: bool| {
        let units: Vec<u16> = window
            .get(2..)?
            .chunks_exact(2)
            .map(|pair| {
                let pair = pair.try_into().unwrap_or_default();
                if big {
                    u16::from_be_bytes(pair)
                } else {
                    u16::from_le_bytes(pair)
                }
            })
            .collect();
        let controls = units
            .iter()
            .any(|unit| *unit < 0x80 && !is_text(*unit as u8));
        let text = String::from_utf16_lossy(&units);
        (!controls && !units.is_empty()).then_some(Decoded {
            charset,
            words,
            text,
        })
    };
    if is(window, 0, b"\xff\xfe") {
        return wide("utf-16le", "Unicode text, UTF-16, little-endian", false);
    }
    if is(window, 0, b"\xfe\xff") {
        return wide("utf-16be", "Unicode text, UTF-16, big-endian", true);
    }
    let marked = is(window, 0, b"\xef\xbb\xbf");
    let bytes = if marked { window.get(3..)? } else { window };
    if bytes.iter().any(|byte| *byte < 0x80 && !is_text(*byte)) {
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        // The window may end within a character.
        Err(error) if cut && bytes.len() - error.valid_up_to() < 4 => bytes
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok()),
        Err(_) => None,
    };
    let (charset, words) = match text {
        Some(_) if marked => ("utf-8", "Unicode text, UTF-8 (with BOM)"),
        Some(text) if text.is_ascii() => ("us-ascii", "ASCII"),
        Some(_) => ("utf-8", "Unicode text, UTF-8"),
        None if bytes
            .iter()
            .all(|byte| !(0x80..0xa0).contains(byte) || *byte == 0x85) =>
        {
            ("iso-8859-1", "ISO-8859")
        }
        None => ("unknown-8bit", "Non-ISO extended-ASCII"),
    };
    let text = match text {
        Some(text) => text.to_owned(),
        None => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    Some(Decoded {
        charset,
        words,
        text,
    })
}

/// Whether an ASCII character occurs in text: BEL to CR, ESC, the printable.
fn is_text(byte: u8) -> bool {
    matches!(byte, 7..=13 | 27 | 0x20..=0x7e)
}

fn line_words(text: &str) -> String {
    let bytes = text.as_bytes();
    let longest = bytes
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0);
    let pairs = memchr::memmem::find_iter(bytes, b"\r\n").count();
    let returns = memchr::memchr_iter(b'\r', bytes)
        .count()
        .saturating_sub(pairs);
    let feeds = memchr::memchr_iter(b'\n', bytes)
        .count()
        .saturating_sub(pairs);
    let mut words = String::new();
    if longest > LONG_LINE {
        words.push_str(&format!(", with very long lines ({longest})"));
    }
    let names: Vec<_> = [(pairs, "CRLF"), (returns, "CR"), (feeds, "LF")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(_, name)| name)
        .collect();
    match names.as_slice() {
        [] => words.push_str(", with no line terminators"),
        ["LF"] => {}
        several => words.push_str(&format!(", with {} line terminators", several.join(", "))),
    }
    words
}
