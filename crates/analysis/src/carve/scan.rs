//! The one pass over the file: every hit of a magic number goes to the check
//! of its format, unless an accepted container covers it already.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::bytes::{Budget, tail};
use super::signatures::{SIGNATURES, Signature};
use super::{CarveOptions, CarveReport, CarvedObject};

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

pub(super) fn scan(data: &[u8], options: &CarveOptions) -> CarveReport {
    let mut report = CarveReport {
        size: data.len() as u64,
        ..CarveReport::default()
    };
    let mut budget = Budget::for_size(data.len());
    let mut seen = BTreeSet::new();
    let mut covered_until = 0_u64;
    for hit in SEARCH.find_overlapping_iter(data) {
        let Some(signature) = SIGNATURES.get(hit.pattern().as_usize()) else {
            continue;
        };
        let Some(offset) = (hit.start() as u64).checked_sub(signature.at) else {
            continue;
        };
        if offset < covered_until {
            continue;
        }
        if budget.is_spent() {
            report.warnings.add(format!(
                "the search ended at {:#x}: too many candidates to check",
                hit.start()
            ));
            break;
        }
        let Some(found) = check(data, offset, signature, &mut budget) else {
            continue;
        };
        if found.confidence < options.min_confidence || !seen.insert((offset, signature.kind)) {
            continue;
        }
        if report.objects.len() >= options.max_objects {
            report.warnings.add(format!(
                "the search ended at {offset:#x}: more than {} objects",
                options.max_objects
            ));
            break;
        }
        if signature.container && found.confidence > super::Confidence::Low {
            let size = found.size.unwrap_or(0);
            covered_until = covered_until.max(offset.saturating_add(size));
        }
        report.objects.push(CarvedObject {
            offset,
            size: found.size,
            kind: signature.kind.to_owned(),
            confidence: found.confidence,
            description: found.description,
        });
    }
    finish(&mut report);
    report
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
