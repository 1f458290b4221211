//! `run_radare2`: one line of radare2 commands on one file, answered by a session
//! that has the file open and analysed.

mod plan;
pub(crate) mod policy;
mod session;

use std::time::Duration;

use reversecore_exec::Captured;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arguments::invalid;
use crate::bounded::{OutputBytes, Timeout, default_output_bytes};
use crate::embedded::engine::Engine;
use crate::envelope::Coverage;
use crate::error::{ErrorCode, ToolError};
use crate::programs::Program;
use crate::schedule::{Workload, estimates};
use crate::schema;
use crate::services::Services;
use crate::text::{diagnostics, escaped_lines, quoted};
use crate::tool::{Answer, Call, Report, Tool};
use plan::{AnalysisChoice, plan};
use policy::effects::Depth;
use policy::{PolicyMode, Refusal};

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunRadare2;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// One or more commands, separated by `;`.
    r2_command: String,
    /// Functions and references are known after an analysis. `none`, `basic` (`aa`), `full` (`aaa`), or `auto` for what the commands need.
    #[serde(default)]
    analysis: AnalysisChoice,
    /// Bytes of output.
    #[serde(default = "default_output_bytes")]
    max_output_size: OutputBytes,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<300>,
    /// Only the external program knows its commands; for embedded engines see disassemble and parse_binary.
    #[serde(default)]
    engine: Engine,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Radare2Report {
    /// The commands that were run.
    command: String,
    /// What was analysed before: `none`, `basic` (`aa`) or `full` (`aaa`).
    analysis: Depth,
    /// What they printed; left out when it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// What they printed, when it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
}

impl Report for Radare2Report {
    fn text(&self) -> String {
        match (&self.output, &self.json) {
            (Some(output), _) => output.clone(),
            (None, Some(json)) => json.to_string(),
            (None, None) => String::new(),
        }
    }
}

impl Tool for RunRadare2 {
    type Params = Params;
    type Report = Radare2Report;

    const NAME: &'static str = "run_radare2";
    const TITLE: &'static str = "Run radare2 commands";
    const DESCRIPTION: &'static str = "Run read-only radare2 commands on a file: `aaa;afl` (functions), `aaa;pdf @ main` (disassembly), `iIj`, `iSj`, `isj`, `izj` (headers, sections, symbols, strings as JSON), `axt`, `px`, `/x`. Functions and references are analysed first where the commands need them (`analysis`), once per file; otherwise each call starts afresh. Write a space between command and argument. No shell, pipes, redirection, writes or scripts.";

    fn report_schema() -> Value {
        schema::report::<Radare2Report>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        Workload::on(
            &params.file_path,
            estimates::RADARE2_PROGRAM,
            params.timeout,
        )
    }

    /// A command for a session that is there starts no process; any other does.
    fn workload_when_open<'p>(
        services: &Services,
        params: &'p Params,
        content: Option<&str>,
        size: u64,
    ) -> Workload<'p> {
        let planned = Self::workload(params);
        let policy = services.radare2_policy;
        let plan = plan(&params.r2_command, params.analysis, size, policy);
        let content = content.filter(|_| !plan.own);
        workload_with_session(planned, services, content, plan.depth)
    }

    async fn run(
        &self,
        call: &Call<'_>,
        params: Params,
    ) -> Result<Answer<Radare2Report>, ToolError> {
        if params.engine == Engine::Embedded {
            return Err(invalid(
                "engine",
                "there is no embedded engine for the commands of radare2",
                "Use `disassemble`, `parse_binary` or `run_strings`, or leave `engine` out.",
            ));
        }
        let policy = call.services.radare2_policy;
        checked(&params.r2_command, policy)?;
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let mut analysis = call
            .analysis(Program::Radare2, &params.file_path, timeout)
            .await?;
        let size = analysis.target.size();
        let plan = plan(&params.r2_command, params.analysis, size, policy);
        let content = analysis.content(call.cancel).await?;
        let budget = params.max_output_size.count();
        let reply = session::ask(call, &analysis, &content, &plan, budget).await?;
        call.settle(&mut analysis).await?;
        let cut = reply.stdout.truncated();
        let report = report(params.r2_command, plan.depth, &reply.stdout.text(), cut);
        let mut answer = Answer::complete(report);
        if cut {
            answer.coverage = Coverage::Truncated;
            answer.warnings.push(format!(
                "the commands printed {} bytes, of which the first {budget} are reported; filter with `~word`, or raise `max_output_size`",
                reply.stdout.total
            ));
        }
        if reply.stdout.total == 0 {
            let said = diagnostics(&reply.stderr.text());
            answer.warnings.push(if said.is_empty() {
                "the commands printed nothing".to_owned()
            } else {
                format!("the commands printed nothing; radare2 says: {said}")
            });
        }
        Ok(answer)
    }
}

/// What is left of a workload when the session that it needs is there already.
fn workload_with_session<'p>(
    planned: Workload<'p>,
    services: &Services,
    content: Option<&str>,
    depth: Depth,
) -> Workload<'p> {
    let warm =
        content.is_some_and(|content| services.sessions.is_ready(&session::key(content, depth)));
    if !warm {
        return planned;
    }
    Workload {
        kind: estimates::RADARE2_SESSION,
        ..planned
    }
}

/// The same for the other tools that ask radare2 after its basic analysis, where they
/// are to ask it.
pub(super) fn workload_when_analysed<'p>(
    engine: Engine,
    planned: Workload<'p>,
    services: &Services,
    content: Option<&str>,
) -> Workload<'p> {
    let content = content.filter(|_| !engine.is_embedded());
    workload_with_session(planned, services, content, Depth::Basic)
}

/// Who else uses a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// All that ask about the file: the commands change nothing.
    All,
    /// Nobody: they do.
    Own,
}

/// What radare2 prints after its basic analysis of a file, which is done once for
/// all that share it.
/// The commands are our own: no policy looks at them.
pub(super) async fn ask_analysed(
    call: &Call<'_>,
    file_path: &str,
    timeout: Duration,
    commands: String,
    share: Share,
    budget: usize,
) -> Result<Captured, ToolError> {
    let mut analysis = call.analysis(Program::Radare2, file_path, timeout).await?;
    let content = analysis.content(call.cancel).await?;
    let plan = plan::Plan {
        depth: Depth::Basic,
        text: commands,
        own: share == Share::Own,
        undo: Vec::new(),
    };
    let reply = session::ask(call, &analysis, &content, &plan, budget).await?;
    call.settle(&mut analysis).await?;
    Ok(reply.stdout)
}

fn checked(command: &str, mode: PolicyMode) -> Result<(), ToolError> {
    const HINT: &str = "Use radare2's reading commands (i…, a…, p…, s, /, ?, x, f, e), with a space before the argument; `;` separates commands and `~` filters lines.";
    if command.contains('\0') {
        return Err(invalid("r2_command", "contains a NUL character", HINT));
    }
    if mode == PolicyMode::Off {
        return Ok(());
    }
    policy::check(command).map_err(|Refusal { rule, part, hint }| {
        ToolError::new(
            ErrorCode::ValidationError,
            format!(
                "parameter `r2_command`: `{}` is refused by the rule `{rule}`",
                quoted(&part)
            ),
            if hint.is_empty() {
                HINT.to_owned()
            } else {
                hint
            },
        )
    })
}

fn report(command: String, depth: Depth, output: &str, cut: bool) -> Radare2Report {
    let trimmed = output.trim();
    let json = if !cut && trimmed.starts_with(['{', '[']) {
        serde_json::from_str(trimmed).ok()
    } else {
        None
    };
    Radare2Report {
        command,
        analysis: depth,
        output: json.is_none().then(|| escaped_lines(output)),
        json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_recognised_and_text_is_escaped() {
        let made = report(
            "iIj".into(),
            Depth::None,
            "{\"arch\":\"x86\",\"bits\":64}\n",
            false,
        );
        assert_eq!(made.json.unwrap()["bits"], 64);
        assert_eq!(made.output, None);
        let made = report(
            "x".into(),
            Depth::None,
            "[0x0]> \u{1b}[31mred\n\u{7}",
            false,
        );
        assert_eq!(made.output.as_deref(), Some("[0x0]> red\n\\x07"));
        assert!(report("iIj".into(), Depth::None, "{}", true).json.is_none());
    }

    #[test]
    fn the_filter_can_be_switched_off() {
        let error = checked("!id", PolicyMode::Enforced).unwrap_err();
        assert_eq!(error.code, ErrorCode::ValidationError);
        assert!(error.message.contains("shell-escape"), "{error}");
        assert!(checked("!id", PolicyMode::Off).is_ok());
        assert!(checked("i\0", PolicyMode::Off).is_err());
    }
}
