//! IPv4 and IPv6 addresses: what is one, which are special, and how to tell
//! IPv6 from times, MAC addresses, fingerprints and scopes of C++ (`a::b`).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::Claimed;
use super::collect::{Collector, Found};
use super::report::{Confidence, Flag, IocKind, Reason};
use super::text::Text;

/// Four decimal numbers up to 255 without leading zeros (RFC 6943, 3.1.1: other
/// spellings are read differently by different programs).
pub(super) fn parse_ipv4(text: &str) -> Result<Ipv4Addr, Reason> {
    match text.split('.').count() {
        4 => text.parse().map_err(|_| Reason::InvalidAddress),
        0..=3 => Err(Reason::Version),
        _ => Err(Reason::Oid),
    }
}

/// What is special about an address, and how much it is worth.
pub(super) fn judge_ipv4(address: Ipv4Addr) -> (Confidence, Vec<Flag>) {
    let [first, second, _, last] = address.octets();
    let flag = if address.is_loopback() {
        Flag::Loopback
    } else if address.is_private() || (first == 100 && second & 0xc0 == 64) {
        Flag::Private
    } else if address.is_link_local() {
        Flag::LinkLocal
    } else if address.is_documentation() {
        Flag::Documentation
    } else if address.is_multicast() {
        Flag::Multicast
    } else if first == 0 || first >= 240 {
        Flag::Reserved
    } else if matches!(
        address.octets(),
        [8, 8, 8 | 4, 8 | 4] | [1, 1, 1, 1] | [1, 0, 0, 1] | [9, 9, 9, 9] | [4, 2, 2, 1..=6]
    ) {
        Flag::WellKnown
    } else if last == 0 || address.octets().iter().all(|octet| *octet < 10) {
        // Hosts rarely end in 0, versions often do.
        Flag::VersionLike
    } else {
        return (Confidence::Medium, Vec::new());
    };
    (Confidence::Low, vec![flag])
}

/// The same for IPv6.
pub(super) fn judge_ipv6(address: Ipv6Addr) -> (Confidence, Vec<Flag>) {
    let [first, second, ..] = address.segments();
    if let Some(inner) = address.to_ipv4_mapped() {
        return judge_ipv4(inner);
    }
    let flag = if address.is_loopback() {
        Flag::Loopback
    } else if address.is_multicast() {
        Flag::Multicast
    } else if first & 0xffc0 == 0xfe80 {
        Flag::LinkLocal
    } else if first & 0xfe00 == 0xfc00 {
        Flag::Private
    } else if (first, second) == (0x2001, 0xdb8) || first & 0xfff0 == 0x3ff0 {
        Flag::Documentation
    } else if first & 0xe000 == 0x2000 {
        return (Confidence::Medium, Vec::new());
    } else {
        Flag::Reserved
    };
    (Confidence::Low, vec![flag])
}

/// Finds IPv6 addresses outside of URLs.
pub(super) fn find_ipv6(text: &Text<'_>, claimed: &mut Claimed, collector: &mut Collector<'_>) {
    let bytes = text.text.as_bytes();
    let mut at = 0_usize;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr(b':', rest)) {
        let colon = at.saturating_add(found);
        let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        let left = bytes.get(at..colon).unwrap_or_default();
        let start =
            colon.saturating_sub(left.iter().rev().take_while(|byte| is_part(byte)).count());
        let right = bytes.get(colon..).unwrap_or_default();
        let end = colon.saturating_add(right.iter().take_while(|byte| is_part(byte)).count());
        at = end.max(colon.saturating_add(1));
        if let Some(stop) = claimed.end_of(start) {
            at = at.max(stop);
            continue;
        }
        ipv6(text, start..end, claimed, collector);
    }
}

fn ipv6(text: &Text<'_>, span: Range<usize>, claimed: &mut Claimed, collector: &mut Collector<'_>) {
    let word = text.get(span.clone());
    if word.bytes().filter(|byte| *byte == b':').count() < 2 {
        return;
    }
    // A sentence, a list or `address: message` goes on behind it.
    let mut name = word.trim_end_matches('.');
    if name.ends_with(':') && !name.ends_with("::") {
        name = name.strip_suffix(':').unwrap_or(name);
    }
    let span = span.start..span.start.saturating_add(name.len());
    let glued = |byte: Option<u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'~' | b'$'))
    };
    let code = matches!(text.byte(span.end), Some(b'(' | b'<'));
    let address = match name.parse::<Ipv6Addr>() {
        Ok(address)
            if !code
                && !glued(text.byte_before(span.start))
                && !glued(text.byte(span.end))
                && is_plausible(name, address) =>
        {
            address
        }
        _ => {
            collector.suppress(text, span.start, Reason::NotIpv6);
            return;
        }
    };
    let (mut confidence, mut flags) = judge_ipv6(address);
    let bracketed = text.byte_before(span.start) == Some(b'[');
    if bracketed && text.right(span.end).starts_with("]:") {
        flags.push(Flag::Port);
        if confidence == Confidence::Medium {
            confidence = Confidence::High;
        }
    }
    if is_prefix(text.right(span.end)) {
        flags.push(Flag::Network);
    }
    claimed.add(span.clone());
    collector.add(
        text,
        Found {
            kind: IocKind::Ipv6,
            value: name.to_ascii_lowercase(),
            span,
            confidence,
            flags,
            whole: None,
        },
    );
}

/// Whether somebody would write an address like this. The form alone also fits
/// `a::b`, `dead::beef` and eight bytes of a fingerprint.
fn is_plausible(name: &str, address: Ipv6Addr) -> bool {
    if address.is_unspecified() {
        return false;
    }
    if address.is_loopback() || address.to_ipv4_mapped().is_some() {
        return true;
    }
    let groups = name.split(':').filter(|group| !group.is_empty());
    let count = groups.clone().count();
    if count == 8 && groups.clone().all(|group| group.len() <= 2) {
        return false;
    }
    let [first, second, ..] = address.segments();
    let assigned = first & 0xe000 == 0x2000
        || first & 0xffc0 == 0xfe80
        || first & 0xfe00 == 0xfc00
        || first & 0xff00 == 0xff00
        || (first, second) == (0x64, 0xff9b);
    let digit = name.bytes().any(|byte| byte.is_ascii_digit());
    assigned && digit && (count >= 3 || groups.clone().next().is_some_and(|group| group.len() == 4))
        || (count == 8 && digit)
}

/// Whether the text begins with the length of a prefix, such as `/24`.
pub(super) fn is_prefix(text: &str) -> bool {
    let digits = text.strip_prefix('/').unwrap_or_default();
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    matches!(count, 1..=3)
        && !digits
            .as_bytes()
            .get(count)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.'))
}
