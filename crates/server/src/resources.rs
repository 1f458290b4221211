//! What clients can read by URI: artifacts, files and jobs. Each is the answer of
//! a tool, so it is scheduled, bounded and counted as a call of it.
//!
//! There is no list: names of artifacts and jobs are known to whoever was told.

use reversecore_tools::{Caller, Catalogue, Reply};
use rmcp::model::{ErrorData, ReadResourceResult, ResourceContents, ResourceTemplate};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

/// What a URI begins with, by which tool it is read, and which argument the rest
/// becomes.
const KINDS: [Kind; 3] = [
    Kind {
        prefix: "reversecore://artifact/",
        template: "reversecore://artifact/{id}",
        name: "artifact",
        description: "A result that was too large to be shown whole.",
        tool: "read_artifact",
        argument: "artifact",
    },
    Kind {
        prefix: "reversecore://file/",
        template: "reversecore://file/{sha256}",
        name: "file",
        description: "What is known of an uploaded file: identity, hashes, entropy.",
        tool: "get_file_info",
        argument: "file_path",
    },
    Kind {
        prefix: "reversecore://job/",
        template: "reversecore://job/{id}",
        name: "job",
        description: "The answer of a call that was not done in time, or how far it is.",
        tool: "get_job_result",
        argument: "job_id",
    },
];

#[derive(Debug)]
struct Kind {
    prefix: &'static str,
    template: &'static str,
    name: &'static str,
    description: &'static str,
    tool: &'static str,
    argument: &'static str,
}

/// The longest URI that is looked at.
const LONGEST: usize = 256;
/// Names that are offered to complete a path.
const MOST_NAMES: usize = 100;

/// The forms of URIs.
pub(crate) fn templates() -> Vec<ResourceTemplate> {
    KINDS
        .iter()
        .map(|kind| {
            ResourceTemplate::new(kind.template, kind.name)
                .with_description(kind.description)
                .with_mime_type("text/plain")
        })
        .collect()
}

/// What is at a URI.
///
/// # Errors
/// When the URI has none of the forms, or nothing is there.
pub(crate) async fn read(
    catalogue: &Catalogue,
    uri: &str,
    caller: &Caller,
    cancel: &CancellationToken,
) -> Result<ReadResourceResult, ErrorData> {
    let unknown = || {
        let forms: Vec<&str> = KINDS.iter().map(|kind| kind.template).collect();
        ErrorData::resource_not_found(
            format!("no such resource (known are {})", forms.join(", ")),
            Some(json!({"uri": uri.chars().take(LONGEST).collect::<String>()})),
        )
    };
    let (kind, rest) = KINDS
        .iter()
        .find_map(|kind| Some((kind, uri.strip_prefix(kind.prefix)?)))
        .filter(|_| uri.len() <= LONGEST)
        .ok_or_else(unknown)?;
    let mut arguments = Map::new();
    let value = match kind.name {
        "file" => format!("sha256:{}", rest.trim_start_matches("sha256:")),
        _ => rest.to_owned(),
    };
    arguments.insert(kind.argument.to_owned(), Value::String(value));
    let reply = catalogue.call(kind.tool, arguments, caller, cancel).await;
    match reply {
        Some(Reply {
            is_error: false,
            text,
            ..
        }) => Ok(ReadResourceResult::new(vec![ResourceContents::text(
            text, uri,
        )])),
        Some(reply) => Err(ErrorData::resource_not_found(
            reply.text,
            Some(json!({"uri": uri})),
        )),
        None => Err(unknown()),
    }
}

/// Paths in the workspace that begin with what has been typed.
pub(crate) async fn paths(
    catalogue: &Catalogue,
    typed: &str,
    caller: &Caller,
    cancel: &CancellationToken,
) -> Vec<String> {
    let directory = typed
        .rsplit_once('/')
        .map_or(".", |(directory, _)| directory);
    let mut arguments = Map::new();
    arguments.insert("path".to_owned(), directory.into());
    arguments.insert("limit".to_owned(), 1000.into());
    let reply = catalogue
        .call("list_workspace", arguments, caller, cancel)
        .await;
    let envelope: Value = reply
        .filter(|reply| !reply.is_error)
        .and_then(|reply| serde_json::from_str(&reply.json).ok())
        .unwrap_or_default();
    let entries = envelope["data"]["entries"].as_array();
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["path"].as_str())
        .filter(|path| path.starts_with(typed))
        .take(MOST_NAMES)
        .map(ToOwned::to_owned)
        .collect()
}
