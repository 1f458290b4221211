//! `list_workspace`: which files there are to analyse.

use std::fmt::Write as _;

use globset::GlobBuilder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::arguments::invalid;
use crate::bounded::Bounded;
use crate::envelope::Coverage;
use crate::error::{ErrorCode, ToolError};
use crate::schema;
use crate::text::{escaped, quoted};
use crate::tool::{Answer, Call, Report, Tool};
use crate::workspace::{Entry, Kind, Listing, Walk};

type Limit = Bounded<1, 1000>;

/// Longest pattern that is accepted.
const LONGEST_PATTERN: usize = 1024;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListWorkspace;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Directory.
    #[serde(default = "dot")]
    path: String,
    /// Glob on the path beneath it, e.g. `*.exe`, `**/*.bin`; `**` also walks subdirectories.
    #[serde(default)]
    pattern: Option<String>,
    /// `next_cursor` of the previous page.
    #[serde(default)]
    cursor: Option<String>,
    /// Entries in one page.
    #[serde(default = "hundred")]
    limit: Limit,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ListReport {
    /// Sorted by path.
    entries: Vec<EntryReport>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct EntryReport {
    /// To be passed as `file_path`.
    path: String,
    kind: Kind,
    size: u64,
    /// RFC 3339.
    modified: String,
}

impl Report for ListReport {
    fn text(&self) -> String {
        let mut text = String::new();
        for entry in &self.entries {
            let kind = match entry.kind {
                Kind::File => "",
                Kind::Directory => "/",
                Kind::Symlink => "@",
                Kind::Other => "?",
            };
            let path = escaped(&entry.path);
            // Writing to a String can't fail.
            writeln!(text, "{}  {:>10}  {path}{kind}", entry.modified, entry.size).ok();
        }
        if self.entries.is_empty() {
            text.push_str("nothing found\n");
        }
        text
    }
}

impl Tool for ListWorkspace {
    type Params = Params;
    type Report = ListReport;

    const NAME: &'static str = "list_workspace";
    const TITLE: &'static str = "List files";
    const DESCRIPTION: &'static str = "List the files that the other tools can analyse: path, size, kind, time of change. Start here when you don't know a file's path. Bytes of a name that are not UTF-8 are shown as %XX and can be passed back so.";
    const REMEMBERED: bool = false;

    fn report_schema() -> Value {
        schema::report::<ListReport>()
    }

    async fn run(&self, call: &Call<'_>, params: Params) -> Result<Answer<ListReport>, ToolError> {
        let shown = quoted(&params.path);
        call.record.note(|facts| facts.file = Some(shown.clone()));
        let recursive = params
            .pattern
            .as_ref()
            .is_some_and(|pattern| pattern.contains("**"));
        let pattern = params.pattern.as_deref().map(compiled).transpose()?;
        let walk = Walk {
            path: params.path.clone(),
            pattern,
            recursive,
            scope: crate::workspace::Scope::Files,
        };
        let workspace = call.services.workspace.clone();
        let listing = tokio::task::spawn_blocking(move || workspace.list(&walk));
        let listing = tokio::select! {
            biased;
            () = call.cancel.cancelled() => return Err(ToolError::cancelled()),
            listing = listing => listing,
        };
        let listing = listing
            .map_err(|error| {
                ToolError::new(
                    ErrorCode::Internal,
                    "listing the directory failed unexpectedly",
                    "This is a fault of the server; its log has the details.",
                )
                .log_detail(error)
            })?
            .map_err(|refused| refused.into_tool_error("path", &shown))?;
        Ok(page(&params, listing))
    }
}

fn compiled(pattern: &str) -> Result<globset::GlobMatcher, ToolError> {
    if pattern.len() > LONGEST_PATTERN {
        return Err(invalid(
            "pattern",
            "is longer than 1024 bytes",
            "Use a shorter pattern.",
        ));
    }
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| {
            invalid(
                "pattern",
                format!(
                    "`{}`: {}",
                    quoted(pattern),
                    quoted(&error.kind().to_string())
                ),
                "Use a glob such as `*.exe` or `**/*.bin`.",
            )
        })
}

fn page(params: &Params, listing: Listing) -> Answer<ListReport> {
    let Listing {
        entries,
        cut,
        unreadable,
    } = listing;
    let total = entries.len();
    let limit = params.limit.count();
    let mut rest = entries.into_iter().filter(|entry| {
        params
            .cursor
            .as_ref()
            .is_none_or(|cursor| entry.path > *cursor)
    });
    let page: Vec<Entry> = rest.by_ref().take(limit).collect();
    let next_cursor = match rest.next() {
        Some(_) => page.last().map(|entry| entry.path.clone()),
        None => None,
    };
    let base = params.path.trim_end_matches('/');
    let report = ListReport {
        entries: page
            .into_iter()
            .map(|entry| reported(base, &params.path, entry))
            .collect(),
    };
    let mut answer = Answer::complete(report);
    answer.total = u64::try_from(total).ok();
    if next_cursor.is_some() {
        answer.coverage = Coverage::Truncated;
    }
    answer.next_cursor = next_cursor;
    if cut {
        answer.coverage = Coverage::Partial;
        answer.warnings.push(
            "the directory is too large to be walked as a whole; list its subdirectories one by one".into(),
        );
    }
    if unreadable > 0 {
        answer.coverage = Coverage::Partial;
        answer
            .warnings
            .push(format!("{unreadable} subdirectories may not be read"));
    }
    answer
}

fn reported(base: &str, given: &str, entry: Entry) -> EntryReport {
    let path = match base {
        "." => entry.path,
        "" if given.starts_with('/') => format!("/{}", entry.path),
        base => format!("{base}/{}", entry.path),
    };
    EntryReport {
        path,
        kind: entry.kind,
        size: entry.size,
        modified: OffsetDateTime::from_unix_timestamp(entry.modified)
            .ok()
            .and_then(|time| time.format(&Rfc3339).ok())
            .unwrap_or_default(),
    }
}

fn dot() -> String {
    ".".into()
}

fn hundred() -> Limit {
    Limit::new(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(path: &str, cursor: Option<&str>, limit: u64) -> Params {
        Params {
            path: path.into(),
            pattern: None,
            cursor: cursor.map(Into::into),
            limit: Limit::new(limit),
        }
    }

    fn listing() -> Listing {
        let entry = |path: &str| Entry {
            path: path.into(),
            kind: Kind::File,
            size: 1,
            modified: 0,
        };
        Listing {
            entries: vec![entry("a"), entry("b"), entry("c")],
            cut: false,
            unreadable: 0,
        }
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let first = page(&params(".", None, 2), listing());
        assert_eq!(first.next_cursor.as_deref(), Some("b"));
        assert_eq!(
            (first.total, first.coverage),
            (Some(3), Coverage::Truncated)
        );
        let second = page(&params(".", Some("b"), 2), listing());
        assert_eq!(second.next_cursor, None);
        assert_eq!(second.report.entries.len(), 1);
        assert_eq!(
            second.report.text(),
            "1970-01-01T00:00:00Z           1  c\n"
        );
        let beneath = page(&params("x/", None, 1), listing());
        assert_eq!(beneath.report.entries.first().unwrap().path, "x/a");
    }

    #[test]
    fn a_bad_pattern_is_named() {
        for pattern in ["[", "a{b", &"*".repeat(2000)] {
            let error = compiled(pattern).unwrap_err();
            assert_eq!(error.code, ErrorCode::ValidationError);
            assert!(error.message.starts_with("parameter `pattern`"), "{error}");
        }
        let glob = compiled("*.exe").unwrap();
        assert!(glob.is_match("a.exe") && !glob.is_match("b/a.exe"));
        assert!(compiled("**/*.exe").unwrap().is_match("b/c/a.exe"));
    }
}
