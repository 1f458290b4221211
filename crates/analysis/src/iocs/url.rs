//! URLs, from `scheme://` to where the text around them goes on, and their
//! hosts as indicators of their own.

use std::net::Ipv6Addr;
use std::ops::Range;

use super::collect::{Collector, Found};
use super::report::{Confidence, Flag, IocKind, Reason};
use super::text::Text;
use super::{Claimed, host, ip};

/// Longer ones are cut; browsers and servers take about as much.
const LONGEST: usize = 2048;

/// URLs within a URL that are looked at.
const MOST_NESTED: usize = 4;

/// Schemes that are told apart from letters glued to their front.
const SCHEMES: [&str; 29] = [
    "https",
    "http",
    "sftp",
    "ftps",
    "ftp",
    "wss",
    "ws",
    "ldaps",
    "ldap",
    "smb",
    "ssh",
    "tcp",
    "udp",
    "tls",
    "ssl",
    "socks5",
    "socks4",
    "socks",
    "rtsp",
    "ircs",
    "irc",
    "telnet",
    "tftp",
    "dns",
    "doh",
    "git",
    "rdp",
    "stratum+ssl",
    "stratum+tcp",
];

/// Finds URLs.
pub(super) fn find(text: &Text<'_>, claimed: &mut Claimed, collector: &mut Collector<'_>) {
    let bytes = text.text.as_bytes();
    let mut outer = 0_usize;
    let mut inner = 0_usize;
    for colon in memchr::memmem::find_iter(bytes, b"://") {
        let letters = bytes
            .get(..colon)
            .unwrap_or_default()
            .iter()
            .rev()
            .take(24)
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
            .count();
        let word = text.get(colon.saturating_sub(letters)..colon);
        let lower = word.to_ascii_lowercase();
        let known = SCHEMES.iter().filter(|scheme| lower.ends_with(*scheme));
        let scheme = match known.max_by_key(|scheme| scheme.len()) {
            Some(scheme) => (*scheme).to_owned(),
            // Any other scheme must be a word; its host decides.
            None if lower.starts_with(|first: char| first.is_ascii_alphabetic()) => lower,
            None => continue,
        };
        let start = colon.saturating_sub(scheme.len());
        let after = colon.saturating_add(3);
        // URLs may be nested (`?url=http://…`); a few levels keep this linear.
        inner = if colon < outer {
            inner.saturating_add(1)
        } else {
            0
        };
        if inner > MOST_NESTED {
            continue;
        }
        let end = end_of(text, after);
        outer = outer.max(end);
        if let Err(reason) = url(text, &scheme, start..end, after, claimed, collector) {
            collector.suppress(text, start, reason);
        }
    }
}

/// Where a URL ends: at what can't be in one, without the punctuation and the
/// closing brackets of the text around it.
fn end_of(text: &Text<'_>, after: usize) -> usize {
    let rest = text.right(after);
    let mut length = rest.len();
    for (at, character) in rest.char_indices() {
        let stop = match character {
            '"' | '\'' | '<' | '>' | '`' | '\\' | '^' | '|' => true,
            '{' | '}' => !rest.get(at..).unwrap_or_default().starts_with('{') || at == 0,
            _ if character.is_ascii() => character.is_ascii_whitespace() || character.is_control(),
            _ => !character.is_alphanumeric(),
        };
        if stop || at >= LONGEST {
            length = at;
            break;
        }
    }
    let mut url = rest.get(..length).unwrap_or_default();
    for entity in ["&quot;", "&lt;", "&gt;", "&#34;", "&#39;", "&apos;"] {
        url = url.split(entity).next().unwrap_or_default();
    }
    // Two in a row without a space.
    for separator in [",http", ";http", ",ftp", ";ftp", ")http", "](http"] {
        url = url.split(separator).next().unwrap_or_default();
    }
    loop {
        let trimmed = url.trim_end_matches(['.', ',', ';', ':', '!', '?', '*', '&', '$']);
        let unbalanced = |open: char, close: char| {
            trimmed.ends_with(close)
                && trimmed.matches(close).count() > trimmed.matches(open).count()
        };
        let shorter = if unbalanced('(', ')') || unbalanced('[', ']') || unbalanced('{', '}') {
            let mut characters = trimmed.chars();
            characters.next_back();
            characters.as_str()
        } else {
            trimmed
        };
        if shorter.len() == url.len() {
            break;
        }
        url = shorter;
    }
    // `](` of Markdown, where the address is also the text of the link.
    if let Some((front, _)) = url.split_once("](") {
        url = front;
    }
    after.saturating_add(url.len())
}

fn url(
    text: &Text<'_>,
    scheme: &str,
    span: Range<usize>,
    after: usize,
    claimed: &mut Claimed,
    collector: &mut Collector<'_>,
) -> Result<(), Reason> {
    let rest = text.get(after..span.end);
    let authority_length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..authority_length).unwrap_or_default();
    let (user, address) = match authority.rsplit_once('@') {
        Some((user, address)) => (Some(user), address),
        None => (None, authority),
    };
    let (name, port) = if address.starts_with('[') {
        let (inner, behind) = address.split_once(']').unwrap_or((address, ""));
        (inner.trim_start_matches('['), behind.strip_prefix(':'))
    } else {
        match address.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (address, None),
        }
    };
    // A template is an indicator of its fixed part only.
    let template = |part: &str| part.contains(['%', '{', '$', '*']);
    if name.is_empty() || template(name) {
        return Err(Reason::InvalidHost);
    }
    let name_start = after
        .saturating_add(authority.len().saturating_sub(address.len()))
        .saturating_add(usize::from(address.starts_with('[')));
    let name_span = name_start..name_start.saturating_add(name.len());
    let mut flags = Vec::new();
    if user.is_some() {
        flags.push(Flag::Credentials);
    }
    if port.is_some_and(|port| !port.is_empty()) {
        flags.push(Flag::Port);
    }
    let (kind, value, confidence, mut special) = if let Ok(address) = ip::parse_ipv4(name) {
        let (confidence, special) = ip::judge_ipv4(address);
        (Some(IocKind::Ipv4), name.to_owned(), confidence, special)
    } else if let Ok(address) = name.parse::<Ipv6Addr>() {
        let (confidence, special) = ip::judge_ipv6(address);
        (
            Some(IocKind::Ipv6),
            name.to_ascii_lowercase(),
            confidence,
            special,
        )
    } else if let Ok(host) = host::parse(name.trim_end_matches('.')) {
        (
            Some(IocKind::Domain),
            host.value,
            host.confidence,
            host.flags,
        )
    } else {
        let valid = name
            .chars()
            .all(|character| character.is_alphanumeric() || matches!(character, '-' | '.' | '_'));
        let numeric = name
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !valid || numeric || !SCHEMES.contains(&scheme) {
            return Err(Reason::InvalidHost);
        }
        // A host of a local network, or one that no resolver knows.
        let special = if name.eq_ignore_ascii_case("localhost") {
            vec![Flag::Loopback]
        } else {
            Vec::new()
        };
        (None, name.to_lowercase(), Confidence::Low, special)
    };
    if !SCHEMES.contains(&scheme) && kind.is_none() {
        return Err(Reason::InvalidHost);
    }
    let confidence = match confidence {
        Confidence::Low => Confidence::Low,
        Confidence::Medium | Confidence::High => Confidence::High,
    };
    flags.append(&mut special);
    let tail = rest.get(authority_length..).unwrap_or_default();
    if tail.contains("%s") || tail.contains("%d") || tail.contains('{') {
        flags.push(Flag::Template);
    }
    let host_flags: Vec<Flag> = flags
        .iter()
        .copied()
        .filter(|flag| !matches!(flag, Flag::Credentials | Flag::Template))
        .chain([Flag::InUrl])
        .collect();
    let shown = if name.contains(':') {
        format!("[{value}]")
    } else {
        value.clone()
    };
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let whole = format!("{scheme}://{user}{shown}{port}{tail}");
    claimed.add(span.clone());
    collector.add(
        text,
        Found {
            kind: IocKind::Url,
            value: whole,
            span: span.clone(),
            confidence,
            flags,
            whole: None,
        },
    );
    if let Some(kind) = kind {
        collector.add(
            text,
            Found {
                kind,
                value,
                span: name_span,
                confidence,
                flags: host_flags,
                whole: Some(span),
            },
        );
    }
    Ok(())
}
