//! Host names, IPv4 addresses and mail addresses: everything that has a dot in
//! the middle. Most dotted words of a file are no hosts; the rules of
//! [`refuse`] say which are not.

use std::ops::Range;

use super::collect::{Collector, Found};
use super::report::{Confidence, Flag, IocKind, Reason};
use super::text::Text;
use super::{Claimed, ip, names};

/// The longest name (RFC 1035) and the longest label of one.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// A well-formed host name below a known suffix.
#[derive(Debug)]
pub(super) struct Host {
    /// In lower case.
    pub(super) value: String,
    /// Its public suffix.
    pub(super) suffix: String,
    pub(super) flags: Vec<Flag>,
    /// High for darknets and common suffixes, low for what is everywhere.
    pub(super) confidence: Confidence,
}

/// Reads a host name; its suffix must be in the Public Suffix List, or be one of
/// a darknet.
pub(super) fn parse(name: &str) -> Result<Host, Reason> {
    if name.len() > LONGEST_NAME || !name.contains('.') {
        return Err(Reason::UnknownSuffix);
    }
    let labels = name.split('.').count();
    for (index, label) in name.split('.').enumerate() {
        let inner = index.saturating_add(2) < labels;
        let valid = !label.is_empty()
            && label.len() <= LONGEST_LABEL
            && !label.starts_with('-')
            && !label.ends_with('-')
            && (inner || !label.contains('_'));
        if !valid {
            return Err(Reason::UnknownSuffix);
        }
    }
    let value = name.to_lowercase();
    let (below, last) = value.rsplit_once('.').unwrap_or_default();
    let mut flags = Vec::new();
    if value.split('.').any(|label| label.starts_with("xn--")) || !value.is_ascii() {
        flags.push(Flag::Idn);
    }
    let parent = below.rsplit('.').next().unwrap_or_default();
    if matches!(last, "onion" | "i2p") {
        let base32 = parent
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
        if last == "onion" && !(base32 && matches!(parent.len(), 16 | 56)) {
            return Err(Reason::UnknownSuffix);
        }
        flags.push(Flag::Darknet);
        let suffix = last.to_owned();
        return Ok(Host {
            value,
            suffix,
            flags,
            confidence: Confidence::High,
        });
    }
    let suffix = psl::suffix(value.as_bytes())
        .filter(psl::Suffix::is_known)
        .and_then(|suffix| std::str::from_utf8(suffix.as_bytes()).ok())
        .filter(|suffix| suffix.len() < value.len())
        .map(str::to_owned);
    let Some(suffix) = suffix else {
        return Err(Reason::UnknownSuffix);
    };
    let mut confidence = Confidence::Medium;
    if names::is_reserved(&value) {
        flags.push(Flag::Documentation);
        confidence = Confidence::Low;
    } else if names::is_well_known(&value) || last == "arpa" {
        flags.push(Flag::WellKnown);
        confidence = Confidence::Low;
    }
    Ok(Host {
        value,
        suffix,
        flags,
        confidence,
    })
}

/// Why a bare dotted word is no host although its form is right.
fn refuse(name: &str, host: &Host, left: &str, right: &str) -> Option<Reason> {
    let last = name.rsplit('.').next().unwrap_or_default();
    let first = name.split('.').next().unwrap_or_default();
    let labels = name.split('.').count();
    let lower = |text: &str| !text.chars().any(char::is_uppercase);
    let upper = |text: &str| !text.chars().any(char::is_lowercase);

    if right.starts_with(['(', '[']) || right.starts_with("::") || right.starts_with("->") {
        return Some(Reason::CodeIdentifier);
    }
    // `java.lang.String`, `System.Net`, a sentence without a space.
    let shouted = upper(name) && name.len() > last.len().saturating_add(2);
    if !lower(last) && !shouted {
        return Some(Reason::CodeIdentifier);
    }
    let mixed =
        |label: &str| label.starts_with(|first: char| first.is_lowercase()) && !lower(label);
    if name.split('.').any(mixed) {
        return Some(Reason::CodeIdentifier);
    }
    if left.ends_with(['@', '$', '%', '#', '&']) || left.ends_with("->") || left.ends_with("::") {
        return Some(Reason::CodeIdentifier);
    }
    let low = first.to_lowercase();
    if names::is_reversed(&low) && labels >= 3
        || matches!(low.as_str(), "io" | "net")
            && labels >= 3
            && !names::is_common_suffix(&host.suffix)
    {
        return Some(Reason::CodeIdentifier);
    }
    // Numbers with a suffix: `2.5.is`, `1.0.rs`, `2x.app`.
    let numeric = |label: &str| {
        label
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'x')
    };
    if host
        .value
        .strip_suffix(&host.suffix)
        .is_some_and(|below| below.split('.').all(numeric))
        && !names::is_common_suffix(&host.suffix)
    {
        return Some(Reason::Version);
    }
    if names::is_dos_program(&host.value) {
        return Some(Reason::FileName);
    }
    let addressed = right.starts_with('/')
        || port(right)
        || names::is_host_label(&low) && labels >= 3
        || names::announces_host(left);
    if addressed {
        return None;
    }
    if !host.suffix.contains('.') {
        if names::is_file_suffix(&host.suffix) || (host.suffix == "app" && !lower(first)) {
            return Some(Reason::FileName);
        }
        if names::is_code_suffix(&host.suffix)
            && (names::is_code_word(&low)
                || first.len() < 2
                || first.contains('_')
                || !lower(first))
        {
            return Some(Reason::CodeIdentifier);
        }
    }
    None
}

/// Finds IPv4 addresses and host names outside of what is claimed.
pub(super) fn find(text: &Text<'_>, claimed: &Claimed, collector: &mut Collector<'_>) {
    let bytes = text.text.as_bytes();
    let mut at = 0_usize;
    let mut version_end = None;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr(b'.', rest)) {
        let dot = at.saturating_add(found);
        let left = bytes.get(at..dot).unwrap_or_default();
        let start =
            dot.saturating_sub(left.iter().rev().take_while(|byte| is_part(**byte)).count());
        let right = bytes.get(dot..).unwrap_or_default();
        let end = dot.saturating_add(right.iter().take_while(|byte| is_part(**byte)).count());
        at = end.max(dot.saturating_add(1));
        if let Some(stop) = claimed.end_of(start).or_else(|| claimed.end_of(dot)) {
            at = stop.max(dot.saturating_add(1));
            continue;
        }
        if end.saturating_sub(start) > 4 * LONGEST_NAME {
            continue;
        }
        let word = text.get(start..end);
        if word
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
        {
            numbers(text, start..end, &mut version_end, collector);
        } else if word.is_ascii() {
            domain(text, start..end, collector);
        } else {
            international(text, start..end, collector);
        }
    }
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') || byte >= 0x80
}

/// A word with characters beyond ASCII: a name of its own, or one that stands
/// without a space in text of another script.
fn international(text: &Text<'_>, span: Range<usize>, collector: &mut Collector<'_>) {
    let word = text.get(span.clone());
    if word
        .chars()
        .all(|character| character.is_alphanumeric() || character.is_ascii())
        && parse(word.trim_matches(['.', '-', '_'])).is_ok()
    {
        domain(text, span, collector);
        return;
    }
    let mut start = span.start;
    for piece in word.split(|character: char| !character.is_ascii()) {
        // Pieces are subslices, so their distance to the word is their place.
        let offset = (piece.as_ptr() as usize).saturating_sub(word.as_ptr() as usize);
        start = span.start.saturating_add(offset).max(start);
        if piece.trim_matches('.').contains('.') {
            let end = start.saturating_add(piece.len());
            if piece
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
            {
                numbers(text, start..end, &mut None, collector);
            } else {
                domain(text, start..end, collector);
            }
        }
    }
}

/// Numbers, dots and dashes: an address, a range of two, or a version.
fn numbers(
    text: &Text<'_>,
    span: Range<usize>,
    version_end: &mut Option<usize>,
    collector: &mut Collector<'_>,
) {
    let mut start = span.start;
    for piece in text.get(span.clone()).split('-') {
        let name = piece.trim_end_matches('.');
        let place = start..start.saturating_add(name.len());
        start = start.saturating_add(piece.len()).saturating_add(1);
        if name.bytes().filter(|byte| *byte == b'.').count() < 3 {
            continue;
        }
        if let Err(reason) = number(text, name, place.clone(), *version_end, collector) {
            if matches!(reason, Reason::Version | Reason::Oid) {
                *version_end = Some(place.end);
            }
            collector.suppress(text, place.start, reason);
        }
    }
}

fn number(
    text: &Text<'_>,
    name: &str,
    span: Range<usize>,
    version_end: Option<usize>,
    collector: &mut Collector<'_>,
) -> Result<(), Reason> {
    // `.1.3.6.1` is an OID whose root is spelt; `...10.0.0.1` is an ellipsis.
    let dots = name
        .len()
        .saturating_sub(name.trim_start_matches('.').len());
    let (name, span) = match dots {
        0 => (name, span),
        1 => return Err(Reason::Oid),
        _ => (
            name.trim_start_matches('.'),
            span.start.saturating_add(dots)..span.end,
        ),
    };
    let address = ip::parse_ipv4(name)?;
    let left = text.left(span.start, 48);
    let right = text.right(span.end);
    // An operator of versions, or a product and its version: `Chrome/120.0.0.0`.
    let product = left
        .strip_suffix('/')
        .is_some_and(|rest| rest.ends_with(char::is_alphanumeric));
    if left.ends_with(['~', '^', '+'])
        || ["==", ">=", "<=", "!=", "~>"]
            .iter()
            .any(|sign| left.ends_with(sign))
        || product
        || right.starts_with(['+', '_'])
    {
        return Err(Reason::Version);
    }
    let defanged = text.is_changed(&span);
    let (mut confidence, mut flags) = ip::judge_ipv4(address);
    let network = ip::is_prefix(right);
    let port = port(right);
    if !defanged && !network && !port {
        let announced = if left.len() < 48 && !text.before.is_empty() && span.start <= 2 {
            names::announces_version(text.before)
        } else {
            names::announces_version(left)
        };
        let near = version_end.is_some_and(|end| span.start.saturating_sub(end) <= 12);
        let heading = left.trim().is_empty()
            && address.octets().iter().all(|octet| *octet < 20)
            && right
                .strip_prefix(' ')
                .is_some_and(|rest| rest.starts_with(char::is_uppercase));
        // Arcs of X.500, of the Internet and of algorithms.
        let arc = matches!(
            address.octets(),
            [2, 5, 4 | 29, _] | [1, 3, 6, 1] | [1, 3, 14 | 101 | 132, _]
        );
        if arc {
            return Err(Reason::Oid);
        }
        if announced || near || heading || matches!(address.octets(), [1..=255, 0, 0, 0]) {
            return Err(Reason::Version);
        }
    }
    if network {
        flags.push(Flag::Network);
    }
    if port {
        flags.push(Flag::Port);
        if confidence == Confidence::Medium {
            confidence = Confidence::High;
        }
    }
    collector.add(
        text,
        Found {
            kind: IocKind::Ipv4,
            value: name.to_owned(),
            span,
            confidence,
            flags,
            whole: None,
        },
    );
    Ok(())
}

/// Whether the text begins with `:` and a port.
fn port(text: &str) -> bool {
    let digits = text.strip_prefix(':').unwrap_or_default();
    matches!(digits.bytes().take_while(u8::is_ascii_digit).count(), 2..=5)
}

/// A bare host name.
fn domain(text: &Text<'_>, span: Range<usize>, collector: &mut Collector<'_>) {
    let word = text.get(span.clone());
    let name = word.trim_start_matches(['.', '-', '_']);
    let start = span
        .start
        .saturating_add(word.len().saturating_sub(name.len()));
    let name = name.trim_end_matches(['.', '-', '_']);
    let span = start..start.saturating_add(name.len());
    if !name.contains('.')
        || !name
            .bytes()
            .any(|byte| byte.is_ascii_alphabetic() || byte >= 0x80)
    {
        return;
    }
    let left = text.left(span.start, 48);
    // `.data.rel.ro`, `.plt.got`: sections of object files.
    let first = name.split('.').next().unwrap_or_default();
    if left.ends_with('.') && names::is_section_word(first) {
        collector.suppress(text, span.start, Reason::CodeIdentifier);
        return;
    }
    // Parts of paths, and what only follows a name: `\\x.com`, `/x.com`, `.com`.
    if left.ends_with('\\') || (left.ends_with('/') && !left.ends_with("//")) {
        return;
    }
    let host = match parse(name) {
        Ok(host) => host,
        Err(reason) => {
            // A version with letters in front or behind.
            let digits = name.trim_start_matches(['v', 'V']);
            let reason = if ip::parse_ipv4(digits).is_ok() {
                Reason::Version
            } else {
                reason
            };
            collector.suppress(text, span.start, reason);
            return;
        }
    };
    let right = text.right(span.end);
    let defanged = text.is_changed(&span);
    if !defanged && let Some(reason) = refuse(name, &host, left, right) {
        collector.suppress(text, span.start, reason);
        return;
    }
    let Host {
        value,
        suffix,
        mut flags,
        mut confidence,
    } = host;
    if port(right) {
        flags.push(Flag::Port);
    }
    if !defanged
        && confidence == Confidence::Medium
        && names::is_code_suffix(&suffix)
        && !names::announces_host(left)
        && !names::is_common_suffix(&suffix)
    {
        confidence = Confidence::Low;
    }
    collector.add(
        text,
        Found {
            kind: IocKind::Domain,
            value,
            span,
            confidence,
            flags,
            whole: None,
        },
    );
}

/// Finds mail addresses and their domains.
pub(super) fn find_emails(text: &Text<'_>, claimed: &mut Claimed, collector: &mut Collector<'_>) {
    let bytes = text.text.as_bytes();
    let mut at = 0_usize;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr(b'@', rest)) {
        let sign = at.saturating_add(found);
        let is_local = |byte: &&u8| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'=' | b'\'')
        };
        let before = bytes.get(at..sign).unwrap_or_default();
        let length = before.iter().rev().take_while(is_local).take(65).count();
        let after = bytes.get(sign.saturating_add(1)..).unwrap_or_default();
        let end = after
            .iter()
            .take_while(|byte| is_part(**byte))
            .take(LONGEST_NAME)
            .count();
        at = sign.saturating_add(1);
        if claimed.end_of(sign).is_some() {
            continue;
        }
        let local = text.get(sign.saturating_sub(length)..sign);
        let local = local.trim_start_matches(['.', '-', '\'', '=', '%']);
        // `to=user@host`: what stands before the equals sign is a key.
        let local = local.rsplit('=').next().unwrap_or_default();
        let name = text
            .get(at..at.saturating_add(end))
            .trim_end_matches(['.', '-', '_']);
        if local.is_empty() || local.len() > 64 || local.ends_with('.') || local.contains("..") {
            continue;
        }
        let first = name.split('.').next().unwrap_or_default();
        // `icon@2x.png`, `pkg@1.2.3`.
        if first
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'x')
            && name.split('.').count() == 2
            || name
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            continue;
        }
        let Ok(host) = parse(name) else {
            continue;
        };
        let host_span = at..at.saturating_add(name.len());
        let span = sign.saturating_sub(local.len())..host_span.end;
        // `git@host:path` is how SSH is addressed, and `latest.zip` a file.
        let remote = local == "git" || text.right(span.end).starts_with(":/");
        if !remote
            && names::is_file_suffix(&host.suffix)
            && matches!(first, "latest" | "next" | "main" | "master")
        {
            continue;
        }
        let Host {
            value,
            suffix: _,
            mut flags,
            mut confidence,
        } = host;
        if confidence == Confidence::Medium {
            confidence = Confidence::High;
        }
        claimed.add(span.clone());
        if !remote {
            let address = format!("{local}@{value}");
            collector.add(
                text,
                Found {
                    kind: IocKind::Email,
                    value: address,
                    span: span.clone(),
                    confidence,
                    flags: flags.clone(),
                    whole: None,
                },
            );
            flags.push(Flag::InEmail);
        }
        collector.add(
            text,
            Found {
                kind: IocKind::Domain,
                value,
                span: host_span,
                confidence,
                flags,
                whole: Some(span),
            },
        );
    }
}
