//! The rules that the operator has chosen for `triage`. Read at the first use
//! and kept; rules that can't be used are a warning there, never a failure.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::include::Flat;
use super::output::{Match, Slow};
use super::{Origin, embedded, prepared};
use crate::envelope::Coverage;
use crate::error::ToolError;
use crate::tool::Call;

/// Rules named in the configuration.
#[derive(Debug)]
pub struct ConfiguredRules {
    path: String,
    flat: OnceCell<Arc<Flat>>,
}

/// What they say of a file.
#[derive(Debug, Default)]
pub(in crate::tools) struct Verdict {
    /// For each rule that matches: its name, its tags, its description.
    pub(in crate::tools) matches: Vec<String>,
    /// What the caller should know.
    pub(in crate::tools) warnings: Vec<String>,
}

impl ConfiguredRules {
    /// A file of rules or a directory of such files, in the workspace or in a
    /// directory with rules.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            flat: OnceCell::new(),
        }
    }

    /// Matches them against the file.
    pub(in crate::tools) async fn judge(
        &self,
        call: &Call<'_>,
        file_path: &str,
        timeout: Duration,
    ) -> Result<Verdict, ToolError> {
        let flat = self
            .flat
            .get_or_try_init(|| async {
                let flat = prepared(call, Origin::File(self.path.clone())).await?;
                Ok::<_, ToolError>(Arc::new(flat))
            })
            .await;
        let answer = match flat {
            Ok(flat) => {
                let question = embedded::Question {
                    flat,
                    externals: Vec::new(),
                    slow_rules: false,
                    timeout,
                    each: None,
                };
                embedded::run(call, file_path, question).await
            }
            Err(error) => Err(error),
        };
        match answer {
            Ok(answer) => Ok(Verdict {
                matches: answer.report.matches.iter().map(described).collect(),
                // Advice on how rules are written is for their author.
                warnings: match answer.coverage {
                    Coverage::Complete | Coverage::Truncated => Vec::new(),
                    Coverage::TimedOut => vec![not_done(&answer.report.given_up)],
                    Coverage::Partial => answer.warnings,
                },
            }),
            Err(error) if call.cancel.is_cancelled() => Err(error),
            Err(error) => Ok(Verdict {
                matches: Vec::new(),
                warnings: vec![format!(
                    "the configured YARA rules could not be used: {}",
                    error.message
                )],
            }),
        }
    }
}

/// Which rules have no verdict; all of them where none was given up by itself.
fn not_done(given_up: &[Slow]) -> String {
    if given_up.is_empty() {
        return "the configured YARA rules were not done in time".to_owned();
    }
    let names: Vec<_> = given_up.iter().map(|slow| slow.rule.as_str()).collect();
    format!(
        "of the configured YARA rules these took too long and have no verdict: {}",
        names.join(", ")
    )
}

fn described(found: &Match) -> String {
    let mut text = found.rule.clone();
    if !found.tags.is_empty() {
        text.push_str(&format!(" [{}]", found.tags.join(",")));
    }
    let description = ["description", "desc", "info"]
        .iter()
        .find_map(|key| found.meta.get(*key));
    if let Some(super::output::Meta::Text(words)) = description {
        text.push_str(": ");
        text.extend(words.chars().take(120));
    }
    text
}
