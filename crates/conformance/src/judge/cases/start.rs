//! E8: a program that can't be started has an error of its own kind, which names
//! the program and what to do.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Bench, PATIENCE, describe};
use crate::judge::driver::Answer;
use crate::judge::verdict::Verdict;
use crate::protocol::{Ending, Run, StartFailure};

pub(super) const E8: &[&str] = &[
    "program missing",
    "not executable",
    "being written to (ETXTBSY)",
    "interpreter missing",
    "the message names the program",
    "the message says what to do",
];

/// A message with none of these words tells what is wrong and leaves the reader
/// alone with it.
const REMEDIES: [&str; 14] = [
    "install",
    "reinstall",
    "set",
    "check",
    "use",
    "wait",
    "add",
    "needs",
    "grant",
    "make",
    "try",
    "chmod",
    "ensure",
    "is it",
];

pub(super) async fn e8(bench: &Bench<'_>) -> Result<Vec<Verdict>, String> {
    let (driver, _) = bench.driver().await?;
    let directory = driver.directory().to_path_buf();
    let system = |error: std::io::Error| format!("the judge failed: {error}");
    let text = |name: &str| directory.join(name);
    program(&text("plain"), b"#!/bin/sh\n", 0o644).map_err(system)?;
    let hostile = fs::read(bench.stage.hostile()).map_err(system)?;
    program(&text("busy"), &hostile, 0o755).map_err(system)?;
    program(&text("script"), b"#!/no/such/interpreter\n", 0o755).map_err(system)?;
    let writer = File::options()
        .append(true)
        .open(text("busy"))
        .map_err(system)?;

    let (mut verdicts, mut unnamed, mut unhelpful) = (Vec::new(), Vec::new(), Vec::new());
    for (name, kind) in [
        ("missing", StartFailure::NotFound),
        ("plain", StartFailure::NotExecutable),
        ("busy", StartFailure::Busy),
        ("script", StartFailure::BadInterpreter),
    ] {
        let run = Run {
            program: text(name).to_string_lossy().into_owned(),
            ..bench.hostile(&[])
        };
        let answer = driver.run(run.clone(), PATIENCE).await?;
        let message = answer.ended.message.clone().unwrap_or_default();
        verdicts.push(Verdict::unless(&Vec::from_iter(wrong_kind(&answer, kind))));
        if !message.contains(&run.program) {
            unnamed.push(format!("{name}: `{message}`"));
        }
        let lower = message.replace(&run.program, "").to_lowercase();
        let words = |text: &str| format!(" {} ", text.replace(|c: char| !c.is_alphabetic(), " "));
        let spoken = words(&lower);
        if !REMEDIES
            .iter()
            .any(|remedy| spoken.contains(&words(remedy)))
        {
            unhelpful.push(format!("{name}: `{message}`"));
        }
    }
    drop(writer);
    verdicts.push(Verdict::unless(&unnamed));
    verdicts.push(Verdict::unless(&unhelpful));
    Ok(verdicts)
}

fn wrong_kind(answer: &Answer, kind: StartFailure) -> Option<String> {
    let ended = &answer.ended;
    let right = ended.ending == Ending::NotStarted && ended.kind == Some(kind);
    (!right).then(|| format!("{:?}: {}", ended.kind, describe(answer)))
}

fn program(path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}
