//! Indicators of compromise in any file: addresses, names, URLs, paths, keys,
//! hashes and accounts of currencies, plain or defanged, as ASCII, UTF-8 or
//! UTF-16 text anywhere in it. Called by the tool `extract_iocs`.
//!
//! ```text
//! data ── runs ──> lines of text ── refang ──> finders ──> Collector ──> report
//!                                              url, host, path, hash, name
//! ```
//!
//! Each finder starts from a byte that its kind can't do without (`.`, `://`,
//! `@`, `\`, …) and looks at what is around it, so the cost grows with the text
//! and not with the number of kinds. What only looks like an indicator (version
//! numbers, file names, identifiers of code, wrong checksums) is counted in
//! `suppressed`; what is one and mostly harmless is kept with low confidence.
//!
//! It deliberately decodes nothing: no Base64, no XOR, no archives.

mod collect;
mod hash;
mod host;
mod ip;
mod name;
mod names;
mod path;
mod refang;
mod report;
mod runs;
#[cfg(test)]
mod tests;
mod text;
mod url;

pub use report::{Confidence, Encoding, Flag, Ioc, IocKind, IocOptions, IocReport, Reason};

use collect::Collector;
use runs::Run;
use text::Text;

use crate::Watch;
use crate::watch::unwatched;

/// Finds the indicators in a file. Takes time linear in its size; memory is
/// bounded by the number of different values that are kept.
pub fn extract(data: &[u8], options: &IocOptions) -> IocReport {
    extract_watched(data, options, &mut unwatched)
}

/// The same, watched.
pub fn extract_watched(data: &[u8], options: &IocOptions, watch: Watch<'_>) -> IocReport {
    let mut collector = Collector::new(options);
    let stopped_at = runs::each(data, watch, |run| scan(run, &mut collector));
    IocReport {
        stopped_at,
        ..collector.finish()
    }
}

/// Looks for everything in a piece of text.
fn scan(run: &Run<'_>, collector: &mut Collector<'_>) {
    let known = collector.len();
    with_text(run, 0, |text| find(text, collector));
    // A stray byte in front of a UTF-16 string spoils its first word.
    if run.doubtful_start && collector.len() == known {
        let first = run.text.chars().next().map_or(0, char::len_utf8);
        collector.quiet = true;
        with_text(run, first, |text| find(text, collector));
        collector.quiet = false;
    }
}

/// Refangs the text of a run, without its first `skipped` bytes.
fn with_text(run: &Run<'_>, skipped: usize, then: impl FnOnce(&Text<'_>)) {
    let original = run.text.get(skipped..).unwrap_or_default();
    let places = run
        .places
        .map(|places| places.get(skipped..).unwrap_or_default());
    let base = match places {
        Some(_) => run.base,
        None => run.base.saturating_add(skipped as u64),
    };
    let window = run.window.start.saturating_sub(skipped)..run.window.end.saturating_sub(skipped);
    let refanged = if refang::is_suspect(original) {
        refang::refang(original)
    } else {
        None
    };
    then(&Text {
        text: refanged
            .as_ref()
            .map_or(original, |refanged| &refanged.text),
        before: run.before,
        window,
        encoding: run.encoding,
        base,
        places,
        refanged: refanged.as_ref(),
        original,
    });
}

/// Runs the finders whose anchor occurs. Those that recognise larger things come
/// first and claim their place, so that the parts are not reported again.
fn find(text: &Text<'_>, collector: &mut Collector<'_>) {
    let anchors = Anchors::of(text.text);
    let mut claimed = Claimed::default();
    if anchors.colon && anchors.slash {
        url::find(text, &mut claimed, collector);
    }
    if anchors.at {
        host::find_emails(text, &mut claimed, collector);
    }
    if anchors.slash || anchors.colon {
        name::find_user_agents(text, &mut claimed, collector);
    }
    if anchors.backslash {
        path::find_keys(text, &mut claimed, collector);
        name::find_mutexes(text, &mut claimed, collector);
        path::find_windows(text, &mut claimed, collector);
    }
    if anchors.slash {
        path::find_unix(text, &mut claimed, collector);
    }
    if anchors.colon {
        ip::find_ipv6(text, &mut claimed, collector);
    }
    if anchors.dash {
        name::find_cves(text, collector);
        name::find_guids(text, collector);
    }
    if anchors.dot {
        host::find(text, &claimed, collector);
    }
    if anchors.long_word {
        hash::find(text, &claimed, collector);
    }
}

/// Which bytes occur that a finder needs.
#[derive(Debug, Default)]
struct Anchors {
    colon: bool,
    slash: bool,
    backslash: bool,
    at: bool,
    dot: bool,
    dash: bool,
    long_word: bool,
}

impl Anchors {
    fn of(text: &str) -> Self {
        let mut anchors = Self::default();
        let mut word = 0_u32;
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() {
                word = word.saturating_add(1);
                anchors.long_word |= word >= 25;
                continue;
            }
            word = 0;
            match byte {
                b':' => anchors.colon = true,
                b'/' => anchors.slash = true,
                b'\\' => anchors.backslash = true,
                b'@' => anchors.at = true,
                b'.' => anchors.dot = true,
                b'-' => anchors.dash = true,
                _ => {}
            }
        }
        anchors
    }
}

/// Parts of a text that belong to something already found.
#[derive(Debug, Default)]
struct Claimed {
    spans: Vec<std::ops::Range<usize>>,
}

impl Claimed {
    fn add(&mut self, span: std::ops::Range<usize>) {
        let at = self
            .spans
            .partition_point(|known| known.start <= span.start);
        self.spans.insert(at, span);
    }

    /// The end of the claimed part that a place is in.
    fn end_of(&self, at: usize) -> Option<usize> {
        let next = self.spans.partition_point(|known| known.start <= at);
        let span = next.checked_sub(1).and_then(|last| self.spans.get(last))?;
        (at < span.end).then_some(span.end)
    }
}
