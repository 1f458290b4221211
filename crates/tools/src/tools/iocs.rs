//! `extract_iocs`: indicators of compromise in a file.

use reversecore_analysis::iocs::{Confidence, IocKind, IocOptions, IocReport, extract_watched};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bounded::{Bounded, Timeout};
use crate::embedded::present::{Tree, outline};
use crate::embedded::worker::{File, Request, Resident, Stage};
use crate::embedded::{Trouble, Work};
use crate::error::ToolError;
use crate::schedule::{Workload, estimates};
use crate::schema::{self, List, Object};
use crate::tool::{Answer, Call, Tool};

/// Offsets that are listed of one indicator.
const MOST_OFFSETS: usize = 8;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExtractIocs;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// Only these kinds: ipv4, ipv6, domain, url, email, md5, sha1, sha256, sha512, btc, eth, xmr, cve, registry_key, file_path, mutex, guid, user_agent.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    kinds: Vec<IocKind>,
    /// Leave out what is less sure: low, medium or high.
    #[serde(default)]
    #[schemars(with = "String")]
    min_confidence: Confidence,
    /// Most indicators.
    #[serde(default = "five_hundred")]
    limit: Bounded<1, 100_000>,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<300>,
}

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Extract {
    kinds: Vec<IocKind>,
    min_confidence: Confidence,
    limit: usize,
}

impl Work for Extract {
    type Reply = IocReport;

    fn request(self) -> Request {
        Request::Iocs(self)
    }

    fn perform(self, file: &mut File<'_, '_>, _: &mut Resident) -> Result<IocReport, Trouble> {
        let Self {
            kinds,
            min_confidence,
            limit,
        } = self;
        let bytes = file.bytes();
        let mut options = IocOptions {
            min_confidence,
            most_items: limit,
            most_offsets: MOST_OFFSETS,
            ..IocOptions::default()
        };
        if !kinds.is_empty() {
            options.kinds = kinds;
        }
        let mut watch = file.watch(Stage::only("searching for indicators"));
        Ok(extract_watched(bytes, &options, &mut watch))
    }
}

/// The members of the report.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Shape {
    items: List,
    totals: Object,
    suppressed: Object,
    truncated: bool,
    stopped_at: u64,
}

impl Tool for ExtractIocs {
    type Params = Params;
    type Report = Tree;

    const NAME: &'static str = "extract_iocs";
    const TITLE: &'static str = "Extract indicators";
    const DESCRIPTION: &'static str = "Find indicators of compromise in any file, in ASCII and UTF-16: IP addresses, domains, URLs, e-mail, paths, registry keys, hashes, wallet addresses (checksums verified), CVE ids, user agents, mutexes; defanged forms are refanged. Each with offset and confidence; versions, OIDs and file names are left out and counted.";

    fn report_schema() -> Value {
        schema::report::<Shape>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        Workload::on(&params.file_path, estimates::IOCS, params.timeout)
    }

    async fn run(&self, call: &Call<'_>, params: Params) -> Result<Answer<Tree>, ToolError> {
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let work = Extract {
            kinds: params.kinds,
            min_confidence: params.min_confidence,
            limit: params.limit.count(),
        };
        let found = call.examine(&params.file_path, timeout, work).await?;
        Ok(found.answer(answer))
    }
}

fn answer(mut found: IocReport) -> Answer<Tree> {
    let warnings = std::mem::take(&mut found.warnings);
    let truncated = found.truncated;
    let total = found
        .totals
        .values()
        .fold(0_u64, |sum, count| sum.saturating_add(*count));
    let mut answer = Answer::complete(Tree::new(&found, outline));
    answer.total = Some(total);
    answer.add_warnings(warnings);
    if truncated {
        answer.truncate();
        answer.warnings.push(
            "not all indicators are listed; narrow them with `kinds` or `min_confidence`, or raise `limit`".into(),
        );
    }
    answer
}

fn five_hundred() -> Bounded<1, 100_000> {
    Bounded::new(500)
}
