//! Where the finders put what they found: merges equal values, counts, keeps
//! everything within bounds. It knows nothing of how a kind is recognised.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::report::{Confidence, Flag, Ioc, IocKind, IocOptions, IocReport, Reason};
use super::text::Text;
use crate::Warnings;

/// More different values than this are only counted. It exceeds every sensible
/// `most_items`, so that the choice by confidence has something to choose from.
const MOST_VALUES: usize = 100_000;

/// More text than this is not kept, in bytes of values.
const MOST_TEXT: usize = 32 << 20;

/// What a finder says about a place.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) kind: IocKind,
    pub(super) value: String,
    /// Its bytes in [`Text::text`].
    pub(super) span: Range<usize>,
    pub(super) confidence: Confidence,
    pub(super) flags: Vec<Flag>,
    /// What it is a part of: a host is defanged if its URL is.
    pub(super) whole: Option<Range<usize>>,
}

/// Collects the indicators of a file.
#[derive(Debug)]
pub(super) struct Collector<'o> {
    options: &'o IocOptions,
    known: HashMap<(IocKind, String), usize>,
    items: Vec<Ioc>,
    totals: BTreeMap<IocKind, u64>,
    suppressed: BTreeMap<Reason, u64>,
    text: usize,
    full: bool,
    /// While set, rejections are not counted: the same text is read again.
    pub(super) quiet: bool,
}

impl<'o> Collector<'o> {
    pub(super) fn new(options: &'o IocOptions) -> Self {
        Self {
            options,
            known: HashMap::new(),
            items: Vec::new(),
            totals: BTreeMap::new(),
            suppressed: BTreeMap::new(),
            text: 0,
            full: false,
            quiet: false,
        }
    }

    /// Whether a kind was asked for.
    pub(super) fn wants(&self, kind: IocKind) -> bool {
        self.options.kinds.is_empty() || self.options.kinds.contains(&kind)
    }

    /// Counts a place that is no indicator after all.
    pub(super) fn suppress(&mut self, text: &Text<'_>, at: usize, reason: Reason) {
        if !self.quiet && text.reports(at) {
            let count = self.suppressed.entry(reason).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Takes an indicator.
    pub(super) fn add(&mut self, text: &Text<'_>, found: Found) {
        let Found {
            kind,
            value,
            span,
            mut confidence,
            flags,
            whole,
        } = found;
        if !self.wants(kind) || !text.reports(span.start) {
            return;
        }
        let raw = text.raw(&span);
        let defanged = text.is_changed(whole.as_ref().unwrap_or(&span));
        if defanged && confidence == Confidence::Medium {
            confidence = Confidence::High;
        }
        if confidence < self.options.min_confidence {
            self.suppress(text, span.start, Reason::BelowConfidence);
            return;
        }
        let offset = text.offset(span.start);
        // The case of an Ethereum address is a checksum, not a difference, and
        // Windows does not tell it apart in paths and keys.
        let caseless = matches!(
            kind,
            IocKind::Eth | IocKind::FilePath | IocKind::RegistryKey
        ) && !value.starts_with('/');
        let key = if caseless {
            (kind, value.to_ascii_lowercase())
        } else {
            (kind, value.clone())
        };
        if let Some(item) = self.known.get(&key).and_then(|at| self.items.get_mut(*at)) {
            if item.offsets.contains(&offset) {
                return;
            }
            item.occurrences = item.occurrences.saturating_add(1);
            if item.offsets.len() < self.options.most_offsets {
                item.offsets.push(offset);
            }
            item.confidence = item.confidence.max(confidence);
            item.defanged |= defanged;
            for flag in flags {
                if !item.flags.contains(&flag) {
                    item.flags.push(flag);
                }
            }
            return;
        }
        let size = value.len().saturating_mul(2).saturating_add(raw.len());
        if self.items.len() >= MOST_VALUES || self.text.saturating_add(size) > MOST_TEXT {
            self.full = true;
            return;
        }
        self.text = self.text.saturating_add(size);
        let total = self.totals.entry(kind).or_default();
        *total = total.saturating_add(1);
        self.known.insert(key, self.items.len());
        self.items.push(Ioc {
            kind,
            value,
            raw: raw.to_owned(),
            offset,
            offsets: vec![offset],
            occurrences: 1,
            encoding: text.encoding_of(&span),
            confidence,
            defanged,
            flags,
        });
    }

    /// How many places were taken so far; grows with every new value.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// The report.
    pub(super) fn finish(self) -> IocReport {
        let Self {
            options,
            known: _,
            mut items,
            totals,
            suppressed,
            text: _,
            full,
            quiet: _,
        } = self;
        let mut warnings = Warnings::default();
        if full {
            warnings.add(format!(
                "more than {MOST_VALUES} different indicators or {MOST_TEXT} bytes of them; \
                 the rest was left out and is not in the totals"
            ));
        }
        items.sort_by(|one, two| {
            two.confidence
                .cmp(&one.confidence)
                .then(one.offset.cmp(&two.offset))
                .then(one.kind.cmp(&two.kind))
        });
        let truncated = full || items.len() > options.most_items;
        items.truncate(options.most_items);
        for item in &mut items {
            item.flags.sort();
            item.flags.dedup();
        }
        IocReport {
            items,
            totals,
            suppressed,
            truncated,
            stopped_at: None,
            warnings,
        }
    }
}
