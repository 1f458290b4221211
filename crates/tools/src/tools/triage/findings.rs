//! What is suspicious about a file, each with its evidence, and which call
//! shows more. Rules of thumb of the trade; none is a verdict.

use reversecore_analysis::binary::{BinaryReport, Details, Image};
use reversecore_analysis::capabilities::{Capability, Severity as Weight};
use reversecore_analysis::carve::CarvedObject;
use reversecore_analysis::entropy::EntropyReport;
use reversecore_analysis::identify::{Category, HintCategory, Identity, PackingVerdict};
use reversecore_analysis::iocs::{Ioc, IocKind};
use serde::{Deserialize, Serialize};

/// Bits per byte above which code or data is taken for packed or encrypted.
const HIGH: f64 = 7.2;
const MOST_FINDINGS: usize = 16;

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finding {
    pub(super) severity: Severity,
    pub(super) what: String,
    pub(super) evidence: String,
}

/// How much it should worry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Worth knowing.
    Info,
    /// Unusual in benign files.
    Suspicious,
    /// Seldom innocent.
    High,
}

/// What the rules look at.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) identity: &'a Identity,
    pub(super) parsed: &'a BinaryReport,
    pub(super) entropy: &'a EntropyReport,
    pub(super) capabilities: &'a [Capability],
    pub(super) indicators: &'a [Ioc],
    pub(super) embedded: &'a [CarvedObject],
}

/// What is suspicious, the worst first.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |severity, what: &str, evidence: String| {
        found.push(Finding {
            severity,
            what: what.to_owned(),
            evidence,
        });
    };
    packing(facts, &mut add);
    for image in &facts.parsed.images {
        image_findings(image, &mut add);
    }
    for hint in &facts.identity.hints {
        match hint.category {
            HintCategory::Polyglot => add(
                Severity::High,
                "the file is valid in a second format",
                format!("{}: {}", hint.name, hint.evidence),
            ),
            HintCategory::Protector => {
                add(Severity::High, "protected code", hint.evidence.clone());
            }
            HintCategory::Compiler
            | HintCategory::Packer
            | HintCategory::Installer
            | HintCategory::Language
            | HintCategory::Framework
            | HintCategory::Container => {}
        }
    }
    for capability in facts.capabilities {
        let severity = match capability.severity {
            Weight::High => Severity::High,
            Weight::Medium => Severity::Suspicious,
            Weight::Low => continue,
        };
        add(severity, &capability.title, capability.evidence.join(", "));
    }
    let programs = facts
        .embedded
        .iter()
        .filter(|object| ["elf", "pe", "macho"].contains(&object.kind.as_str()));
    for object in programs.take(3) {
        add(
            Severity::Suspicious,
            "an executable inside the file",
            format!("{} at {:#x}", object.kind, object.offset),
        );
    }
    let darknet = |ioc: &&Ioc| ioc.value.contains(".onion");
    if let Some(ioc) = facts.indicators.iter().find(darknet) {
        add(
            Severity::High,
            "an address in the Tor network",
            format!("{} at {:#x}", ioc.value, ioc.offset),
        );
    }
    let wallet = |ioc: &&Ioc| matches!(ioc.kind, IocKind::Btc | IocKind::Eth | IocKind::Xmr);
    if let Some(ioc) = facts.indicators.iter().find(wallet) {
        add(
            Severity::Suspicious,
            "a wallet of a cryptocurrency, its checksum right",
            format!("{} at {:#x}", ioc.value, ioc.offset),
        );
    }
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found.truncate(MOST_FINDINGS);
    found
}

fn packing(facts: &Facts<'_>, add: &mut impl FnMut(Severity, &str, String)) {
    let Some(packing) = &facts.identity.packing else {
        return;
    };
    let reasons = packing.reasons.join("; ");
    match packing.verdict {
        PackingVerdict::NotPacked => {}
        PackingVerdict::Suspected => add(Severity::Suspicious, "perhaps packed", reasons),
        PackingVerdict::Packed => add(Severity::High, "packed", reasons),
    }
}

fn image_findings(image: &Image, add: &mut impl FnMut(Severity, &str, String)) {
    for section in &image.sections {
        let permissions = section.permissions;
        if permissions.write && permissions.execute {
            add(
                Severity::Suspicious,
                "a section is writable and executable",
                section.name.clone(),
            );
        }
        if permissions.execute
            && let Some(entropy) = section.entropy.filter(|entropy| *entropy > HIGH)
        {
            add(
                Severity::Suspicious,
                "code of high entropy",
                format!("{}: {entropy:.2} bits per byte", section.name),
            );
        }
    }
    if !image.early_code.is_empty() && matches!(image.details, Details::Pe(_)) {
        add(
            Severity::Info,
            "code runs before the entry point (TLS callbacks)",
            format!("{:#x}", image.early_code.first().map_or(0, |at| at.address)),
        );
    }
    if let Some(overlay) = image.overlay {
        let severity = if image.security.signed == Some(true) {
            Severity::Info
        } else {
            Severity::Suspicious
        };
        add(
            severity,
            "data behind the end of the image",
            format!("{} bytes at {:#x}", overlay.size, overlay.offset),
        );
    }
    if image.security.nx == Some(false) && image.sections.iter().any(|s| s.permissions.execute) {
        add(
            Severity::Info,
            "data may be executed (no NX)",
            image.kind.clone(),
        );
    }
    for path in &image.security.run_paths {
        if !path.starts_with('/') && !path.starts_with("$ORIGIN") && !path.starts_with('@') {
            add(
                Severity::Suspicious,
                "libraries are looked for in a relative directory",
                path.clone(),
            );
        }
    }
}

/// Which calls show more.
pub(super) fn next_steps(facts: &Facts<'_>) -> Vec<String> {
    let mut next = Vec::new();
    let packed = facts
        .identity
        .packing
        .as_ref()
        .is_some_and(|packing| packing.verdict == PackingVerdict::Packed);
    if packed {
        next.push("unpack first: imports and strings are those of the packer".to_owned());
    }
    if let Some(image) = facts.parsed.images.first() {
        next.push("disassemble (entry point)".to_owned());
        if image.imports.len() > 20 {
            next.push("parse_binary parts=[imports] limit=1000".to_owned());
        }
        if let Some(overlay) = image.overlay {
            next.push(format!(
                "run_binwalk: what is in the overlay at {:#x}",
                overlay.offset
            ));
        }
    }
    match facts.identity.category {
        Category::Firmware | Category::Filesystem | Category::Archive | Category::Data => {
            next.push("run_binwalk".to_owned());
        }
        Category::Script | Category::Text | Category::Document => {
            next.push("run_strings encoding=all".to_owned());
        }
        Category::Executable
        | Category::Image
        | Category::Media
        | Category::Font
        | Category::Certificate
        | Category::Bytecode
        | Category::Database => {}
    }
    if !facts.embedded.is_empty() && !next.iter().any(|step| step.starts_with("run_binwalk")) {
        next.push("run_binwalk: there are files in this file".to_owned());
    }
    if !facts.indicators.is_empty() {
        next.push("extract_iocs".to_owned());
    }
    if facts.entropy.file > HIGH && !packed {
        next.push("get_file_info entropy_curve=true".to_owned());
    }
    next.push("run_yara with your rules".to_owned());
    next
}
