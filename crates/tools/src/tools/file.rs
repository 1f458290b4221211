//! `run_file`: what kind of file it is, by the embedded identification or by
//! libmagic's `file`.

use reversecore_analysis::binary::{self, ParseOptions};
use reversecore_analysis::identify::{Identity, identify as identified};
use reversecore_exec::{Finished, Keep};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bounded::Timeout;
use crate::embedded::engine::Engine;
use crate::embedded::worker::{File, Request, Resident};
use crate::embedded::{Trouble, Work};
use crate::error::{ErrorCode, ToolError};
use crate::external::Analysis;
use crate::programs::Program;
use crate::schedule::{Workload, estimates};
use crate::schema;
use crate::text::escaped;
use crate::tool::{Answer, Call, Report, Tool};

/// More than `file` ever says of one file.
const KEPT: usize = 64 << 10;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunFile;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<30>,
    /// Which engine answers.
    #[serde(default)]
    engine: Engine,
}

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Identify;

impl Work for Identify {
    type Reply = Identity;
    const LARGEST: usize = 4 << 20;

    fn request(self) -> Request {
        Request::Identify(self)
    }

    fn perform(self, file: &mut File<'_, '_>, _: &mut Resident) -> Result<Identity, Trouble> {
        Ok(identity(file.bytes()))
    }
}

/// What kind of file it is; executables are parsed for that.
pub(crate) fn identity(bytes: &[u8]) -> Identity {
    let options = ParseOptions {
        entropy: true,
        ..ParseOptions::default()
    };
    identified(bytes, Some(&binary::parse(bytes, &options)))
}

#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct FileReport {
    /// In one line.
    description: String,
    /// `application/x-executable`
    mime_type: String,
    /// `binary`, `us-ascii`, `utf-8`, …
    mime_encoding: String,
    /// Bytes.
    size: u64,
}

impl FileReport {
    fn of(identity: &Identity, size: u64) -> Self {
        Self {
            description: escaped(&identity.description).into_owned(),
            mime_type: escaped(&identity.mime).into_owned(),
            mime_encoding: escaped(identity.charset.as_deref().unwrap_or("binary")).into_owned(),
            size,
        }
    }
}

impl Report for FileReport {
    fn text(&self) -> String {
        format!(
            "{}\n{}; charset={}, {} bytes",
            self.description, self.mime_type, self.mime_encoding, self.size
        )
    }
}

impl Tool for RunFile {
    type Params = Params;
    type Report = FileReport;

    const NAME: &'static str = "run_file";
    const TITLE: &'static str = "Identify file type";
    const DESCRIPTION: &'static str = "Identify a file's type from its content: description such as format, architecture, linking and stripped state, plus MIME type and encoding. Fast; the first thing to run on an unknown file.";

    fn report_schema() -> Value {
        schema::report::<FileReport>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        let kind = params
            .engine
            .kind(estimates::IDENTIFY, estimates::FILE_PROGRAM);
        Workload::on(&params.file_path, kind, params.timeout)
    }

    async fn run(&self, call: &Call<'_>, params: Params) -> Result<Answer<FileReport>, ToolError> {
        let timeout = params.timeout.resolve(call.services.default_timeout);
        if params.engine.is_embedded() {
            let worked = call.examine(&params.file_path, timeout, Identify).await?;
            return Ok(Answer::complete(FileReport::of(&worked.reply, worked.size)));
        }
        let mut analysis = call
            .analysis(Program::File, &params.file_path, timeout)
            .await?;
        let (description, mime) = tokio::try_join!(
            identify(call, &analysis, &[]),
            identify(call, &analysis, &["--mime-type", "--mime-encoding"]),
        )?;
        let report = report(&description, &mime, analysis.target.size())?;
        call.settle(&mut analysis).await?;
        Ok(Answer::complete(report))
    }
}

async fn identify(
    call: &Call<'_>,
    analysis: &Analysis<'_>,
    options: &[&str],
) -> Result<String, ToolError> {
    let (command, path) = analysis.command()?;
    let command = command
        .args(["-b", "-L"])
        .args(options.iter().copied())
        .arg(path)
        .limits(analysis.limits())
        .keep_stdout(Keep::head(KEPT))
        .keep_stderr(Keep::head(KEPT));
    let finished: Finished = call.run(analysis, command).await?;
    match analysis.judge(&finished, &[0]) {
        Some(error) => Err(error),
        None => Ok(finished.stdout.text()),
    }
}

fn report(description: &str, mime: &str, size: u64) -> Result<FileReport, ToolError> {
    let description = description.trim_end_matches('\n');
    let mime = mime.trim();
    // `file` reports its own troubles as if they were descriptions.
    for said in [description, mime] {
        if let Some(trouble) = said
            .strip_prefix("cannot open")
            .or_else(|| said.strip_prefix("ERROR:"))
        {
            return Err(ToolError::new(
                ErrorCode::ToolFailed,
                format!("`file` failed: {}", crate::text::diagnostics(trouble)),
                "Call again; if it persists, the file may be damaged.",
            ));
        }
    }
    let (mime_type, mime_encoding) = mime.split_once("; charset=").unwrap_or((mime, "binary"));
    Ok(FileReport {
        description: escaped(description).into_owned(),
        mime_type: escaped(mime_type).into_owned(),
        mime_encoding: escaped(mime_encoding).into_owned(),
        size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_output_is_parsed() {
        let elf = report(
            "ELF 64-bit LSB pie executable, x86-64, version 1 (SYSV), dynamically linked, stripped\n",
            "application/x-pie-executable; charset=binary\n",
            151_344,
        )
        .unwrap();
        assert!(elf.description.starts_with("ELF 64-bit LSB pie"));
        assert_eq!(elf.mime_type, "application/x-pie-executable");
        assert_eq!(elf.mime_encoding, "binary");
        let empty = report("empty\n", "inode/x-empty; charset=binary\n", 0).unwrap();
        assert_eq!(
            empty.text(),
            "empty\ninode/x-empty; charset=binary, 0 bytes"
        );
    }

    #[test]
    fn a_trouble_of_the_program_is_no_description() {
        let said = "cannot open `/proc/self/fd/3' (Permission denied)\n";
        let error = report(said, "", 0).unwrap_err();
        assert_eq!(error.code, ErrorCode::ToolFailed);
        assert!(!error.message.contains("/proc"), "{error}");
        assert!(report("ERROR: vasprintf failed", "", 0).is_err());
    }

    #[test]
    fn text_of_the_sample_is_escaped() {
        let made = report("data \u{1b}[31m", "application/x; charset=binary", 1).unwrap();
        assert_eq!(made.description, "data \\x1b[31m");
    }
}
