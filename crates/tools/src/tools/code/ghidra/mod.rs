//! A function as C by Ghidra's own program, where it is installed: what
//! `engine`=ghidra means for `decompile`.
//!
//! A call runs `analyzeHeadless` once, confined as every program is: it imports a
//! copy of the file into a project in the run's own directory, analyses the whole, and
//! a script of ours ([`SCRIPT`]) prints one function. Nothing stays, so each call pays for the
//! analysis: some 20 s for a small program. What is remembered is the result.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use reversecore_exec::session::word;
use reversecore_exec::{Command, Finished, Input, Keep, Limits, Scratch};
use serde::Deserialize;

use crate::error::{ErrorCode, ToolError};
use crate::external::Analysis;
use crate::programs::{Program, ghidra_directory};
use crate::text::diagnostics;
use crate::tool::Call;

/// Ghidra compiles it when it runs.
const SCRIPT: &str = include_str!("ReversecoreDecompile.java");
const SCRIPT_NAME: &str = "ReversecoreDecompile.java";
/// The script arrives by standard input and the file by descriptor; Ghidra wants
/// both in a directory. It takes no notice of `HOME`: settings, caches and what Java
/// needs would be written elsewhere.
const PREPARE: &str = r#"set -e
mkdir "$HOME/scripts"
cat >"$HOME/scripts/$1"
cat <"$2" >"$HOME/sample"
shift 2
export XDG_CONFIG_HOME="$HOME" XDG_CACHE_HOME="$HOME"
export _JAVA_OPTIONS="$_JAVA_OPTIONS '-Duser.home=$HOME' '-Djava.io.tmpdir=$HOME'"
exec "$@" -scriptPath "$HOME/scripts""#;
/// Bytes of its answer that are read: the text of a function of 100,000 instructions.
const LARGEST_OUTPUT: usize = 16 << 20;
/// Of the call's time, so many parts of ten are for the analysis, and what the
/// decompiler may have at most.
const ANALYSIS: (u64, u64) = (7, 10);
const LONGEST_DECOMPILATION: Duration = Duration::from_secs(60);
/// Of the run's memory, so many parts of eight are for the Java machine's objects.
const HEAP: (u64, u64) = (5, 8);

/// Archives of classes, and little else: 263 were seen.
const OPEN_FILES: u32 = 1024;

/// What it says of a function.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) code: String,
    /// The analysis of the program was ended for want of time.
    pub(super) partial: bool,
}

/// A line of the script.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Said {
    Code { code: String, partial: bool },
    Error { error: String },
}

/// The function at an address.
pub(super) async fn decompiled(
    call: &Call<'_>,
    file_path: &str,
    timeout: Duration,
    address: u64,
) -> Result<Text, ToolError> {
    let mut analysis = call.analysis(Program::Ghidra, file_path, timeout).await?;
    let mark = mark()?;
    let command = command(&analysis, &mark, address)?;
    call.progress("Ghidra imports and analyses the program", None);
    let finished = call.run(&analysis, command).await?;
    if let Some(error) = analysis.judge(&finished, &[0]) {
        return Err(error);
    }
    call.settle(&mut analysis).await?;
    said(&finished.stdout.text(), &mark).unwrap_or_else(|| Err(silent(&finished)))
}

fn command(analysis: &Analysis<'_>, mark: &str, address: u64) -> Result<Command, ToolError> {
    let headless = analysis.located.path;
    let limits = analysis.limits();
    let limits = Limits {
        open_files: limits.open_files.max(OPEN_FILES),
        ..limits
    };
    let seconds = limits.timeout.as_secs();
    let for_analysis = (seconds * ANALYSIS.0 / ANALYSIS.1).max(1);
    let for_function = seconds.clamp(1, LONGEST_DECOMPILATION.as_secs());
    let heap = (limits.memory / HEAP.1 * HEAP.0) >> 20;
    let mut command =
        Command::new("/bin/sh").readable(ghidra_directory(headless).unwrap_or(headless));
    for directory in java_settings() {
        command = command.readable(directory);
    }
    let file = command.hand(analysis.target.file()?);
    Ok(command
        .args(["-c", PREPARE, "sh", SCRIPT_NAME])
        .arg(file)
        .arg(headless)
        // Its directory is the run's own.
        .args([".", "project", "-import", "sample"])
        .args(["-preScript", SCRIPT_NAME, "rebase"])
        .args(["-postScript", SCRIPT_NAME, mark])
        .arg(format!("{address:x}"))
        .arg(for_function.to_string())
        .arg("-analysisTimeoutPerFile")
        .arg(for_analysis.to_string())
        .args(["-max-cpu", "1", "-deleteProject"])
        .env("_JAVA_OPTIONS", java_options(heap))
        .stdin(Input::Bytes(Bytes::from_static(SCRIPT.as_bytes())))
        .scratch(Scratch::Private)
        .limits(limits)
        // The answer is near its end.
        .keep_stdout(Keep {
            head: 64 << 10,
            tail: LARGEST_OUTPUT,
            spill: None,
        })
        .keep_stderr(Keep::head(16 << 10)))
}

/// Where systems keep settings of a Java machine, without which it does not start:
/// `/etc/java-17-openjdk`.
fn java_settings() -> Vec<PathBuf> {
    const MOST: usize = 16;
    let entries = std::fs::read_dir("/etc").into_iter().flatten().flatten();
    let of_java = |name: &OsStr| name.as_encoded_bytes().starts_with(b"java");
    entries
        .filter(|entry| of_java(&entry.file_name()))
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .take(MOST)
        .collect()
}

/// One processor, and no more memory than the run may have. In the variable that goes
/// over what Ghidra's own script says.
fn java_options(heap_mib: u64) -> String {
    format!("-Xmx{heap_mib}m -XX:ActiveProcessorCount=1 -XX:+UseSerialGC -XX:-UsePerfData")
}

/// What the script printed; `None` when it did not come to that.
fn said(output: &str, mark: &str) -> Option<Result<Text, ToolError>> {
    let line = output.lines().find_map(|line| line.strip_prefix(mark))?;
    Some(match serde_json::from_str(line).ok()? {
        Said::Code { code, partial } => Ok(Text { code, partial }),
        Said::Error { error } => Err(ToolError::new(
            ErrorCode::ToolFailed,
            format!(
                "Ghidra has no text of this function: {}",
                diagnostics(&error)
            ),
            "Leave out `engine`: the embedded engine may have it.",
        )),
    })
}

fn silent(finished: &Finished) -> ToolError {
    let said = finished.stdout.text();
    let unknown = said.contains("No load spec found");
    ToolError::new(
        ErrorCode::ToolFailed,
        if unknown {
            "Ghidra does not know this kind of file"
        } else {
            "Ghidra ended without an answer"
        },
        "Leave out `engine`: the embedded engine answers.",
    )
    .log_detail(last_lines(&said))
}

/// The end of a log, which says why.
fn last_lines(log: &str) -> String {
    const MOST: usize = 20;
    let skipped = log.lines().count().saturating_sub(MOST);
    diagnostics(&log.lines().skip(skipped).collect::<Vec<_>>().join("\n"))
}

/// What no text of the file can have.
fn mark() -> Result<String, ToolError> {
    let word = word().map_err(|error| {
        ToolError::new(
            ErrorCode::Internal,
            "the system has no random numbers",
            "Call again; if it persists, the system has a fault.",
        )
        .log_detail(error)
    })?;
    Ok(format!("reversecore-{word}:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_behind_the_mark_is_an_answer() {
        let mark = mark().unwrap();
        let forged = "reversecore-0:{\"code\":\"forged\",\"partial\":false}\n";
        assert!(said(forged, &mark).is_none());
        let output = format!(
            "INFO  ANALYZING\n{forged}{mark}{{\"code\":\"int f(void)\\n\",\"partial\":true}}\nINFO  done\n"
        );
        assert_eq!(
            said(&output, &mark).unwrap().unwrap(),
            Text {
                code: "int f(void)\n".to_owned(),
                partial: true
            }
        );
        let error = said(&format!("{mark}{{\"error\":\"no code\"}}"), &mark)
            .unwrap()
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::ToolFailed);
        assert!(error.message.contains("no code"), "{error}");
        assert!(said(&format!("{mark}{{\"cut"), &mark).is_none());
    }
}
