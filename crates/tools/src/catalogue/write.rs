//! From a tool's answer to what a caller is sent: text and JSON within the
//! budget, and the envelope around them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::envelope::{Coverage, Envelope, Metadata};
use crate::error::{ErrorCode, ToolError};
use crate::results::{Results, fit};
use crate::tool::Report;

use super::Reply;

/// What of the answer stands before its metadata: those are not known before the
/// call is over, and differ between calls that share a run.
const BEGIN: &[u8] = br#"{"status":"success","data":"#;

/// A report that has been written; shared by all calls that it answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Success {
    /// The envelope up to its metadata.
    json: String,
    text: String,
    /// As JSON when it is stored: it leaves out what is absent, which formats
    /// that do not describe themselves can't read back.
    #[serde(with = "as_json")]
    pub(super) metadata: Metadata,
}

impl Success {
    /// Bytes that it takes in memory, about.
    pub(crate) fn size(&self) -> usize {
        self.json.len() + self.text.len()
    }

    /// Whether it is all that there is to say, so that it answers the same
    /// question when it is asked again.
    pub(crate) fn is_final(&self) -> bool {
        self.metadata.coverage != Coverage::TimedOut
    }

    /// Writes a report. One that exceeds the budget is kept as an artifact, and
    /// cut.
    pub(super) async fn write<R: Report>(
        report: R,
        mut metadata: Metadata,
        results: &Results,
    ) -> Result<Self, ToolError> {
        let budget = results.budget();
        let mut text = report.text();
        let mut json = BEGIN.to_vec();
        report.write_json(&mut json).map_err(unwritable)?;
        drop(report);
        if text.len() > budget {
            let whole: Arc<str> = text.into();
            metadata.artifact = results.keep(&whole).await;
            text = fit::text(&whole, budget, metadata.artifact.as_ref());
            metadata.was_cut();
        }
        // JSON has more letters than text has for the same.
        if json.len() - BEGIN.len() > budget.saturating_add(budget / 4) {
            let whole = json.get(BEGIN.len()..).unwrap_or_default();
            let mut cut = BEGIN.to_vec();
            let cuts = fit::tree(whole, budget, &mut cut).map_err(unwritable)?;
            json = cut;
            if !cuts.is_empty() {
                metadata.was_cut();
            }
            metadata.cuts = cuts;
        }
        Ok(Self {
            json: String::from_utf8(json).map_err(unwritable)?,
            text,
            metadata,
        })
    }

    /// What a caller is sent whose call waited and ran for so long; `cached`
    /// when it ran for another before.
    pub(super) fn reply(self: Arc<Self>, times: Times, cached: bool) -> Reply {
        let (mut json, mut text, mut metadata) = match Arc::try_unwrap(self) {
            Ok(own) => (own.json, own.text, own.metadata),
            Err(shared) => (
                with_room(&shared.json),
                with_room(&shared.text),
                shared.metadata.clone(),
            ),
        };
        metadata.elapsed_ms = milliseconds(times.ran);
        metadata.queue_ms = milliseconds(times.queued);
        metadata.cached = cached;
        json.push_str(r#","metadata":"#);
        // Plain data with string keys.
        json.push_str(&serde_json::to_string(&metadata).unwrap_or_default());
        json.push('}');
        add_notes(&mut text, &metadata);
        Reply {
            is_error: false,
            json,
            text,
        }
    }
}

/// How long a call took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Times {
    /// Waiting for its turn.
    pub(super) queued: Duration,
    /// From its turn to its end.
    pub(super) ran: Duration,
}

/// What a caller is sent whose call failed.
pub(super) fn failure(error: ToolError, mut metadata: Metadata, times: Times) -> Reply {
    metadata.elapsed_ms = milliseconds(times.ran);
    metadata.queue_ms = milliseconds(times.queued);
    let code = error.code.as_str();
    let text = format!("{code}: {}\n{}", error.message, error.hint);
    let json = serde_json::to_string(&Envelope::<()>::error(error, metadata))
        .unwrap_or_else(|_| format!("{{\"status\":\"error\",\"error_code\":\"{code}\"}}"));
    Reply {
        is_error: true,
        json,
        text,
    }
}

/// A copy, with room for what comes behind.
fn with_room(text: &str) -> String {
    const ROOM: usize = 1024;
    let mut copy = String::with_capacity(text.len() + ROOM);
    copy.push_str(text);
    copy
}

fn add_notes(text: &mut String, metadata: &Metadata) {
    let mut line = |words: Cow<'_, str>| {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&words);
    };
    if metadata.truncated {
        match metadata.total {
            Some(total) => line(format!("[truncated: {total} in total]").into()),
            None => line("[truncated]".into()),
        }
    }
    if let Some(artifact) = &metadata.artifact {
        let (id, bytes, lines) = (&artifact.id, artifact.bytes, artifact.lines);
        line(format!("[the whole is artifact {id}: {lines} lines, {bytes} bytes; `read_artifact` pages and searches it]").into());
    }
    if let Some(cursor) = &metadata.next_cursor {
        line(format!("[next page: cursor={cursor}]").into());
    }
    for warning in &metadata.warnings {
        line(format!("[warning: {warning}]").into());
    }
}

fn unwritable(error: impl std::fmt::Display) -> ToolError {
    ToolError::new(
        ErrorCode::Internal,
        "the report could not be written as JSON",
        "This is a fault of the server; its log has the details.",
    )
    .log_detail(error)
}

/// With three decimals: the clock's noise is not worth its digits.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

mod as_json {
    use serde::de::{DeserializeOwned, Error as _};
    use serde::ser::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serde_json::to_string(value)
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::ResultSettings;

    #[derive(Serialize)]
    struct Sample {
        items: Vec<u32>,
    }

    impl Report for Sample {
        fn text(&self) -> String {
            self.items.iter().map(|item| format!("{item}\n")).collect()
        }
    }

    fn metadata() -> Metadata {
        Metadata {
            tool: "sample".to_owned(),
            total: Some(2),
            ..Metadata::default()
        }
    }

    #[tokio::test]
    async fn a_success_is_written_as_the_envelope_says() {
        let results = Results::new(&ResultSettings::default());
        let report = Sample { items: vec![1, 2] };
        let success = Success::write(report, metadata(), &results).await.unwrap();
        let reply = Arc::new(success).reply(Times::default(), false);
        let envelope = Envelope::Success {
            data: Sample { items: vec![1, 2] },
            metadata: metadata(),
        };
        assert_eq!(reply.json, serde_json::to_string(&envelope).unwrap());
    }

    #[tokio::test]
    async fn what_is_too_large_is_kept_and_comes_back_from_the_disk_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let results = Results::new(&ResultSettings {
            budget: Some(500),
            directory: Some(directory.path().to_path_buf()),
            artifact_bytes: 1 << 20,
            artifact_age: Duration::from_secs(60),
            ..ResultSettings::default()
        });
        let report = Sample {
            items: (0..1000).collect(),
        };
        let whole = report.text();
        let success = Success::write(report, metadata(), &results).await.unwrap();
        let stored = postcard::to_allocvec(&success).unwrap();
        let success: Success = postcard::from_bytes(&stored).unwrap();
        let artifact = success.metadata.artifact.clone().unwrap();
        assert_eq!((artifact.lines, artifact.bytes), (1000, whole.len()));
        let mut kept = results.artifact(&artifact.uri).unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut kept, &mut text).unwrap();
        assert_eq!(text, whole);
        let reply = Arc::new(success).reply(Times::default(), true);
        assert!(reply.json.len() < 1200, "{}", reply.json);
        let value: serde_json::Value = serde_json::from_str(&reply.json).unwrap();
        assert_eq!(value["metadata"]["cuts"][0]["path"], "/items");
        assert_eq!(value["metadata"]["cuts"][0]["total"], 1000);
        assert_eq!(value["metadata"]["coverage"], "truncated");
        assert_eq!(value["metadata"]["cached"], true);
        assert!(reply.text.contains(&artifact.id), "{}", reply.text);
    }
}
