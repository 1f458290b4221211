//! `compare_files`: how alike two files of any kind are.

use std::fmt::Write as _;

use reversecore_analysis::binary::{self, ParseOptions};
use reversecore_analysis::hashes::{Algorithm, Digests, HashReport};
use reversecore_analysis::similarity::{self, Overlap, Side, Similarity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bounded::Timeout;
use crate::embedded::present::Tree;
use crate::embedded::worker::{File, Request, Resident, Stage};
use crate::embedded::{Trouble, Work};
use crate::error::ToolError;
use crate::results::cache::Reuse;
use crate::schedule::{Workload, estimates};
use crate::schema::{self, List, Object};
use crate::tool::{Answer, Call, Tool};

/// What takes long, in its order.
const STAGES: [Stage; 3] = [
    Stage {
        name: "hashing the first file",
        part: (0.0, 0.4),
        share: 0.4,
    },
    Stage {
        name: "hashing the second file",
        part: (0.4, 0.8),
        share: 0.6,
    },
    Stage {
        name: "comparing the bytes",
        part: (0.8, 1.0),
        share: 1.0,
    },
];
/// Up to this TLSH distance, and from this ssdeep score on, files are called alike.
const ALIKE_DISTANCE: u32 = 50;
const ALIKE_SCORE: u32 = 60;
/// Equal sections that are a smaller part than this of the smaller file are what
/// compilers put into every program.
const RELATED_PART: u64 = 10;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct CompareFiles;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// Path of the other file.
    other_path: String,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<120>,
}

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Compare {}

/// What it says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Compared {
    sides: [HashReport; 2],
    similarity: Similarity,
}

impl Work for Compare {
    type Reply = Compared;
    const LARGEST: usize = 1 << 20;

    fn request(self) -> Request {
        Request::Compare(self)
    }

    fn perform(self, file: &mut File<'_, '_>, _: &mut Resident) -> Result<Compared, Trouble> {
        let [first, second, last] = STAGES;
        let hashes = (hashed(file, 0, first), hashed(file, 1, second));
        let options = ParseOptions {
            entropy: false,
            ..ParseOptions::default()
        };
        let bytes = (file.bytes(), file.bytes_of(1));
        let parsed = (
            binary::parse(bytes.0, &options),
            binary::parse(bytes.1, &options),
        );
        let one = Side {
            bytes: bytes.0,
            hashes: &hashes.0,
            binary: &parsed.0,
        };
        let other = Side {
            bytes: bytes.1,
            hashes: &hashes.1,
            binary: &parsed.1,
        };
        Ok(Compared {
            similarity: similarity::compare(one, other, &mut file.watch(last)),
            sides: hashes.into(),
        })
    }
}

/// The similarity hashes of one of the files; none when the time was over before.
fn hashed(file: &mut File<'_, '_>, number: usize, stage: Stage) -> HashReport {
    let mut digests = Digests::new(&[Algorithm::Ssdeep, Algorithm::Tlsh]);
    if file.pieces_of(number, stage, |piece| digests.update(piece)) {
        digests.finish()
    } else {
        HashReport {
            size: file.bytes_of(number).len() as u64,
            ..HashReport::default()
        }
    }
}

/// What is reported.
#[derive(Debug, Serialize, JsonSchema)]
struct Report {
    /// identical, alike, related (the hashes differ; facts or large sections are the
    /// same), different, or unknown (too small or uniform for the hashes).
    verdict: &'static str,
    /// 0 to 100.
    ssdeep_score: Option<u32>,
    /// From 0; alike up to about 50.
    tlsh_distance: Option<u32>,
    /// Bytes that are the same from the beginning, and up to the end.
    same_start: u64,
    same_end: u64,
    #[schemars(with = "List")]
    shared: Vec<similarity::Fact>,
    #[schemars(with = "List")]
    sections: Vec<similarity::EqualSection>,
    #[schemars(with = "Option<Object>")]
    imports: Option<Overlap>,
    #[schemars(with = "Object")]
    first: HashReport,
    #[schemars(with = "Object")]
    second: HashReport,
}

impl Tool for CompareFiles {
    type Params = Params;
    type Report = Tree;

    const NAME: &'static str = "compare_files";
    const TITLE: &'static str = "Compare two files";
    const DESCRIPTION: &'static str = "How alike two files of any kind are: ssdeep score, TLSH distance, bytes that are the same from both ends, and of programs the shared build id, imphash, Rich header, PDB path, equal sections, imports. For variants of a sample; `diff_binaries` says which functions changed.";

    fn report_schema() -> Value {
        schema::report::<Report>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        // The other file may change while this one does not.
        Workload {
            reuse: Reuse::Never,
            ..Workload::on(&params.file_path, estimates::COMPARE, params.timeout)
        }
    }

    async fn run(&self, call: &Call<'_>, params: Params) -> Result<Answer<Tree>, ToolError> {
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let other = call.other_target("other_path", &params.other_path).await?;
        let compared = call
            .examine_with(&params.file_path, timeout, Compare {}, vec![other])
            .await?;
        Ok(compared.answer(answer))
    }
}

fn answer(compared: Compared) -> Answer<Tree> {
    let Compared {
        sides: [first, second],
        similarity: found,
    } = compared;
    let report = Report {
        verdict: verdict(&found, first.size.min(second.size)),
        ssdeep_score: found.ssdeep_score,
        tlsh_distance: found.tlsh_distance,
        same_start: found.same_start,
        same_end: found.same_end,
        shared: found.shared,
        sections: found.sections,
        imports: found.imports,
        first,
        second,
    };
    let mut answer = Answer::complete(Tree::new(&report, text));
    answer.add_warnings(found.warnings);
    answer
}

fn verdict(found: &Similarity, smaller: u64) -> &'static str {
    let equal: u64 = found.sections.iter().map(|section| section.size).sum();
    let (score, distance) = (found.ssdeep_score, found.tlsh_distance);
    if found.identical {
        "identical"
    } else if score.is_some_and(|score| score >= ALIKE_SCORE)
        || distance.is_some_and(|distance| distance <= ALIKE_DISTANCE)
    {
        "alike"
    } else if !found.shared.is_empty() || equal > smaller / RELATED_PART {
        "related"
    } else if score.is_none() && distance.is_none() {
        "unknown"
    } else {
        "different"
    }
}

fn text(report: &Value) -> String {
    let number = |value: &Value| match value.as_u64() {
        Some(number) => number.to_string(),
        None => "-".to_owned(),
    };
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |name: &str| report[name].as_array().into_iter().flatten();
    let mut text = format!(
        "{}: ssdeep {} of 100, TLSH distance {}; the same: {} bytes at the start, {} at the end, of {} and {}\n",
        word(&report["verdict"]),
        number(&report["ssdeep_score"]),
        number(&report["tlsh_distance"]),
        number(&report["same_start"]),
        number(&report["same_end"]),
        number(&report["first"]["size"]),
        number(&report["second"]["size"]),
    );
    // Writing to a String can't fail.
    for fact in list("shared") {
        writeln!(
            text,
            "same {}: {}",
            word(&fact["kind"]),
            word(&fact["value"])
        )
        .ok();
    }
    for section in list("sections") {
        let (first, second) = (word(&section["first"]), word(&section["second"]));
        let size = number(&section["size"]);
        writeln!(text, "same section: {first} = {second}, {size} bytes").ok();
    }
    let imports = &report["imports"];
    if imports.is_object() {
        writeln!(
            text,
            "imports: {} shared, {} only in the first, {} only in the second",
            number(&imports["shared"]),
            number(&imports["only_first"]),
            number(&imports["only_second"]),
        )
        .ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_says_what_the_figures_mean() {
        let found = |score: Option<u32>, distance: Option<u32>| Similarity {
            ssdeep_score: score,
            tlsh_distance: distance,
            ..Similarity::default()
        };
        let verdict = |found: &Similarity| verdict(found, 1000);
        assert_eq!(verdict(&found(Some(60), None)), "alike");
        assert_eq!(verdict(&found(Some(0), Some(50))), "alike");
        assert_eq!(verdict(&found(Some(59), Some(51))), "different");
        assert_eq!(verdict(&found(None, None)), "unknown");
        for (size, expected) in [(100, "different"), (101, "related")] {
            let mut sections = found(None, Some(200));
            sections.sections.push(similarity::EqualSection {
                first: ".text".to_owned(),
                second: ".text".to_owned(),
                size,
            });
            assert_eq!(verdict(&sections), expected, "{size}");
        }
        let mut related = found(Some(0), Some(200));
        related.shared.push(similarity::Fact {
            kind: "imphash".to_owned(),
            value: "00".to_owned(),
        });
        assert_eq!(verdict(&related), "related");
        related.identical = true;
        assert_eq!(verdict(&related), "identical");
    }
}
