//! From what a client named to the files of a batch: files, directories, patterns,
//! and uploaded files by their hash. All of it lies beneath the roots; what is found
//! is opened beneath them once more when its turn comes.

use globset::{GlobBuilder, GlobMatcher};
use reversecore_batch::{Found, Listed};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::arguments::invalid;
use crate::error::ToolError;
use crate::text::quoted;
use crate::workspace::{Kind, Scope, Walk, Workspace};

/// Characters that make a path a pattern.
const PATTERN: [char; 4] = ['*', '?', '[', '{'];
/// Longest path or pattern.
const LONGEST: usize = 4096;
/// Files that are passed on together.
const TOGETHER: usize = 256;
/// What the name of an uploaded file begins with.
const BY_CONTENT: &str = "sha256:";

/// One thing that was named.
#[derive(Debug)]
pub(crate) enum Input {
    /// A file, or a directory.
    Path(String),
    /// Files beneath a directory whose path matches.
    Pattern(String, GlobMatcher),
}

/// How far a batch goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Levels of directories.
    pub(crate) depth: usize,
    /// Files.
    pub(crate) files: u64,
    /// Bytes of one file.
    pub(crate) largest: u64,
}

impl Input {
    /// Reads what was named.
    pub(crate) fn parse(text: &str) -> Result<Self, ToolError> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(invalid(
                "paths",
                "a path is empty or longer than 4096 bytes",
                "Name files, directories, or patterns such as `firmware/**/*.bin`.",
            ));
        }
        let Some(first) = text.find(PATTERN).filter(|_| !text.starts_with(BY_CONTENT)) else {
            return Ok(Self::Path(text.to_owned()));
        };
        // The directory before the first part that is a pattern.
        let (before, _) = text.split_at(first);
        let (directory, pattern) = match before.rfind('/') {
            Some(slash) => {
                let (directory, rest) = text.split_at(slash + 1);
                let shorter = directory.strip_suffix('/').unwrap_or(directory);
                (if shorter.is_empty() { "/" } else { shorter }, rest)
            }
            None => (".", text),
        };
        let glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .build()
            .map_err(|error| {
                invalid(
                    "paths",
                    format!("`{}`: {}", quoted(text), quoted(&error.kind().to_string())),
                    "Use a pattern such as `*.exe` or `**/*.bin`.",
                )
            })?;
        Ok(Self::Pattern(directory.to_owned(), glob.compile_matcher()))
    }
}

/// Finds the files, and passes them on. Blocking; ends early when nobody listens.
pub(super) fn find(
    workspace: &Workspace,
    inputs: Vec<Input>,
    bounds: Bounds,
    to: &mpsc::Sender<Vec<Listed>>,
    stop: &CancellationToken,
) {
    let mut finder = Finder {
        workspace,
        bounds,
        found: 0,
        ready: Vec::new(),
        to,
    };
    for input in inputs {
        if stop.is_cancelled() || finder.input(input).is_none() {
            return;
        }
    }
    finder.pass_on();
}

struct Finder<'a> {
    workspace: &'a Workspace,
    bounds: Bounds,
    found: u64,
    ready: Vec<Listed>,
    to: &'a mpsc::Sender<Vec<Listed>>,
}

impl Finder<'_> {
    /// `None` when nobody listens, or there is enough.
    fn input(&mut self, input: Input) -> Option<()> {
        match input {
            Input::Path(path) => match self.workspace.open_directory(&path, Scope::Files) {
                Ok(_) => self.directory(path, None),
                // A file, or nothing: whoever opens it will say so.
                Err(_) => self.file(path, 0),
            },
            Input::Pattern(directory, pattern) => self.directory(directory, Some(pattern)),
        }
    }

    fn directory(&mut self, path: String, pattern: Option<GlobMatcher>) -> Option<()> {
        let walk = Walk {
            path: path.clone(),
            pattern,
            recursive: self.bounds.depth > 1,
            scope: Scope::Files,
        };
        let listing = match self.workspace.list(&walk) {
            Ok(listing) => listing,
            Err(refused) => {
                let error = refused.into_tool_error("paths", &quoted(&path));
                return self.row(Listed::Refused {
                    path,
                    reason: error.message,
                });
            }
        };
        let base = match path.trim_end_matches('/') {
            "." => String::new(),
            base => format!("{base}/"),
        };
        let mut others = 0;
        for entry in listing.entries {
            let level = entry.path.matches('/').count() + 1;
            match entry.kind {
                Kind::File if level <= self.bounds.depth => {
                    self.file(format!("{base}{}", entry.path), entry.size)?;
                }
                Kind::File | Kind::Directory => {}
                Kind::Symlink | Kind::Other => others += 1,
            }
        }
        if others > 0 {
            self.row(Listed::Skipped(others))?;
        }
        if listing.cut || listing.unreadable > 0 {
            self.row(Listed::Refused {
                path,
                reason: format!(
                    "not all of this directory was looked at ({} unreadable subdirectories{})",
                    listing.unreadable,
                    if listing.cut {
                        ", and it is too large or too deep"
                    } else {
                        ""
                    }
                ),
            })?;
        }
        Some(())
    }

    fn file(&mut self, path: String, size: u64) -> Option<()> {
        if self.found >= self.bounds.files {
            self.row(Listed::Refused {
                path,
                reason: format!("more than the {} files of `limit`", self.bounds.files),
            })?;
            self.pass_on();
            return None;
        }
        self.found += 1;
        if size > self.bounds.largest {
            return self.row(Listed::Refused {
                path,
                reason: format!("has {size} bytes, more than `max_size_mib` allows"),
            });
        }
        self.row(Listed::File(Found {
            path,
            place: None,
            size,
        }))
    }

    fn row(&mut self, listed: Listed) -> Option<()> {
        self.ready.push(listed);
        if self.ready.len() < TOGETHER {
            return Some(());
        }
        let ready = std::mem::take(&mut self.ready);
        self.to.blocking_send(ready).ok()
    }

    fn pass_on(&mut self) {
        // Nobody listens any more when the run has ended.
        self.to.blocking_send(std::mem::take(&mut self.ready)).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::WorkspaceSettings;

    fn found(inputs: &[&str], files: u64) -> (Vec<String>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a.exe", "b.txt", "sub/c.exe", "sub/deep/d.exe"] {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let workspace = Workspace::open(&WorkspaceSettings {
            root: directory.path().to_path_buf(),
            read_dirs: Vec::new(),
            rule_dirs: Vec::new(),
        })
        .unwrap();
        let inputs = inputs.iter().map(|text| Input::parse(text).unwrap());
        let bounds = Bounds {
            depth: 2,
            files,
            largest: 10,
        };
        let (to, mut from) = mpsc::channel(100);
        find(
            &workspace,
            inputs.collect(),
            bounds,
            &to,
            &CancellationToken::new(),
        );
        drop(to);
        let (mut files, mut refused) = (Vec::new(), Vec::new());
        while let Some(batch) = from.blocking_recv() {
            for listed in batch {
                match listed {
                    Listed::File(found) => files.push(found.path),
                    Listed::Refused { path, .. } => refused.push(path),
                    Listed::Skipped(_) => {}
                }
            }
        }
        (files, refused)
    }

    #[test]
    fn files_directories_patterns_and_hashes_can_be_named() {
        let of = |inputs: &[&str]| found(inputs, 100).0;
        assert_eq!(of(&["."]), ["a.exe", "b.txt", "sub/c.exe"]);
        assert_eq!(of(&["*.exe"]), ["a.exe"]);
        assert_eq!(of(&["sub/**/*.exe"]), ["sub/c.exe", "sub/deep/d.exe"]);
        let hash = format!("sha256:{}", "0".repeat(64));
        assert_eq!(of(&["b.txt", &hash]), ["b.txt", &hash]);
        // What leads outside is no file of the batch.
        assert_eq!(found(&["../*"], 100), (Vec::new(), vec!["..".to_owned()]));
    }

    #[test]
    fn there_are_not_more_files_than_were_asked_for() {
        let (files, refused) = found(&[".", "b.txt"], 2);
        assert_eq!((files.len(), refused.len()), (2, 1));
    }

    #[test]
    fn a_bad_pattern_is_refused_at_once() {
        assert!(Input::parse("a/[").is_err());
        assert!(Input::parse("").is_err());
    }
}
