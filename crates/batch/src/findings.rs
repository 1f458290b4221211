//! What in an envelope is worth a look: the findings of `triage` and the rules that
//! match. Other tools answer questions and judge nothing.

use serde::{Deserialize, Serialize};

/// Findings of one answer that are counted.
const MOST: usize = 1000;
/// Strings of a rule that are named as evidence.
const MOST_STRINGS: usize = 4;
/// Characters of one string that is evidence.
const LONGEST: usize = 80;

/// How much it should worry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Unusual in benign files.
    Suspicious,
    /// Seldom innocent.
    High,
}

impl Severity {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Suspicious => "suspicious",
            Self::High => "high",
        }
    }

    /// Whether it makes a scan end with "something was found".
    #[must_use]
    pub fn counts(self) -> bool {
        self >= Self::Suspicious
    }

    /// Its number in the journal; 0 stands for nothing.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Info => 1,
            Self::Suspicious => 2,
            Self::High => 3,
        }
    }

    pub(crate) fn of_number(number: i64) -> Option<Self> {
        [Self::Info, Self::Suspicious, Self::High]
            .into_iter()
            .find(|severity| severity.number() == number)
    }
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it should worry.
    pub severity: Severity,
    /// What it is.
    pub what: String,
    /// Why it is said; text of the file.
    pub evidence: String,
    /// Which tool says so.
    pub tool: String,
    /// Where in the file, if that is one place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

#[derive(Deserialize)]
struct Envelope<D> {
    data: D,
}

#[derive(Deserialize)]
struct Triage {
    #[serde(default)]
    findings: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    severity: Severity,
    what: String,
    #[serde(default)]
    evidence: String,
}

#[derive(Deserialize)]
struct Yara {
    #[serde(default)]
    matches: Vec<Match>,
}

#[derive(Deserialize)]
struct Match {
    rule: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    strings: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    #[serde(default)]
    identifier: String,
    #[serde(default)]
    offset: u64,
    #[serde(default)]
    data: String,
}

/// What the answer of a tool holds, the worst first. An answer of another shape
/// holds nothing.
#[must_use]
pub fn findings(tool: &str, envelope: &str) -> Vec<Finding> {
    let mut found = match tool {
        "triage" => of_triage(tool, envelope),
        "run_yara" | "yara" => of_yara(tool, envelope),
        _ => None,
    }
    .unwrap_or_default();
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found
}

fn of_triage(tool: &str, envelope: &str) -> Option<Vec<Finding>> {
    let envelope: Envelope<Triage> = serde_json::from_str(envelope).ok()?;
    let said = envelope.data.findings.into_iter().take(MOST);
    Some(
        said.map(|said| Finding {
            severity: said.severity,
            what: said.what,
            evidence: said.evidence,
            tool: tool.to_owned(),
            offset: None,
        })
        .collect(),
    )
}

fn of_yara(tool: &str, envelope: &str) -> Option<Vec<Finding>> {
    let envelope: Envelope<Yara> = serde_json::from_str(envelope).ok()?;
    let matches = envelope.data.matches.into_iter().take(MOST);
    Some(
        matches
            .map(|found| Finding {
                severity: Severity::Suspicious,
                what: if found.tags.is_empty() {
                    found.rule
                } else {
                    format!("{} [{}]", found.rule, found.tags.join(","))
                },
                evidence: found
                    .strings
                    .iter()
                    .take(MOST_STRINGS)
                    .map(|text| {
                        let data: String = text.data.chars().take(LONGEST).collect();
                        format!("{} at {:#x}: {data}", text.identifier, text.offset)
                    })
                    .collect::<Vec<_>>()
                    .join("; "),
                tool: tool.to_owned(),
                offset: found.strings.first().map(|text| text.offset),
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_triage_and_yara_say_is_found_and_the_worst_is_first() {
        let triage = r#"{"status":"success","data":{"size":3,"findings":[
            {"severity":"info","what":"a","evidence":"x"},
            {"severity":"high","what":"packed","evidence":"upx"}]},"metadata":{}}"#;
        let found = findings("triage", triage);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].what, "packed");
        assert!(found[0].severity.counts() && !found[1].severity.counts());

        let yara = r#"{"status":"success","data":{"matches":[{"rule":"R","namespace":"n","tags":["t"],
            "meta":{},"strings":[{"identifier":"$a","offset":16,"length":2,"data":"MZ"}]}]},"metadata":{}}"#;
        let found = findings("run_yara", yara);
        assert_eq!(found[0].what, "R [t]");
        assert_eq!(found[0].evidence, "$a at 0x10: MZ");
        assert_eq!(found[0].offset, Some(16));
        // A tool that lists matches of another kind judges nothing.
        assert!(findings("search_code", yara).is_empty());
        assert!(findings("triage", r#"{"status":"error"}"#).is_empty());
    }
}
