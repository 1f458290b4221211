//! Bytes and names that programs trip over. `hostile bytes` writes the bytes;
//! tests compare with the constants here.

/// What `hostile bytes` writes before its flush: it ends in the middle of a
/// character.
pub const FIRST_WRITE: &[u8] = b"caf\xc3\xa9 \xe2\x82";

/// What `hostile bytes` writes after the flush: the rest of that character,
/// then NULs, bytes that are no UTF-8, escape sequences that clear a terminal
/// and set its title, a bell, a right-to-left override, and no final newline.
pub const SECOND_WRITE: &[u8] =
    b"\xac \x00nul\x00 \xff\xfe\x80 \x1b[31mred\x1b[0m\x1b[2J\x1b]0;title\x07 \xe2\x80\xaegnp.exe \xf0\x9f\xa6\x80 end";

/// Everything that `hostile bytes` writes, as text: U+FFFD only where the
/// bytes are no UTF-8 (each of the three invalid bytes is one).
pub const AS_TEXT: &str = "café € \0nul\0 \u{fffd}\u{fffd}\u{fffd} \u{1b}[31mred\u{1b}[0m\u{1b}[2J\u{1b}]0;title\u{7} \u{202e}gnp.exe 🦀 end";

/// File names that are legal and awkward, as bytes. None holds a `/` or NUL.
pub const NAMES: &[&[u8]] = &[
    b"-n",
    b"--help",
    b"-n --help",
    b"$(id)",
    b"`id`",
    b";rm -rf $(id) \xe2\x80\xaegnp.exe",
    b"a b  c",
    b" leading and trailing ",
    b"line\nbreak",
    b"tab\there",
    b"quote'\"quote",
    b"back\\slash",
    b"star*?[x]",
    b"%s%n%d",
    b"\xc3\xa9t\xc3\xa9 \xf0\x9f\xa6\x80",
    b"invalid \xff\xfe utf-8",
    b"escape \x1b[31m",
    b"...",
    b"#hash",
    b"@at",
    b"~tilde",
    b"a:b",
    b"a|b>c<d&e",
];

/// All bytes that `hostile bytes` writes.
#[must_use]
pub fn bytes() -> Vec<u8> {
    [FIRST_WRITE, SECOND_WRITE].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_the_bytes() {
        assert_eq!(String::from_utf8_lossy(&bytes()), AS_TEXT);
        assert!(
            String::from_utf8(FIRST_WRITE.to_vec()).is_err(),
            "must be cut inside a character"
        );
    }
}
