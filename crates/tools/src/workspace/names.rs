//! Names that are no valid UTF-8, in JSON strings that must be: each byte that
//! is not part of a character is written as `%` and two upper-case hexadecimal
//! digits, and a `%` that would otherwise read as such an escape as `%25`. So
//! every name has one spelling, and ordinary names stay as they are.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// The spelling of a name or path.
pub(crate) fn escape_name(name: &OsStr) -> String {
    let bytes = name.as_bytes();
    let mut out = String::with_capacity(bytes.len());
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let rest = bytes.get(at..).unwrap_or_default();
            if c == '%' && escaped_byte(rest).is_some() {
                out.push_str("%25");
            } else {
                out.push(c);
            }
            at += c.len_utf8();
        }
        for byte in chunk.invalid() {
            // Writing to a String can't fail.
            write!(out, "%{byte:02X}").ok();
            at += 1;
        }
    }
    out
}

/// The name or path that is spelled so.
pub(crate) fn unescape_name(spelled: &str) -> OsString {
    let mut out = Vec::with_capacity(spelled.len());
    let mut rest = spelled.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if let Some(byte) = escaped_byte(rest) {
            out.push(byte);
            rest = rest.get(3..).unwrap_or_default();
        } else {
            out.push(first);
            rest = tail;
        }
    }
    OsString::from_vec(out)
}

/// The byte that an escape at the beginning of `bytes` stands for. Only what
/// is ever escaped counts: `%41` is a name with a percent sign.
fn escaped_byte(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else {
        return None;
    };
    let byte = upper_digit(*high)? << 4 | upper_digit(*low)?;
    (byte >= 0x80 || byte == b'%').then_some(byte)
}

fn upper_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back() {
        let names: [&[u8]; 12] = [
            b"plain",
            b"50%",
            b"%41",
            b"%FF",
            b"\xff\xfe",
            b"%\xff",
            b"%2\xff",
            b"a%25b",
            "\u{e9}\u{4e2d}%C3".as_bytes(),
            b"%%FF",
            b"%2%35",
            b"%ff",
        ];
        for name in names {
            let spelled = escape_name(OsStr::from_bytes(name));
            assert_eq!(unescape_name(&spelled).as_bytes(), name, "{spelled}");
        }
        assert_eq!(escape_name(OsStr::from_bytes(b"a\xff")), "a%FF");
        assert_eq!(escape_name(OsStr::new("100% sure")), "100% sure");
    }
}
