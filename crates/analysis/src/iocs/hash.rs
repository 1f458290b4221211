//! Long words without punctuation: hexadecimal digests by their length, and
//! accounts of currencies by their checksums.
//!
//! Sources: Base58Check (Bitcoin wiki), BIP 173 and 350 (Bech32), EIP-55
//! (Ethereum), CryptoNote standard 7 and Monero's Base58.

use std::ops::Range;

use sha2::Sha256;
use sha3::{Digest, Keccak256};

use super::Claimed;
use super::collect::{Collector, Found};
use super::report::{Confidence, Flag, IocKind, Reason};
use super::text::Text;

/// The longest word that is anything: a SHA-512 digest.
const LONGEST: usize = 128;

/// Finds digests and accounts.
pub(super) fn find(text: &Text<'_>, claimed: &Claimed, collector: &mut Collector<'_>) {
    let mut start = 0_usize;
    for word in text
        .text
        .split(|character: char| !character.is_ascii_alphanumeric())
    {
        let offset = (word.as_ptr() as usize).saturating_sub(text.text.as_ptr() as usize);
        start = start.max(offset);
        if word.len() < 25 || word.len() > LONGEST {
            continue;
        }
        let span = offset..offset.saturating_add(word.len());
        let glued = |byte: Option<u8>| byte.is_some_and(|byte| byte == b'_' || byte >= 0x80);
        if glued(text.byte_before(span.start)) || glued(text.byte(span.end)) {
            continue;
        }
        let found = digest(text, word, claimed, &span).or_else(|| account(word));
        let Some(found) = found else {
            continue;
        };
        match found {
            Ok((kind, value, confidence, flags)) => {
                collector.add(
                    text,
                    Found {
                        kind,
                        value,
                        span,
                        confidence,
                        flags,
                        whole: None,
                    },
                );
            }
            Err(reason) => collector.suppress(text, span.start, reason),
        }
    }
}

type Verdict = Result<(IocKind, String, Confidence, Vec<Flag>), Reason>;

fn digest(text: &Text<'_>, word: &str, claimed: &Claimed, span: &Range<usize>) -> Option<Verdict> {
    let (kind, labels): (_, &[&str]) = match word.len() {
        32 => (IocKind::Md5, &["md5", "imphash", "ntlm", "md5sum"]),
        40 => (IocKind::Sha1, &["sha1", "sha-1", "sha1sum", "thumbprint"]),
        64 => (
            IocKind::Sha256,
            &["sha256", "sha-256", "sha2", "sha256sum", "authentihash"],
        ),
        128 => (IocKind::Sha512, &["sha512", "sha-512", "sha512sum"]),
        _ => return None,
    };
    if !word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let value = word.to_ascii_lowercase();
    let one_case = word == value || word == word.to_ascii_uppercase();
    // Base64 and paths of objects have these around hexadecimal by accident.
    let padded = matches!(text.byte(span.end), Some(b'=' | b'+'))
        || matches!(text.byte_before(span.start), Some(b'+' | b'%'));
    // `\x` and `{8-4-4-4-12}` are split before they get here, but not
    // `12345678-` in front of 32 digits.
    let chained = text.byte_before(span.start) == Some(b'-')
        && text
            .byte(span.start.saturating_sub(2))
            .is_some_and(|byte| byte.is_ascii_hexdigit())
        && text
            .left(span.start, 9)
            .bytes()
            .take(8)
            .all(|byte| byte.is_ascii_hexdigit());
    let left = text.left(span.start, 24).to_ascii_lowercase();
    let left = left.as_str();
    let near = if left.trim().is_empty() && span.start < 4 {
        text.before
    } else {
        left
    };
    let near = near.to_ascii_lowercase();
    let labelled = labels.iter().any(|label| near.contains(label)) || near.contains("hash");
    if !one_case || padded || chained || !is_varied(&value) {
        return Some(Err(Reason::UnlikelyHash));
    }
    let mut flags = Vec::new();
    let mut confidence = Confidence::Medium;
    if labelled {
        flags.push(Flag::Labelled);
        confidence = Confidence::High;
    }
    let revision = [
        "commit", "buildid", "build-id", "revision", "rev ", "tree ", "parent ", "git", "rustc",
        "guid", "uuid",
    ];
    if revision.iter().any(|word| near.contains(word)) {
        flags.push(Flag::Revision);
        confidence = Confidence::Low;
    }
    if claimed.end_of(span.start).is_some() {
        flags.push(Flag::InUrl);
        confidence = confidence.min(Confidence::Medium);
    }
    Some(Ok((kind, value, confidence, flags)))
}

/// Whether digits vary as those of a digest do: of 32 random ones, fewer than
/// eight different or ten equal neighbours are practically never seen.
fn is_varied(value: &str) -> bool {
    let bytes = value.as_bytes();
    let mut seen = 0_u16;
    for byte in bytes {
        let digit = char::from(*byte).to_digit(16).unwrap_or_default();
        seen |= 1_u16.checked_shl(digit).unwrap_or_default();
    }
    let steps = |step: i16| {
        bytes
            .windows(2)
            .filter(|pair| match pair {
                [one, two] => i16::from(*two).saturating_sub(i16::from(*one)) == step,
                _ => false,
            })
            .count()
    };
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let half = bytes.len() / 2;
    // The same half twice is a pattern too.
    let repeats = (1..=half)
        .any(|period| bytes.get(period..) == bytes.get(..bytes.len().saturating_sub(period)));
    seen.count_ones() >= 8
        && steps(0) < half
        && steps(1) < half
        && steps(-1) < half
        && digits > 0
        && digits < bytes.len()
        && !repeats
}

fn account(word: &str) -> Option<Verdict> {
    let checked = |kind, valid: bool| {
        if valid {
            Ok((
                kind,
                word.to_owned(),
                Confidence::High,
                vec![Flag::Checksum],
            ))
        } else {
            Err(Reason::BadChecksum)
        }
    };
    let base58 = |word: &str| {
        word.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() && !matches!(byte, b'0' | b'O' | b'I' | b'l'))
    };
    let lower = word.to_ascii_lowercase();
    if matches!(word.len(), 25..=34) && word.starts_with(['1', '3']) && base58(word) {
        return Some(checked(IocKind::Btc, is_base58check(word)));
    }
    if lower.starts_with("bc1")
        && word.len() <= 90
        && (word == lower || word == word.to_ascii_uppercase())
    {
        let valid = bech32::segwit::decode(word).is_ok();
        return Some(if valid {
            Ok((IocKind::Btc, lower, Confidence::High, vec![Flag::Checksum]))
        } else {
            Err(Reason::BadChecksum)
        });
    }
    if let Some(digits) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        if digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(ethereum(word, digits));
        }
        return None;
    }
    if matches!(word.len(), 95 | 106) && word.starts_with(['4', '8']) && base58(word) {
        return Some(checked(IocKind::Xmr, is_monero(word)));
    }
    None
}

fn is_base58check(word: &str) -> bool {
    let Ok(bytes) = bs58::decode(word).into_vec() else {
        return false;
    };
    let Some((payload, checksum)) = bytes.split_last_chunk::<4>() else {
        return false;
    };
    let twice = Sha256::digest(Sha256::digest(payload));
    // 0: public key hash, 5: script hash.
    bytes.len() == 25 && matches!(bytes.first(), Some(0 | 5)) && twice.starts_with(checksum)
}

fn ethereum(word: &str, digits: &str) -> Verdict {
    let lower = digits.to_ascii_lowercase();
    let seen = (b'0'..=b'f')
        .filter(|digit| lower.as_bytes().contains(digit))
        .count();
    if seen < 6 {
        return Err(Reason::UnlikelyHash);
    }
    if digits == lower || digits == digits.to_ascii_uppercase() {
        return Ok((
            IocKind::Eth,
            format!("0x{digits}"),
            Confidence::Medium,
            Vec::new(),
        ));
    }
    let hash = Keccak256::digest(lower.as_bytes());
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let valid = digits.bytes().zip(nibbles).all(|(digit, nibble)| {
        digit.is_ascii_digit() || digit.is_ascii_uppercase() == (nibble >= 8)
    });
    if valid && word.starts_with("0x") {
        Ok((
            IocKind::Eth,
            word.to_owned(),
            Confidence::High,
            vec![Flag::Checksum],
        ))
    } else {
        Err(Reason::BadChecksum)
    }
}

fn is_monero(word: &str) -> bool {
    let Ok(bytes) = base58_monero::decode(word) else {
        return false;
    };
    let Some((payload, checksum)) = bytes.split_last_chunk::<4>() else {
        return false;
    };
    // 18: standard, 19: integrated, 42: subaddress, all of the main network.
    matches!(
        (bytes.first(), bytes.len()),
        (Some(18 | 42), 69) | (Some(19), 77)
    ) && Keccak256::digest(payload).starts_with(checksum)
}
