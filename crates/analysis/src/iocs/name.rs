//! Identifiers with a fixed form: CVE numbers, GUIDs, names of kernel objects
//! and user agents. All by regular expression; the words in them are rare enough
//! for the search to run at the speed of memory.

use std::sync::LazyLock;

use regex::Regex;

use super::Claimed;
use super::collect::{Collector, Found};
use super::report::{Confidence, Flag, IocKind, Reason};
use super::text::Text;

fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant")
}

static CVE: LazyLock<Regex> =
    LazyLock::new(|| compile(r"(?i-u)\bCVE[-_](1999|20[0-9][0-9])-([0-9]{4,7})\b"));

static GUID: LazyLock<Regex> = LazyLock::new(|| {
    compile(r"(?i-u)\{?\b[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}\b\}?")
});

static MUTEX: LazyLock<Regex> =
    LazyLock::new(|| compile(r#"(?-u:\b)(Global|Local)\\{1,2}([^\s\\"'<>|,;:()*?\[\]+^]{3,128})"#));

static USER_AGENT: LazyLock<Regex> = LazyLock::new(|| {
    compile(concat!(
        r#"(?-u:\b)Mozilla/[0-9]\.[0-9] [^"'\\<>|`]{4,300}"#,
        r#"|(?i:User-Agent)["']?\s{0,2}[:=]\s{0,2}["']?([^"'\\<>|`]{3,300})"#,
        r"|(?-u:\b)(?:curl|Wget|python-requests|Python-urllib|Go-http-client|okhttp|libwww-perl|",
        r"PostmanRuntime|aria2|WinHttp|WinInet|axios|Apache-HttpClient|AutoIt)/[0-9][0-9A-Za-z.]{0,15}",
    ))
});

/// Finds CVE identifiers.
pub(super) fn find_cves(text: &Text<'_>, collector: &mut Collector<'_>) {
    if !collector.wants(IocKind::Cve) {
        return;
    }
    for found in CVE.find_iter(text.text) {
        // Two numbers more, and it is the name of something else.
        if text.right(found.end()).starts_with('-')
            && text
                .byte(found.end().saturating_add(1))
                .is_some_and(|byte| byte.is_ascii_digit())
        {
            continue;
        }
        collector.add(
            text,
            Found {
                kind: IocKind::Cve,
                value: found.as_str().to_ascii_uppercase().replace('_', "-"),
                span: found.range(),
                confidence: Confidence::High,
                flags: Vec::new(),
                whole: None,
            },
        );
    }
}

/// Finds GUIDs.
pub(super) fn find_guids(text: &Text<'_>, collector: &mut Collector<'_>) {
    if !collector.wants(IocKind::Guid) {
        return;
    }
    for found in GUID.find_iter(text.text) {
        let value = found.as_str().trim_matches(['{', '}']).to_ascii_lowercase();
        if text.right(found.end()).starts_with('-') || text.byte_before(found.start()) == Some(b'-')
        {
            continue;
        }
        let mut flags = Vec::new();
        // OLE's own, and the one of nothing.
        if value.ends_with("-0000-0000-c000-000000000046")
            || value.bytes().all(|byte| matches!(byte, b'0' | b'-'))
        {
            flags.push(Flag::WellKnown);
        }
        collector.add(
            text,
            Found {
                kind: IocKind::Guid,
                value,
                span: found.range(),
                confidence: Confidence::Low,
                flags,
                whole: None,
            },
        );
    }
}

/// Finds names of kernel objects.
pub(super) fn find_mutexes(text: &Text<'_>, claimed: &mut Claimed, collector: &mut Collector<'_>) {
    for found in MUTEX.captures_iter(text.text) {
        let (Some(whole), Some(space), Some(name)) = (found.get(0), found.get(1), found.get(2))
        else {
            continue;
        };
        // A directory of that name in a path.
        if text
            .byte_before(whole.start())
            .is_some_and(|byte| matches!(byte, b'\\' | b'/' | b'.'))
            || claimed.end_of(whole.start()).is_some()
            || text.right(whole.end()).starts_with('\\')
        {
            continue;
        }
        let name = name.as_str().trim_end_matches(['.', '!']);
        let mut flags = Vec::new();
        let mut confidence = Confidence::High;
        if name.contains('%') {
            flags.push(Flag::Template);
            confidence = Confidence::Medium;
        }
        let length = whole
            .as_str()
            .rfind(name)
            .unwrap_or_default()
            .saturating_add(name.len());
        let span = whole.start()..whole.start().saturating_add(length);
        claimed.add(span.clone());
        let value = format!("{}\\{name}", space.as_str());
        collector.add(
            text,
            Found {
                kind: IocKind::Mutex,
                value,
                span,
                confidence,
                flags,
                whole: None,
            },
        );
    }
}

/// Finds user agents of HTTP.
pub(super) fn find_user_agents(
    text: &Text<'_>,
    claimed: &mut Claimed,
    collector: &mut Collector<'_>,
) {
    for found in USER_AGENT.captures_iter(text.text) {
        let Some(place) = found.get(1).or_else(|| found.get(0)) else {
            continue;
        };
        let labelled = found.get(1).is_some();
        if claimed.end_of(place.start()).is_some() {
            continue;
        }
        let value = place.as_str().trim_end_matches([' ', ',', ';', '\t']);
        let span = place.start()..place.start().saturating_add(value.len());
        claimed.add(span.clone());
        let mut flags = Vec::new();
        let mut confidence = Confidence::Medium;
        if value.contains("%s") || value.contains("{}") || value == "%s" {
            flags.push(Flag::Template);
            confidence = Confidence::Low;
        } else if labelled {
            flags.push(Flag::Labelled);
            confidence = Confidence::High;
        }
        if value.trim_matches(['%', 's', ' ']).is_empty() {
            collector.suppress(text, span.start, Reason::Pattern);
            continue;
        }
        collector.add(
            text,
            Found {
                kind: IocKind::UserAgent,
                value: value.to_owned(),
                span,
                confidence,
                flags,
                whole: None,
            },
        );
    }
}
