//! `get_file_info`: what a file is, its hashes and its entropy, in one pass.

use reversecore_analysis::binary::{self, BinaryReport, Details, ParseOptions};
use reversecore_analysis::entropy::{EntropyReport, Profile};
use reversecore_analysis::hashes::{Algorithm, Digests, HashReport};
use reversecore_analysis::identify::{Identity, identify};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bounded::Timeout;
use crate::embedded::present::{Tree, outline};
use crate::embedded::worker::{File, Request, Resident, Stage};
use crate::embedded::{Trouble, Work};
use crate::error::ToolError;
use crate::schedule::{Workload, estimates};
use crate::schema::{self, Object};
use crate::tool::{Answer, Call, Tool};

/// The name of the stage that takes long.
pub(crate) const HASHING: &str = "computing hashes and entropy";

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct GetFileInfo;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// Add the course of the entropy, up to 512 points.
    #[serde(default)]
    entropy_curve: bool,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<120>,
}

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Describe {
    curve: bool,
}

/// What it says.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Described {
    size: u64,
    #[schemars(with = "Object")]
    identity: Identity,
    #[schemars(with = "Object")]
    hashes: HashReport,
    /// Of the imported functions of a PE file.
    imphash: Option<String>,
    #[schemars(with = "Object")]
    entropy: EntropyReport,
}

impl Work for Describe {
    type Reply = Described;
    const LARGEST: usize = 4 << 20;

    fn request(self) -> Request {
        Request::FileInfo(self)
    }

    fn perform(self, file: &mut File<'_, '_>, _: &mut Resident) -> Result<Described, Trouble> {
        let parsed = binary::parse(file.bytes(), &ParseOptions::default());
        let identity = identify(file.bytes(), Some(&parsed));
        let (hashes, mut entropy) = measured(file, Stage::only(HASHING));
        if !self.curve {
            entropy.curve.points.clear();
        }
        Ok(Described {
            size: hashes.size,
            identity,
            hashes,
            imphash: imphash(&parsed),
            entropy,
        })
    }
}

/// Hashes and entropy, in one pass over the file. When the time runs out, the
/// entropy is that of what was read, and there are no hashes: those of a part
/// would be taken for the file's.
pub(crate) fn measured(file: &mut File<'_, '_>, stage: Stage) -> (HashReport, EntropyReport) {
    let mut digests = Digests::new(&Algorithm::ALL);
    let mut profile = Profile::new();
    let whole = file.pieces(stage, |piece| {
        digests.update(piece);
        profile.update(piece);
    });
    let hashes = if whole {
        digests.finish()
    } else {
        HashReport {
            size: file.bytes().len() as u64,
            ..HashReport::default()
        }
    };
    (hashes, profile.finish())
}

/// The hash of a PE file's imports.
pub(crate) fn imphash(parsed: &BinaryReport) -> Option<String> {
    parsed.images.iter().find_map(|image| match &image.details {
        Details::Pe(details) => details.imphash.clone(),
        Details::Elf(_) | Details::MachO(_) => None,
    })
}

impl Tool for GetFileInfo {
    type Params = Params;
    type Report = Tree;

    const NAME: &'static str = "get_file_info";
    const TITLE: &'static str = "File identity";
    const DESCRIPTION: &'static str = "What a file is, with evidence: type, MIME type, architecture, linking, compiler, packer and installer hints, packing verdict; MD5, SHA-1, SHA-256, SHA-512, CRC32, ssdeep, TLSH, imphash; entropy and its high regions.";

    fn report_schema() -> Value {
        schema::report::<Described>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        Workload::on(&params.file_path, estimates::FILE_INFO, params.timeout)
    }

    async fn run(&self, call: &Call<'_>, params: Params) -> Result<Answer<Tree>, ToolError> {
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let work = Describe {
            curve: params.entropy_curve,
        };
        let described = call.examine(&params.file_path, timeout, work).await?;
        Ok(described.answer(|mut described| {
            let warnings = std::mem::take(&mut described.entropy.warnings);
            let mut answer = Answer::complete(Tree::new(&described, outline));
            answer.add_warnings(warnings);
            answer
        }))
    }
}
