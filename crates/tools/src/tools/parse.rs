//! `parse_binary`: PE, ELF and Mach-O files taken apart.

use std::collections::BTreeMap;

use regex::Regex;
use reversecore_analysis::binary::{self, BinaryReport, Image, ParseOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::strings::compiled;
use crate::bounded::{Bounded, Timeout};
use crate::embedded::present::{Tree, outline};
use crate::embedded::worker::{File, Request, Resident};
use crate::embedded::{Trouble, Work};
use crate::envelope::Coverage;
use crate::error::{ErrorCode, ToolError};
use crate::schedule::{Workload, estimates};
use crate::schema::{self, List};
use crate::tool::{Answer, Call, Tool};

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct ParseBinary;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// Only these lists (default: all).
    #[serde(default)]
    parts: Vec<Part>,
    /// Regular expression; only imports, exports and symbols with a name that it matches.
    #[serde(default)]
    pattern: Option<String>,
    /// Most items of each list.
    #[serde(default = "fifty")]
    limit: Bounded<1, 1_000_000>,
    /// Items of each list to skip.
    #[serde(default = "none")]
    skip: Bounded<0, 100_000_000>,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<120>,
}

/// A list of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    Sections,
    Segments,
    Imports,
    Exports,
    Symbols,
    Details,
}

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Parse {
    parts: Vec<Part>,
    pattern: Option<String>,
    limit: usize,
    skip: usize,
}

/// What it says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Parsed {
    report: BinaryReport,
    /// For each image, how many items each list has.
    totals: Vec<BTreeMap<String, u64>>,
    /// Some list has more than is reported.
    cut: bool,
}

impl Work for Parse {
    type Reply = Parsed;

    fn request(self) -> Request {
        Request::Parse(self)
    }

    fn perform(self, file: &mut File<'_, '_>, _: &mut Resident) -> Result<Parsed, Trouble> {
        let pattern = Trouble::pattern(self.pattern.as_deref())?;
        let options = ParseOptions {
            entropy: self.wants(Part::Sections),
            ..ParseOptions::default()
        };
        let mut report = binary::parse(file.bytes(), &options);
        let mut cut = false;
        let totals = report
            .images
            .iter_mut()
            .map(|image| self.narrow(image, pattern.as_ref(), &mut cut))
            .collect();
        Ok(Parsed {
            report,
            totals,
            cut,
        })
    }
}

impl Parse {
    fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    /// Leaves what was asked for; returns how much there was.
    fn narrow(
        &self,
        image: &mut Image,
        pattern: Option<&Regex>,
        cut: &mut bool,
    ) -> BTreeMap<String, u64> {
        let named = |name: &Option<String>| match (pattern, name) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(pattern), Some(name)) => pattern.is_match(name),
        };
        image.imports.retain(|import| named(&import.name));
        image.exports.retain(|export| named(&export.name));
        if let Some(pattern) = pattern {
            image
                .symbols
                .retain(|symbol| pattern.is_match(&symbol.name));
        }
        let mut totals = BTreeMap::new();
        let mut list = Listing {
            limit: self.limit,
            skip: self.skip,
            totals: &mut totals,
            cut,
        };
        list.narrow("sections", &mut image.sections, self.wants(Part::Sections));
        list.narrow("segments", &mut image.segments, self.wants(Part::Segments));
        list.narrow("imports", &mut image.imports, self.wants(Part::Imports));
        list.narrow("exports", &mut image.exports, self.wants(Part::Exports));
        list.narrow("symbols", &mut image.symbols, self.wants(Part::Symbols));
        totals
    }
}

struct Listing<'a> {
    limit: usize,
    skip: usize,
    totals: &'a mut BTreeMap<String, u64>,
    cut: &'a mut bool,
}

impl Listing<'_> {
    fn narrow<T>(&mut self, name: &str, items: &mut Vec<T>, wanted: bool) {
        let total = items.len();
        if total > 0 {
            self.totals
                .insert(name.to_owned(), u64::try_from(total).unwrap_or(u64::MAX));
        }
        if !wanted {
            items.clear();
            return;
        }
        items.drain(..self.skip.min(total));
        *self.cut |= items.len() > self.limit;
        items.truncate(self.limit);
    }
}

/// One image as it is reported: with the sizes of its lists.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    image: &'a Image,
    totals: &'a BTreeMap<String, u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Report<'a> {
    #[schemars(with = "List")]
    images: Vec<Shown<'a>>,
}

impl Tool for ParseBinary {
    type Params = Params;
    type Report = Tree;

    const NAME: &'static str = "parse_binary";
    const ALIASES: &'static [&'static str] = &["parse_binary_with_lief"];
    const TITLE: &'static str = "Parse PE, ELF, Mach-O";
    const DESCRIPTION: &'static str = "Take an executable apart: headers, sections with entropy and permissions, segments, imports, exports, symbols, libraries, TLS callbacks, resources, version info, PDB path, Rich header, signature, overlay, build id, mitigations (NX, PIE, RELRO, canary, CFG). `parts`, `pattern`, `limit` and `skip` narrow the lists; `totals` has their sizes. Damaged files have partial answers with warnings.";

    fn report_schema() -> Value {
        schema::report::<Report<'_>>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        Workload::on(&params.file_path, estimates::PARSE, params.timeout)
    }

    async fn run(&self, call: &Call<'_>, params: Params) -> Result<Answer<Tree>, ToolError> {
        if let Some(pattern) = &params.pattern {
            compiled(pattern)?;
        }
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let details = params.parts.is_empty() || params.parts.contains(&Part::Details);
        let work = Parse {
            parts: params.parts,
            pattern: params.pattern,
            limit: params.limit.count(),
            skip: params.skip.count(),
        };
        let parsed = call.examine(&params.file_path, timeout, work).await?.reply;
        let Parsed {
            report,
            totals,
            cut,
        } = parsed;
        if report.images.is_empty() {
            let why = report.warnings.messages().first();
            return Err(ToolError::new(
                ErrorCode::ParseError,
                match why {
                    Some(why) => format!(
                        "the file can't be read as PE, ELF or Mach-O: {}",
                        crate::text::quoted(why)
                    ),
                    None => "the file is no PE, ELF or Mach-O file".to_owned(),
                },
                "`get_file_info` says what it is.",
            ));
        }
        let images = report.images.iter().zip(&totals);
        let shown = Report {
            images: images
                .map(|(image, totals)| Shown { image, totals })
                .collect(),
        };
        let tree = Tree::edited(
            &shown,
            |value| {
                if !details && let Some(images) = value["images"].as_array_mut() {
                    for image in images.iter_mut().filter_map(|image| image.as_object_mut()) {
                        image.remove("details");
                    }
                }
            },
            outline,
        );
        let mut answer = Answer::complete(tree);
        answer.add_warnings(report.warnings);
        if cut {
            answer.coverage = Coverage::Truncated;
            answer.warnings.push(
                "lists are cut at `limit`; `totals` has their sizes, `skip` gets the rest".into(),
            );
        }
        Ok(answer)
    }
}

fn none() -> Bounded<0, 100_000_000> {
    Bounded::new(0)
}

fn fifty() -> Bounded<1, 1_000_000> {
    Bounded::new(50)
}
