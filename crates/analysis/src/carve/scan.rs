//! The one pass over the file: every hit of a magic number goes to the check
//! of its format, unless an accepted container covers it already.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input};

use super::bytes::{Budget, tail};
use super::signatures::{SIGNATURES, Signature};
use super::{CarveOptions, CarveReport, CarvedObject};
use crate::Watch;

/// The search looks up from the file every so many bytes.
const WINDOW: usize = 4 << 20;

/// What a check says of a hit.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) size: Option<u64>,
    pub(super) confidence: super::Confidence,
    pub(super) description: String,
}

/// All magic numbers at once; built once, since that costs more than searching
/// a small file.
static SEARCH: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .build(SIGNATURES.iter().map(|signature| signature.magic))
        .expect("a few short constant patterns")
});

pub(super) fn scan(data: &[u8], options: &CarveOptions, watch: Watch<'_>) -> CarveReport {
    let mut report = CarveReport {
        size: data.len() as u64,
        ..CarveReport::default()
    };
    let mut search = Search {
        data,
        options,
        budget: Budget::for_size(data.len()),
        seen: BTreeSet::new(),
        covered_until: 0,
    };
    let mut at = 0_usize;
    while at < data.len() {
        let end = at.saturating_add(WINDOW).min(data.len());
        if !search.window(at..end, &mut report) {
            break;
        }
        at = end;
        if !watch(at as u64) && at < data.len() {
            report.stopped_at = Some(at as u64);
            break;
        }
    }
    finish(&mut report);
    report
}

/// What one window leaves to the next.
struct Search<'a> {
    data: &'a [u8],
    options: &'a CarveOptions,
    budget: Budget,
    seen: BTreeSet<(u64, &'static str)>,
    covered_until: u64,
}

impl Search<'_> {
    /// Checks the hits that begin in a window; `false` when a bound was reached.
    fn window(&mut self, window: Range<usize>, report: &mut CarveReport) -> bool {
        // The last magic number of a window may reach into the next.
        let reach = SEARCH.max_pattern_len().saturating_sub(1);
        let until = window.end.saturating_add(reach).min(self.data.len());
        let input = Input::new(self.data).range(window.start..until);
        for hit in SEARCH.find_overlapping_iter(input) {
            if hit.start() >= window.end {
                continue;
            }
            let hit_at = hit.start() as u64;
            let Some(signature) = SIGNATURES.get(hit.pattern().as_usize()) else {
                continue;
            };
            let Some(offset) = hit_at.checked_sub(signature.at) else {
                continue;
            };
            if offset < self.covered_until {
                continue;
            }
            if self.budget.is_spent() {
                report.warnings.add(format!(
                    "the search ended at {hit_at:#x}: too many candidates to check"
                ));
                return false;
            }
            let Some(found) = check(self.data, offset, signature, &mut self.budget) else {
                continue;
            };
            if found.confidence < self.options.min_confidence
                || !self.seen.insert((offset, signature.kind))
            {
                continue;
            }
            if report.objects.len() >= self.options.max_objects {
                report.warnings.add(format!(
                    "the search ended at {offset:#x}: more than {} objects",
                    self.options.max_objects
                ));
                return false;
            }
            if signature.container && found.confidence > super::Confidence::Low {
                let size = found.size.unwrap_or(0);
                self.covered_until = self.covered_until.max(offset.saturating_add(size));
            }
            report.objects.push(CarvedObject {
                offset,
                size: found.size,
                kind: signature.kind.to_owned(),
                confidence: found.confidence,
                description: found.description,
            });
        }
        true
    }
}

fn check(data: &[u8], offset: u64, signature: &Signature, budget: &mut Budget) -> Option<Found> {
    budget.spend(0);
    (signature.check)(tail(data, offset)?, budget)
}

/// Sorts, and drops what a container covers that was recognised only later,
/// since its magic number stands behind its start.
fn finish(report: &mut CarveReport) {
    report
        .objects
        .sort_by(|a, b| (a.offset, &a.kind).cmp(&(b.offset, &b.kind)));
    let mut covered_until = 0_u64;
    report.objects.retain(|object| {
        if object.offset < covered_until {
            return false;
        }
        let container = SIGNATURES
            .iter()
            .any(|signature| signature.kind == object.kind && signature.container);
        if container && object.confidence > super::Confidence::Low {
            let end = object.offset.saturating_add(object.size.unwrap_or(0));
            // An object that starts where the container starts stays.
            covered_until = covered_until.max(end);
        }
        true
    });
}
