//! Which engines there are, and how their drivers are started.

use std::path::{Path, PathBuf};

use super::stage::Stage;
use crate::driver::ENGINES;

/// An engine to be judged.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its name on the command line and in the table.
    pub name: String,
    /// The program of its driver.
    pub program: PathBuf,
    /// With these arguments.
    pub arguments: Vec<String>,
}

impl Subject {
    /// A driver somewhere else: `NAME=PROGRAM ARGUMENT…`, separated by blanks.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, command) = text.split_once('=')?;
        let mut words = command.split_whitespace().map(str::to_owned);
        Some(Self {
            name: name.to_owned(),
            program: words.next()?.into(),
            arguments: words.collect(),
        })
    }
}

/// Those with a driver here.
#[must_use]
pub fn subjects(stage: &Stage) -> Vec<Subject> {
    let mut subjects: Vec<Subject> = ENGINES
        .iter()
        .map(|name| Subject {
            name: (*name).to_owned(),
            program: stage.path("engine-driver"),
            arguments: vec![(*name).to_owned()],
        })
        .collect();
    if let Some(python) = python() {
        subjects.push(Subject {
            name: "asyncio".to_owned(),
            program: python,
            arguments: vec![
                stage
                    .path("python_asyncio.py")
                    .to_string_lossy()
                    .into_owned(),
            ],
        });
    }
    subjects
}

/// The system's, which every user may run, before one that is only on this
/// user's path.
fn python() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(PathBuf::from("/usr/bin"))
        .chain(std::env::split_paths(&path))
        .map(|directory| directory.join("python3"))
        .find(|program| is_file(program))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.is_file())
}
