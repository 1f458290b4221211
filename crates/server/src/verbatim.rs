//! Lets a result's JSON pass through rmcp as it is.
//!
//! rmcp holds `structuredContent` as a `serde_json::Value`. Building that tree
//! from a report of a thousand strings costs more than finding the strings
//! (0.47 ms measured, against 0.1 for writing the JSON directly). So the tool's
//! JSON travels as one string inside a wrapper that nobody else can make, and
//! the wrapper is taken off where the bytes leave for the network:
//!
//! ```text
//! handler: json ──wrap──> {"<key>":"<json as a string>"} ── rmcp ──> bytes ──unwrap──> json
//! ```
//!
//! JSON inside a JSON string is full of quotes to be escaped, here, and to be
//! read again, there. So the two characters that need it change places with
//! two that are rare and don't: `"` with DEL, `\` with `~`. Whatever needs an
//! escape after that gets one; it is only seldom needed.
//!
//! The key is random, made at start, and never leaves the process, so no text
//! from a sample or a client can hold it. A frame without the key is passed on
//! untouched. For transports whose bytes we don't see, [`parse`] builds the tree.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::{Map, Value};

/// How the wrapper begins, up to the string.
static OPENING: LazyLock<String> = LazyLock::new(|| format!("{{\"{}\":", &*KEY));
static KEY: LazyLock<String> = LazyLock::new(|| {
    // Each state is keyed with randomness of the operating system.
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
});

/// Wraps JSON text.
pub(crate) fn wrap(json: String) -> Value {
    let mut bytes = json.into_bytes();
    for byte in &mut bytes {
        *byte = exchanged(*byte);
    }
    let text = String::from_utf8(bytes).expect("ASCII for ASCII leaves UTF-8 as it is");
    Value::Object(Map::from_iter([(KEY.clone(), Value::String(text))]))
}

/// The character that takes this one's place; the same function undoes it.
fn exchanged(byte: u8) -> u8 {
    match byte {
        b'"' => DEL,
        DEL => b'"',
        b'\\' => b'~',
        b'~' => b'\\',
        other => other,
    }
}

const DEL: u8 = 0x7f;

/// The tree of JSON text that a tool has made.
pub(crate) fn parse(json: &str) -> Value {
    serde_json::from_str(json).expect("the catalogue answers with JSON")
}

/// Takes the wrappers off in one frame of a response's body.
pub(crate) fn unwrap(frame: Bytes) -> Bytes {
    let Some(first) = find(&frame) else {
        return frame;
    };
    let mut clean = Vec::with_capacity(frame.len());
    let mut rest: &[u8] = &frame;
    let mut next = Some(first);
    while let Some(start) = next {
        let (before, wrapped) = rest.split_at(start);
        clean.extend_from_slice(before);
        let Some((json, after)) = take(wrapped) else {
            // Only a frame cut in two could look so, and rmcp writes each
            // message into one; the rest goes on as it is.
            clean.extend_from_slice(wrapped);
            return clean.into();
        };
        clean.extend(json.bytes().map(exchanged));
        rest = after;
        next = find(rest);
    }
    clean.extend_from_slice(rest);
    clean.into()
}

fn find(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, OPENING.as_bytes())
}

/// Reads one wrapper; returns what it holds and what follows it.
fn take(wrapped: &[u8]) -> Option<(Cow<'_, str>, &[u8])> {
    let string = wrapped.get(OPENING.len()..)?;
    let mut reader = serde_json::Deserializer::from_slice(string).into_iter::<Text<'_>>();
    let Text(json) = reader.next()?.ok()?;
    let after = string.get(reader.byte_offset()..)?.strip_prefix(b"}")?;
    Some((json, after))
}

/// A string, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "{\"a\":[\"\\\"quoted\\\" \\\\ \\n ~ \u{7f}\",1,{\"é\":null}]}";

    fn message(value: &Value) -> Bytes {
        format!("data: {{\"result\":{{\"structuredContent\":{value},\"x\":1}}}}\n\n").into()
    }

    #[test]
    fn what_is_wrapped_comes_out_as_it_was() {
        let expected = format!("data: {{\"result\":{{\"structuredContent\":{JSON},\"x\":1}}}}\n\n");
        assert_eq!(unwrap(message(&wrap(JSON.to_owned()))), expected);
    }

    #[test]
    fn several_in_one_frame_and_none() {
        let one = message(&wrap(JSON.to_owned()));
        let two: Bytes = [&one[..], &one[..]].concat().into();
        let text = String::from_utf8(unwrap(two).to_vec()).unwrap();
        assert_eq!(text.matches(JSON).count(), 2);
        assert!(!text.contains(&*KEY));
        let plain = message(&parse(JSON));
        assert_eq!(unwrap(plain.clone()), plain);
    }

    #[test]
    fn a_broken_wrapper_is_passed_on() {
        for broken in [
            OPENING.as_str(),
            &format!("{}\"abc", &*OPENING),
            &format!("{}1}}", &*OPENING),
        ] {
            let frame = Bytes::copy_from_slice(broken.as_bytes());
            assert_eq!(unwrap(frame.clone()), frame);
        }
    }
}
