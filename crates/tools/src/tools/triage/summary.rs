//! What `triage` reports, and how it is kept small.

use std::collections::BTreeMap;

use reversecore_analysis::Warnings;
use reversecore_analysis::binary::{self, BinaryReport, ParseOptions, Security};
use reversecore_analysis::capabilities::{Capability, capabilities};
use reversecore_analysis::carve::{CarveOptions, CarvedObject, Confidence as Sure, carve_watched};
use reversecore_analysis::entropy::{EntropyReport, Region};
use reversecore_analysis::identify::{Identity, identify};
use reversecore_analysis::iocs::{Confidence, Ioc, IocOptions, extract_watched};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::findings::{Facts, Finding, Severity, findings, next_steps};
use crate::embedded::present::{self, word};
use crate::embedded::worker::{File, Stage};
use crate::schema::{List, Object};
use crate::tools::file_info::{HASHING, imphash, measured};

/// 4,000 tokens: hexadecimal digits and addresses come to some three
/// characters a token.
const MOST_BYTES: usize = 11_000;
/// Indicators of each kind, and of all.
const MOST_OF_A_KIND: usize = 6;
const MOST_IOCS: usize = 30;
const MOST_EMBEDDED: usize = 10;
const MOST_SECTIONS: usize = 16;
const MOST_CAPABILITIES: usize = 12;
const MOST_REGIONS: usize = 5;
const MOST_MATCHES: usize = 20;
/// A file beyond this is searched for indicators and embedded files at its
/// beginning only; the tools for these have no such bound.
const SEARCHED: usize = 256 << 20;

/// The stages, with the share of the time left that each may have: on a file too
/// large for all, something is still found out in each.
const HASHED: Stage = Stage {
    name: HASHING,
    part: (0.0, 0.5),
    share: 0.5,
};
const INDICATORS: Stage = Stage {
    name: "searching for indicators",
    part: (0.5, 0.8),
    share: 0.6,
};
const EMBEDDED: Stage = Stage {
    name: "searching for embedded files",
    part: (0.8, 1.0),
    share: 1.0,
};

/// The answer.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Summary {
    size: u64,
    #[schemars(with = "Object")]
    identity: Identity,
    hashes: BTreeMap<String, String>,
    /// The rules of the operator's that match, each with tags and description;
    /// a worker leaves this empty.
    yara: Vec<String>,
    /// The worst first.
    #[schemars(with = "List")]
    findings: Vec<Finding>,
    #[schemars(with = "List")]
    capabilities: Vec<Capability>,
    #[schemars(with = "Object")]
    binary: Option<Shape>,
    #[schemars(with = "Object")]
    entropy: Entropy,
    #[schemars(with = "List")]
    indicators: Vec<Indicator>,
    /// How many of each kind there are.
    indicator_totals: BTreeMap<String, u64>,
    /// Files in the file.
    #[schemars(with = "List")]
    embedded: Vec<CarvedObject>,
    /// Calls that are worth while.
    next: Vec<String>,
    #[schemars(with = "List")]
    pub(super) warnings: Warnings,
}

/// An executable in a few numbers.
#[derive(Debug, Serialize, Deserialize)]
struct Shape {
    entry_point: Option<u64>,
    /// `name size entropy`, each.
    sections: Vec<String>,
    section_count: usize,
    libraries: Vec<String>,
    imports: usize,
    exports: usize,
    symbols: usize,
    security: Security,
    overlay: Option<binary::Range>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entropy {
    file: f64,
    /// Share of the file above 7 bits per byte.
    share_above_7: f64,
    high_regions: Vec<Region>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Indicator {
    kind: String,
    value: String,
    offset: u64,
    confidence: Confidence,
    flags: Vec<String>,
}

/// Looks at the file in every way.
pub(super) fn summarize(file: &mut File<'_, '_>) -> Summary {
    let bytes = file.bytes();
    let searched = bytes.get(..SEARCHED).unwrap_or(bytes);
    let mut warnings = Warnings::default();
    if searched.len() < bytes.len() {
        warnings.add("only the first 256 MiB were searched for indicators and embedded files");
    }
    let (hashes, entropy) = measured(file, HASHED);
    let parsed = binary::parse(bytes, &ParseOptions::default());
    let identity = identify(bytes, Some(&parsed));
    let iocs = extract_watched(
        searched,
        &IocOptions {
            min_confidence: Confidence::Medium,
            most_items: 2_000,
            most_offsets: 1,
            ..IocOptions::default()
        },
        &mut file.watch(INDICATORS),
    );
    let carved = carve_watched(
        searched,
        &CarveOptions::default(),
        &mut file.watch(EMBEDDED),
    );
    let imports = parsed.images.iter().flat_map(|image| &image.imports);
    let capabilities = capabilities(imports.filter_map(|import| {
        let name = import.name.as_deref()?;
        Some((import.library.as_deref(), name))
    }));
    warnings.extend(parsed.warnings.clone());
    warnings.extend(iocs.warnings);
    warnings.extend(carved.warnings);
    let embedded: Vec<_> = carved
        .objects
        .into_iter()
        .filter(|object| object.offset > 0 && object.confidence >= Sure::Medium)
        .collect();
    let facts = Facts {
        identity: &identity,
        parsed: &parsed,
        entropy: &entropy,
        capabilities: &capabilities,
        indicators: &iocs.items,
        embedded: &embedded,
    };
    let (findings, next) = (findings(&facts), next_steps(&facts));
    let hashes = [
        ("md5", hashes.md5),
        ("sha1", hashes.sha1),
        ("sha256", hashes.sha256),
        ("ssdeep", hashes.ssdeep),
        ("tlsh", hashes.tlsh),
        ("imphash", imphash(&parsed)),
    ];
    Summary {
        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        hashes: hashes
            .into_iter()
            .filter_map(|(name, hash)| Some((name.to_owned(), hash?)))
            .collect(),
        yara: Vec::new(),
        findings,
        capabilities: capabilities.into_iter().take(MOST_CAPABILITIES).collect(),
        binary: shape(&parsed),
        entropy: course(entropy),
        indicators: chosen(&iocs.items),
        indicator_totals: iocs
            .totals
            .iter()
            .map(|(kind, total)| (word(kind), *total))
            .collect(),
        embedded: embedded.into_iter().take(MOST_EMBEDDED).collect(),
        next,
        warnings,
        identity,
    }
}

fn shape(parsed: &BinaryReport) -> Option<Shape> {
    let image = parsed.images.first()?;
    Some(Shape {
        entry_point: image.entry_point.map(|entry| entry.address),
        sections: image
            .sections
            .iter()
            .take(MOST_SECTIONS)
            .map(|section| {
                let entropy = section.entropy.unwrap_or_default();
                format!("{} {:#x} {entropy:.2}", section.name, section.file_size)
            })
            .collect(),
        section_count: image.sections.len(),
        libraries: image.libraries.iter().take(16).cloned().collect(),
        imports: image.imports.len(),
        exports: image.exports.len(),
        symbols: image.symbols.len(),
        security: image.security.clone(),
        overlay: image.overlay,
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more than two digits"
)]
fn course(entropy: EntropyReport) -> Entropy {
    Entropy {
        file: entropy.file,
        share_above_7: entropy.blocks.above_7 as f64 / entropy.blocks.count.max(1) as f64,
        high_regions: entropy
            .high_regions
            .into_iter()
            .take(MOST_REGIONS)
            .collect(),
    }
}

/// The surest of each kind.
fn chosen(all: &[Ioc]) -> Vec<Indicator> {
    let mut sorted: Vec<&Ioc> = all.iter().collect();
    sorted.sort_by_key(|ioc| (std::cmp::Reverse(ioc.confidence), ioc.offset));
    let mut of_kind = BTreeMap::new();
    sorted
        .into_iter()
        .filter(|ioc| {
            let count = of_kind.entry(ioc.kind).or_insert(0);
            *count += 1;
            *count <= MOST_OF_A_KIND
        })
        .take(MOST_IOCS)
        .map(|ioc| Indicator {
            kind: word(&ioc.kind),
            value: shortened(&ioc.value, 120),
            offset: ioc.offset,
            confidence: ioc.confidence,
            flags: ioc.flags.iter().map(word).collect(),
        })
        .collect()
}

fn shortened(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

impl Summary {
    /// Puts in which rules match.
    pub(super) fn add_matches(&mut self, matches: Vec<String>) {
        if let Some(first) = matches.first() {
            let more = match matches.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            self.findings.push(Finding {
                severity: Severity::Suspicious,
                what: "a YARA rule matches".to_owned(),
                evidence: format!("{first}{more}"),
            });
            self.findings
                .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        }
        self.yara = matches;
        self.yara.truncate(MOST_MATCHES);
    }

    /// Cuts lists, the least telling first, until all fits; says whether it had
    /// to.
    pub(super) fn shorten(&mut self) -> bool {
        let mut cut = false;
        // Hints and warnings carry text of the file, which may be of any length.
        for hint in &mut self.identity.hints {
            hint.evidence = shortened(&hint.evidence, 160);
        }
        self.identity.description = shortened(&self.identity.description, 400);
        for round in 0.. {
            if present::tree(self).to_string().len() <= MOST_BYTES {
                return cut;
            }
            cut = true;
            match round % 6 {
                0 => halve(&mut self.indicators),
                1 => halve(&mut self.embedded),
                2 => {
                    for capability in &mut self.capabilities {
                        halve(&mut capability.evidence);
                    }
                    if let Some(shape) = &mut self.binary {
                        halve(&mut shape.libraries);
                        halve(&mut shape.sections);
                        halve(&mut shape.security.run_paths);
                    }
                }
                3 => halve(&mut self.capabilities),
                4 => {
                    halve(&mut self.identity.hints);
                    halve(&mut self.yara);
                }
                _ => halve(&mut self.findings),
            }
            // Every list is empty by then.
            if round > 60 {
                break;
            }
        }
        cut
    }
}

fn halve<T>(items: &mut Vec<T>) {
    items.truncate(items.len() / 2);
}
