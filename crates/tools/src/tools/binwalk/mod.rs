//! `run_binwalk`: embedded files, by the embedded search or by binwalk 2.3. It
//! scans and extracts nothing.

pub(crate) mod embedded;

use std::fmt::Write as _;

use reversecore_exec::{Keep, Scratch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bounded::{Bounded, OutputBytes, Timeout, default_output_bytes};
use crate::embedded::engine::Engine;
use crate::envelope::Coverage;
use crate::error::ToolError;
use crate::programs::Program;
use crate::schedule::{Workload, estimates};
use crate::schema::{self, List};
use crate::text::escaped;
use crate::tool::{Answer, Call, Report, Tool};

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunBinwalk;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// Levels of nested files; of no effect in a scan, which extracts nothing.
    #[serde(default = "eight")]
    depth: Bounded<1, 100>,
    /// Bytes of text.
    #[serde(default = "default_output_bytes")]
    max_output_size: OutputBytes,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<300>,
    /// Which engine answers.
    #[serde(default)]
    engine: Engine,
}

#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct BinwalkReport {
    /// By offset.
    #[schemars(with = "List")]
    signatures: Vec<Signature>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Signature {
    offset: u64,
    /// Bytes, where the format tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// Short name of the format: `gzip`, or with the external engine the first
    /// words of the description.
    name: String,
    /// `low`, `medium` or `high`; the external engine does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<reversecore_analysis::carve::Confidence>,
    description: String,
}

impl Report for BinwalkReport {
    fn text(&self) -> String {
        let mut text = String::new();
        for found in &self.signatures {
            // Writing to a String can't fail.
            writeln!(text, "{} (0x{0:x})  {}", found.offset, found.description).ok();
        }
        if self.signatures.is_empty() {
            text.push_str("no signatures found\n");
        }
        text
    }
}

impl Tool for RunBinwalk {
    type Params = Params;
    type Report = BinwalkReport;

    const NAME: &'static str = "run_binwalk";
    const TITLE: &'static str = "Scan firmware signatures";
    const DESCRIPTION: &'static str = "Scan a firmware image or any blob for embedded files: archives, file systems, executables, certificates, with offset, size and confidence. Nothing is extracted.";

    fn report_schema() -> Value {
        schema::report::<BinwalkReport>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        let kind = params
            .engine
            .kind(estimates::CARVE, estimates::BINWALK_PROGRAM);
        Workload::on(&params.file_path, kind, params.timeout)
    }

    async fn run(
        &self,
        call: &Call<'_>,
        params: Params,
    ) -> Result<Answer<BinwalkReport>, ToolError> {
        let timeout = params.timeout.resolve(call.services.default_timeout);
        if params.engine.is_embedded() {
            return embedded::run(call, &params, timeout).await;
        }
        let mut analysis = call
            .analysis(Program::Binwalk, &params.file_path, timeout)
            .await?;
        let (command, path) = analysis.command()?;
        let budget = params.max_output_size.count();
        let command = command
            .arg("--signature")
            .arg(format!("--depth={}", params.depth.get()))
            .arg(path)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .scratch(Scratch::Private)
            .limits(analysis.limits())
            .keep_stdout(Keep::head(budget))
            .keep_stderr(Keep::head(16 << 10));
        let finished = call.run(&analysis, command).await?;
        if let Some(error) = analysis.judge(&finished, &[0]) {
            return Err(error);
        }
        call.settle(&mut analysis).await?;
        let cut = finished.stdout.truncated();
        let signatures = parse(&finished.stdout.text(), cut);
        let mut answer = Answer::complete(BinwalkReport { signatures });
        if cut {
            // How many there are beyond the cut is not known.
            answer.coverage = Coverage::Truncated;
            answer
                .warnings
                .push("not all signatures fit `max_output_size`; raise it for the rest".into());
        } else {
            answer.total = u64::try_from(answer.report.signatures.len()).ok();
        }
        Ok(answer)
    }
}

/// The lines of the table: decimal offset, hexadecimal offset, description.
fn parse(output: &str, cut: bool) -> Vec<Signature> {
    let mut lines: Vec<&str> = output.lines().collect();
    if cut {
        // The last line may be half of one.
        lines.pop();
    }
    lines
        .into_iter()
        .filter_map(|line| {
            let (offset, rest) = line.split_once(char::is_whitespace)?;
            let offset: u64 = offset.parse().ok()?;
            let (hexadecimal, description) = rest.trim_start().split_once(char::is_whitespace)?;
            let digits = hexadecimal.strip_prefix("0x")?;
            if u64::from_str_radix(digits, 16).ok()? != offset {
                return None;
            }
            let description = escaped(description.trim()).into_owned();
            let name = description
                .split([',', ':', '('])
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned();
            Some(Signature {
                offset,
                size: None,
                name,
                confidence: None,
                description,
            })
        })
        .collect()
}

fn eight() -> Bounded<1, 100> {
    Bounded::new(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As binwalk 2.3.3 prints it.
    const REAL: &str = "
DECIMAL       HEXADECIMAL     DESCRIPTION
--------------------------------------------------------------------------------
64            0x40            gzip compressed data, maximum compression, from Unix, last modified: 1970-01-01 00:00:00 (null date)
229           0xE5            ELF, 64-bit LSB shared object, AMD x86-64, version 1 (SYSV)
108589        0x1A82D         Copyright string: \"Copyright (C) 1996-2022 Free Software Foundation, Inc.\"

";

    #[test]
    fn the_table_is_parsed() {
        let found = parse(REAL, false);
        let names: Vec<_> = found.iter().map(|s| (s.offset, s.name.as_str())).collect();
        assert_eq!(
            names,
            [
                (64, "gzip compressed data"),
                (229, "ELF"),
                (108_589, "Copyright string")
            ]
        );
        assert!(found[0].description.ends_with("(null date)"));
    }

    #[test]
    fn text_of_the_sample_can_not_forge_a_line_nor_break_one() {
        assert_eq!(
            parse("12 0x0D forged\n13  0xD  \u{1b}[0mx\n", false).len(),
            1
        );
        assert_eq!(
            parse("13 0xD \u{1b}[0mx", false)[0].description,
            "\\x1b[0mx"
        );
        assert_eq!(parse("1 0x1 a\n2 0x2 b", true).len(), 1);
        assert!(parse("", false).is_empty());
    }
}
