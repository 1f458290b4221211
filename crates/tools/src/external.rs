//! Running an external program on a file: what every tool that does so has in
//! common. The one place where an ending of a run becomes an error of a tool.

use std::sync::Arc;
use std::time::Duration;

use reversecore_exec::{
    Command, ExecError, Finished, Hold, Leftovers, Limit, Limits, Outcome, SpawnError, Usage,
};
use reversecore_jobs::Running;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{ErrorCode, ToolError};
use crate::programs::{Located, Program, missing};
use crate::text::{diagnostics, escaped};
use crate::tool::Call;
use crate::workspace::Target;

/// A program about to be run on a file, within the time of one call.
#[derive(Debug)]
pub(crate) struct Analysis<'a> {
    pub(crate) program: Program,
    pub(crate) located: Located<'a>,
    pub(crate) target: Target,
    deadline: Instant,
    timeout: Duration,
    limits: &'a Limits,
}

impl<'a> Call<'a> {
    /// Opens the file and finds the program.
    pub(crate) async fn analysis(
        &self,
        program: Program,
        file_path: &str,
        timeout: Duration,
    ) -> Result<Analysis<'a>, ToolError> {
        let services = self.services;
        let target = self.target(file_path).await?;
        let located = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(ToolError::cancelled()),
            located = services.programs.locate(program, &services.engine) => located?,
        };
        self.record
            .note(|facts| facts.engine = Some(located.engine.clone()));
        self.progress(&format!("running `{}`", program.name()), None);
        Ok(Analysis {
            program,
            located,
            target,
            deadline: Instant::now() + timeout,
            timeout,
            limits: &services.limits,
        })
    }

    /// Runs a command to its end. The ending itself is for the tool to judge.
    pub(crate) async fn run(
        &self,
        analysis: &Analysis<'_>,
        command: Command,
    ) -> Result<Finished, ToolError> {
        let finished = self
            .services
            .engine
            .run(command.hold(self.hold()), self.cancel)
            .await
            .map_err(|error| engine_error(analysis.program, &error))?;
        self.note_run(&finished.usage, &finished.leftovers);
        Ok(finished)
    }

    /// By which the call is told to stand still, where it may be.
    pub(crate) fn hold(&self) -> Option<Hold> {
        self.job.and_then(Running::hold)
    }

    /// Notes what a run used and left behind.
    pub(crate) fn note_run(&self, usage: &Usage, leftovers: &Leftovers) {
        self.record.note(|facts| {
            facts.bytes_out = facts.bytes_out.saturating_add(usage.bytes_out);
            facts.peak_rss = facts.peak_rss.max(usage.peak_rss);
            facts.cpu += usage.user + usage.system;
            if leftovers.any() {
                let names: Vec<_> = leftovers.names.iter().map(|name| escaped(name)).collect();
                facts.warnings.push(format!(
                    "the program left {} processes running ({}); they were ended",
                    leftovers.count,
                    names.join(", ")
                ));
            }
        });
    }

    /// After the last run: checks that the file is the same, and notes its hash.
    pub(crate) async fn settle(&self, analysis: &mut Analysis<'_>) -> Result<(), ToolError> {
        self.settle_target(&mut analysis.target, analysis.deadline)
            .await
    }

    /// The same for a file that was examined without a program.
    pub(crate) async fn settle_target(
        &self,
        target: &mut Target,
        deadline: Instant,
    ) -> Result<(), ToolError> {
        let hash = target.settle(deadline, self.cancel).await?;
        self.record.note(|facts| match hash {
            Some(hash) => facts.sha256 = Some(hash.as_ref().to_owned()),
            None => facts
                .warnings
                .push("the time was too short to compute the file's SHA-256".to_owned()),
        });
        Ok(())
    }
}

impl Analysis<'_> {
    /// A command of the program that is handed the file; also the path under
    /// which it finds it.
    pub(crate) fn command(&self) -> Result<(Command, std::path::PathBuf), ToolError> {
        let mut command = crate::programs::command(self.located.path);
        let path = command.hand(self.target.file()?);
        Ok((command, path))
    }

    /// The configured limits, with what is left of the call's time.
    pub(crate) fn limits(&self) -> Limits {
        let left = self.deadline.saturating_duration_since(Instant::now());
        Limits {
            timeout: left.max(Duration::from_millis(1)),
            ..self.limits.clone()
        }
    }

    /// SHA-256 of the file's content; waits for it.
    pub(crate) async fn content(
        &mut self,
        cancel: &CancellationToken,
    ) -> Result<Arc<str>, ToolError> {
        self.target
            .settle(self.deadline, cancel)
            .await?
            .ok_or_else(|| self.error(Outcome::TimedOut(self.timeout), ""))
    }

    /// What is left of the call's time.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The error that an ending stands for when the program should not have ended.
    pub(crate) fn error(&self, outcome: Outcome, stderr: &str) -> ToolError {
        outcome_error(self.program, outcome, stderr, self.timeout, &[])
            .unwrap_or_else(ToolError::cancelled)
    }

    /// The error that an ending stands for; `None` when the program ran to an
    /// end of its own with one of the exit codes `good`.
    pub(crate) fn judge(&self, finished: &Finished, good: &[i32]) -> Option<ToolError> {
        let stderr = finished.stderr.text();
        outcome_error(self.program, finished.outcome, &stderr, self.timeout, good)
    }

    /// The error of an engine that failed.
    pub(crate) fn engine_error(&self, error: &ExecError) -> ToolError {
        engine_error(self.program, error)
    }
}

fn outcome_error(
    program: Program,
    outcome: Outcome,
    stderr: &str,
    timeout: Duration,
    good: &[i32],
) -> Option<ToolError> {
    let name = program.name();
    let error = match outcome {
        Outcome::Exited(code) if good.contains(&code) => return None,
        Outcome::Exited(code) => {
            let said = diagnostics(stderr);
            let message = if said.is_empty() {
                format!("`{name}` exited with code {code}")
            } else {
                format!("`{name}` exited with code {code}: {said}")
            };
            ToolError::new(ErrorCode::ToolFailed, message, FAILED_HINT)
        }
        Outcome::Signaled(signal) => ToolError::new(
            ErrorCode::ToolFailed,
            format!("`{name}` was ended by {signal}"),
            FAILED_HINT,
        ),
        Outcome::TimedOut(_) | Outcome::Idle(_) => ToolError::new(
            ErrorCode::Timeout,
            format!("`{name}` was still running after {} s", timeout.as_secs()),
            "Raise `timeout` (up to 3600 s), or ask for less.",
        ),
        Outcome::Cancelled => ToolError::cancelled(),
        Outcome::LimitExceeded(Limit::Output) => ToolError::new(
            ErrorCode::OutputLimit,
            format!("`{name}` wrote more than it may"),
            "Raise `max_output_size` where the tool has it, or ask for less.",
        ),
        Outcome::LimitExceeded(limit) => ToolError::new(
            ErrorCode::ResourceLimit,
            format!("`{name}` reached its limit on {limit}"),
            "The file needs more than the server grants one analysis; ask for less, or choose another tool.",
        ),
    };
    let said = diagnostics(stderr);
    Some(if said.is_empty() {
        error
    } else {
        error.log_detail(said)
    })
}

const FAILED_HINT: &str =
    "The file may be damaged, or not of a kind that this program handles; another tool may do.";

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an enum that may grow; whatever is not the caller's affair is ours"
)]
fn engine_error(program: Program, error: &ExecError) -> ToolError {
    let name = program.name();
    match error {
        ExecError::Spawn(SpawnError::NotFound { .. }) => missing(program).log_detail(error),
        ExecError::Spawn(
            SpawnError::NotExecutable { .. }
            | SpawnError::BadInterpreter { .. }
            | SpawnError::BadFormat { .. },
        ) => ToolError::new(
            ErrorCode::ToolNotFound,
            format!("the program `{name}` on the server can't be executed"),
            format!(
                "Reinstall it ({}); `reversecore doctor` shows what is found.",
                program.how_to_get()
            ),
        )
        .log_detail(error),
        ExecError::RequestTooLarge { limit, .. } => ToolError::new(
            ErrorCode::ValidationError,
            format!("the arguments for `{name}` exceed {limit} bytes"),
            "Ask for less in one call.",
        )
        .log_detail(error),
        _ => ToolError::new(
            ErrorCode::Internal,
            format!("`{name}` could not be run"),
            "Call again; if it persists, the server's log has the reason.",
        )
        .log_detail(chain(error)),
    }
}

/// An error with its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use reversecore_exec::Signal;

    use super::*;

    #[test]
    fn each_ending_has_its_code() {
        let second = Duration::from_secs(1);
        for (outcome, code) in [
            (Outcome::Exited(0), None),
            (Outcome::Exited(3), None),
            (Outcome::Exited(1), Some(ErrorCode::ToolFailed)),
            (Outcome::Signaled(Signal(11)), Some(ErrorCode::ToolFailed)),
            (Outcome::TimedOut(second), Some(ErrorCode::Timeout)),
            (Outcome::Idle(second), Some(ErrorCode::Timeout)),
            (Outcome::Cancelled, Some(ErrorCode::Cancelled)),
            (
                Outcome::LimitExceeded(Limit::Output),
                Some(ErrorCode::OutputLimit),
            ),
            (
                Outcome::LimitExceeded(Limit::Memory),
                Some(ErrorCode::ResourceLimit),
            ),
            (
                Outcome::LimitExceeded(Limit::CpuTime),
                Some(ErrorCode::ResourceLimit),
            ),
        ] {
            let error = outcome_error(Program::File, outcome, "", second, &[0, 3]);
            assert_eq!(error.map(|error| error.code), code, "{outcome}");
        }
    }

    #[test]
    fn messages_name_the_limit_and_no_path_of_the_host() {
        let second = Duration::from_secs(1);
        let limit = Outcome::LimitExceeded(Limit::Memory);
        let error = outcome_error(Program::Yara, limit, "", second, &[0]).unwrap();
        assert!(error.message.contains("memory"), "{error}");
        let stderr = "/usr/bin/file: /srv/secret/x: no";
        let error = outcome_error(Program::File, Outcome::Exited(1), stderr, second, &[0]).unwrap();
        assert_eq!(error.message, "`file` exited with code 1: file: x: no");
        let gone = ExecError::Spawn(SpawnError::NotFound {
            program: "/opt/private/yara".into(),
        });
        let error = engine_error(Program::Yara, &gone);
        assert_eq!(error.code, ErrorCode::ToolNotFound);
        assert!(!error.message.contains("private") && !error.hint.contains("private"));
    }
}
