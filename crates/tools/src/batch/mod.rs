//! The catalogue as a batch sees it: files are read and examined through the same
//! door as a client's calls, in the batch lane, so that nobody who waits for an
//! answer waits for a batch.

mod batches;
mod inputs;
pub(crate) mod unpack;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reversecore_batch::{
    Content, Examined, Examiner, Expanded, Item, Recursion, ToolCall, Trouble, Verdict,
};
use reversecore_jobs::Lane;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::catalogue::{Erased, Reply};
use crate::error::{ErrorCode, ToolError};
use crate::schedule::Caller;
use crate::services::Services;
use crate::tools;

pub use batches::{BatchView, Batches, Standing};
pub(crate) use inputs::{Bounds, Input};

/// The parameter that names the file.
const FILE: &str = "file_path";
/// A file that is not read by then is on a file system that has stopped.
const READ_WITHIN: Duration = Duration::from_secs(600);
/// When a call that found no room tries again, if nobody says.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Examines the files of a batch.
#[derive(Debug)]
pub struct BatchExaminer {
    services: Arc<Services>,
    tools: Vec<Box<dyn Erased>>,
    caller: Caller,
    /// Where files out of archives are put; `None` where archives stay closed.
    unpacked: Option<PathBuf>,
}

impl BatchExaminer {
    /// For a caller, whose share of the machine it uses.
    #[must_use]
    pub fn new(services: Arc<Services>, mut caller: Caller) -> Self {
        caller.lane = Some(Lane::Batch);
        Self {
            services,
            tools: tools::all(),
            caller,
            unpacked: None,
        }
    }

    /// Opens archives, and puts what is in them into this directory, which the
    /// services' workspace has to reach.
    #[must_use]
    pub fn with_unpacking(mut self, directory: PathBuf) -> Self {
        self.unpacked = Some(directory);
        self
    }
}

/// Whether a tool can be asked about each file of a batch: it is there, takes a file,
/// and every argument is known to it.
///
/// # Errors
/// With what is wrong.
pub fn check_tool(tool: &ToolCall) -> Result<(), ToolError> {
    let wrong = |message: String| {
        Err(ToolError::new(
            ErrorCode::ValidationError,
            message,
            "Tools that take `file_path` and need nothing else can be asked about many files: triage, get_file_info, parse_binary, extract_iocs, run_file, run_strings, run_binwalk, run_yara with rules.",
        ))
    };
    let shown = crate::text::quoted(&tool.name);
    let all = tools::all();
    let Some(found) = all.iter().find(|found| found.name() == tool.name) else {
        return wrong(format!("there is no tool `{shown}`"));
    };
    let found = found.descriptor(None);
    let schema = &found.input_schema;
    let properties = schema.get("properties").and_then(Value::as_object);
    if !properties.is_some_and(|properties| properties.contains_key(FILE)) {
        return wrong(format!("the tool `{shown}` takes no file"));
    }
    let required = schema.get("required").and_then(Value::as_array);
    let missing = required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .find(|name| *name != FILE && !tool.arguments.contains_key(*name));
    if let Some(missing) = missing {
        return wrong(format!(
            "the tool `{shown}` needs the parameter `{missing}`"
        ));
    }
    let unknown = tool.arguments.keys().find(|name| {
        *name == FILE || !properties.is_some_and(|properties| properties.contains_key(*name))
    });
    match unknown {
        Some(name) => wrong(format!(
            "the tool `{shown}` takes no parameter `{}` here",
            crate::text::quoted(name)
        )),
        None => Ok(()),
    }
}

/// How a path is spelled where text is needed: bytes that are none as `%XX`.
#[must_use]
pub fn spelled(path: &std::ffi::OsStr) -> String {
    crate::workspace::escape_name(path)
}

impl Examiner for BatchExaminer {
    async fn content(&self, item: &Item, stop: &CancellationToken) -> Result<Content, Trouble> {
        let workspace = &self.services.workspace;
        let trouble = |error: ToolError| {
            if stop.is_cancelled() {
                Trouble::Cancelled
            } else {
                Trouble::Unreadable(format!("{}: {}", error.code.as_str(), error.message))
            }
        };
        let mut target = workspace
            .target(FILE, item.opened_as(), stop)
            .await
            .map_err(trouble)?;
        target.start_hashing(workspace);
        let hash = target
            .settle(Instant::now() + READ_WITHIN, stop)
            .await
            .map_err(trouble)?;
        hash.and_then(|digits| Content::parse(&digits))
            .ok_or_else(|| Trouble::Unreadable("it could not be read in time".to_owned()))
    }

    async fn examine(
        &self,
        item: &Item,
        content: Content,
        tool: &ToolCall,
        stop: &CancellationToken,
    ) -> Examined {
        let mut arguments = tool.arguments.clone();
        arguments.insert(FILE.to_owned(), Value::String(item.opened_as().to_owned()));
        let Some(found) = self.tools.iter().find(|found| found.name() == tool.name) else {
            // Checked before the batch was begun.
            return Examined {
                envelope: "{}".to_owned(),
                verdict: Verdict::Failed {
                    message: format!("there is no tool `{}`", tool.name),
                },
            };
        };
        let services = Arc::clone(&self.services);
        let called = found.call(services, arguments, self.caller.clone(), stop.clone());
        judged(called.await, content, stop)
    }

    async fn expand(
        &self,
        item: &Item,
        left: Recursion,
        stop: &CancellationToken,
    ) -> Result<Expanded, Trouble> {
        match &self.unpacked {
            Some(directory) => {
                unpack::expand(&self.services, &self.caller, directory, item, left, stop).await
            }
            None => Ok(Expanded::default()),
        }
    }

    fn discard(&self, place: &str) {
        let path = PathBuf::from(crate::workspace::unescape_name(place));
        let is_ours = path.parent() == self.unpacked.as_deref();
        if is_ours && let Err(error) = std::fs::remove_file(&path) {
            tracing::debug!(%error, "a file out of an archive was gone already");
        }
    }
}

/// What of an envelope decides how a batch goes on.
#[derive(Deserialize)]
struct Outline {
    #[serde(default)]
    error_code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    retry_after_ms: Option<u64>,
    #[serde(default)]
    metadata: About,
}

#[derive(Default, Deserialize)]
struct About {
    #[serde(default)]
    sha256: Option<String>,
}

fn judged(reply: Reply, content: Content, stop: &CancellationToken) -> Examined {
    let Reply {
        is_error,
        json: envelope,
        text: _,
    } = reply;
    let verdict = match serde_json::from_str::<Outline>(&envelope) {
        Ok(outline) if is_error => of_error(outline, stop),
        Ok(outline) => {
            let read = outline.metadata.sha256;
            if read.is_some_and(|read| Content::parse(&read) != Some(content)) {
                Verdict::Changed
            } else {
                Verdict::Answered
            }
        }
        Err(error) => Verdict::Failed {
            message: format!("the answer is no JSON: {error}"),
        },
    };
    Examined { envelope, verdict }
}

fn of_error(outline: Outline, stop: &CancellationToken) -> Verdict {
    let Outline {
        error_code,
        message,
        retry_after_ms,
        metadata: _,
    } = outline;
    let is = |code: ErrorCode| code.as_str() == error_code;
    if is(ErrorCode::Cancelled) && stop.is_cancelled() {
        Verdict::Cancelled
    } else if is(ErrorCode::QueueFull)
        || is(ErrorCode::DeadlineExceeded)
        || is(ErrorCode::RateLimited)
    {
        Verdict::Busy {
            after: retry_after_ms.map_or(AGAIN_AFTER, Duration::from_millis),
        }
    } else if is(ErrorCode::FileChanged) {
        Verdict::Changed
    } else if is(ErrorCode::ToolFailed) {
        Verdict::Crashed { message }
    } else {
        Verdict::Failed {
            message: format!("{error_code}: {message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(is_error: bool, json: &str) -> Verdict {
        let reply = Reply {
            is_error,
            json: json.to_owned(),
            text: String::new(),
        };
        let content = Content::parse(&"00".repeat(32)).unwrap();
        judged(reply, content, &CancellationToken::new()).verdict
    }

    #[test]
    fn an_answer_about_other_bytes_is_none() {
        let about = |sha256: &str| {
            format!(r#"{{"status":"success","data":{{}},"metadata":{{"sha256":"{sha256}"}}}}"#)
        };
        assert_eq!(verdict(false, &about(&"00".repeat(32))), Verdict::Answered);
        assert_eq!(verdict(false, &about(&"01".repeat(32))), Verdict::Changed);
        assert_eq!(
            verdict(false, r#"{"status":"success","data":{},"metadata":{}}"#),
            Verdict::Answered
        );
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_will_not_is_not() {
        let error = |code: &str| {
            format!(
                r#"{{"status":"error","error_code":"{code}","message":"m","retry_after_ms":7,"metadata":{{}}}}"#
            )
        };
        let seven = Duration::from_millis(7);
        assert_eq!(
            verdict(true, &error("QUEUE_FULL")),
            Verdict::Busy { after: seven }
        );
        assert_eq!(verdict(true, &error("FILE_CHANGED")), Verdict::Changed);
        assert!(matches!(
            verdict(true, &error("TOOL_FAILED")),
            Verdict::Crashed { .. }
        ));
        // Somebody else cancelled it: the batch goes on.
        assert!(matches!(
            verdict(true, &error("CANCELLED")),
            Verdict::Failed { .. }
        ));
    }
}
