//! Where the external programs are, which version each has, and what a user
//! loses without it. Called by tools before a run, by the health report, and
//! by `reversecore doctor`.
//!
//! Programs are looked for once, when this is built; a version is asked for
//! once, when it is first wanted. The environment is not read here.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reversecore_exec::{Command, Engine, Keep, Limits, Scratch};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::error::{ErrorCode, ToolError};
use crate::text;

const VERSION_TIMEOUT: Duration = Duration::from_secs(15);
const VERSION_CHARS: usize = 40;
/// Ghidra's program without windows, in its installation.
const HEADLESS: &str = "support/analyzeHeadless";
/// Bytes of a file of properties that are read.
const LONGEST_PROPERTIES: u64 = 64 << 10;

/// An external program that a tool needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Program {
    /// File identification.
    File,
    /// Printable strings.
    Strings,
    /// Firmware signatures.
    Binwalk,
    /// YARA rules.
    Yara,
    /// Disassembly and analysis.
    Radare2,
    /// Decompilation. Not looked for in `PATH`: it is there where it is configured.
    Ghidra,
}

impl Program {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::File,
        Self::Strings,
        Self::Binwalk,
        Self::Yara,
        Self::Radare2,
        Self::Ghidra,
    ];

    /// Its name, as in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Strings => "strings",
            Self::Binwalk => "binwalk",
            Self::Yara => "yara",
            Self::Radare2 => "radare2",
            Self::Ghidra => "ghidra",
        }
    }

    /// What a user does without when it is missing.
    pub fn lost_without(self) -> &'static str {
        match self {
            Self::File => "run_file: file type and MIME type",
            Self::Strings => "run_strings: printable strings",
            Self::Binwalk => "run_binwalk: firmware signatures",
            Self::Yara => "run_yara: YARA matches",
            Self::Radare2 => "run_radare2: disassembly and analysis",
            Self::Ghidra => "decompile with engine=ghidra",
        }
    }

    /// How to get it.
    pub fn how_to_get(self) -> &'static str {
        match self {
            Self::File => "apt install file",
            Self::Strings => "apt install binutils",
            Self::Binwalk => "apt install binwalk (version 2.3)",
            Self::Yara => "apt install yara",
            Self::Radare2 => {
                "scripts/setup-tools, or https://github.com/radareorg/radare2/releases"
            }
            Self::Ghidra => "https://github.com/NationalSecurityAgency/ghidra/releases, and a JDK",
        }
    }

    fn file_names(self) -> &'static [&'static str] {
        match self {
            Self::File => &["file"],
            Self::Strings => &["strings"],
            Self::Binwalk => &["binwalk"],
            Self::Yara => &["yara"],
            Self::Radare2 => &["radare2", "r2"],
            Self::Ghidra => &[],
        }
    }

    /// Whether a server is whole without it: another engine does the same, and only
    /// who has it is told of it.
    fn is_extra(self) -> bool {
        match self {
            Self::File | Self::Strings | Self::Binwalk | Self::Yara | Self::Radare2 => false,
            Self::Ghidra => true,
        }
    }

    /// What has it print its version; `None` where a file beside it says it.
    fn version_argument(self) -> Option<&'static str> {
        match self {
            Self::Radare2 => Some("-v"),
            // binwalk has no such option, but its help begins with the version.
            Self::Binwalk => Some("--help"),
            Self::File | Self::Strings | Self::Yara => Some("--version"),
            // It would start a Java machine.
            Self::Ghidra => None,
        }
    }
}

/// Where to look for the programs.
#[derive(Debug, Clone, Default)]
pub struct ProgramSettings {
    /// The path of `file`; `None` to search for it. Likewise below.
    pub file: Option<PathBuf>,
    /// `strings`
    pub strings: Option<PathBuf>,
    /// `binwalk`
    pub binwalk: Option<PathBuf>,
    /// `yara`
    pub yara: Option<PathBuf>,
    /// `radare2`
    pub radare2: Option<PathBuf>,
    /// The directory in which Ghidra is installed; `None` where there is none.
    pub ghidra: Option<PathBuf>,
    /// The directories to search, in order: those of `PATH`.
    pub search: Vec<PathBuf>,
}

/// The external programs.
#[derive(Debug)]
pub struct Programs {
    slots: [Slot; 6],
}

#[derive(Debug)]
struct Slot {
    program: Program,
    path: Option<PathBuf>,
    version: OnceCell<Option<String>>,
}

/// What is known of one program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgramStatus {
    /// Which.
    pub program: Program,
    /// Its path, when there is one.
    pub path: Option<PathBuf>,
    /// Whether it can be run.
    pub state: ProgramState,
    /// What is lost without it.
    pub lost_without: &'static str,
    /// How to get it.
    pub how_to_get: &'static str,
}

/// Whether a program can be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ProgramState {
    /// It runs, and has this version.
    Found {
        /// The version, as the program says it.
        version: String,
    },
    /// There is none.
    Missing,
    /// It is there, and does not say its version when run.
    Broken,
}

/// A program that is there.
#[derive(Debug, Clone)]
pub(crate) struct Located<'a> {
    pub(crate) path: &'a Path,
    /// Name and version: `strings 2.40`.
    pub(crate) engine: String,
}

impl Programs {
    /// Looks for the programs.
    pub fn new(settings: ProgramSettings) -> Self {
        let ProgramSettings {
            file,
            strings,
            binwalk,
            yara,
            radare2,
            ghidra,
            search,
        } = settings;
        let slot = |program: Program, configured: Option<PathBuf>| Slot {
            program,
            path: configured.or_else(|| find(program, &search)),
            version: OnceCell::new(),
        };
        Self {
            slots: [
                slot(Program::File, file),
                slot(Program::Strings, strings),
                slot(Program::Binwalk, binwalk),
                slot(Program::Yara, yara),
                slot(Program::Radare2, radare2),
                slot(
                    Program::Ghidra,
                    ghidra.map(|directory| directory.join(HEADLESS)),
                ),
            ],
        }
    }

    /// What is known of each program; runs those whose version is not known yet.
    pub async fn status(&self, engine: &Engine) -> Vec<ProgramStatus> {
        let mut all = Vec::with_capacity(self.slots.len());
        for slot in self.told() {
            let state = match &slot.path {
                None => ProgramState::Missing,
                Some(path) => match slot.version(path, engine).await {
                    Some(version) => ProgramState::Found { version },
                    None => ProgramState::Broken,
                },
            };
            all.push(slot.status(state));
        }
        all
    }

    /// What is known of each program by now; runs none and waits for none.
    pub(crate) fn known(&self) -> Vec<ProgramStatus> {
        self.told()
            .map(|slot| {
                let state = match (&slot.path, slot.version.get()) {
                    (None, _) => ProgramState::Missing,
                    (Some(_), Some(None)) => ProgramState::Broken,
                    (Some(_), Some(Some(version))) => ProgramState::Found {
                        version: version.clone(),
                    },
                    (Some(_), None) => ProgramState::Found {
                        version: "version not known yet".to_owned(),
                    },
                };
                slot.status(state)
            })
            .collect()
    }

    /// The program, or why it can't be run.
    pub(crate) async fn locate(
        &self,
        program: Program,
        engine: &Engine,
    ) -> Result<Located<'_>, ToolError> {
        let slot = self.slot(program);
        let path = slot.path.as_deref().ok_or_else(|| missing(program))?;
        let version = slot.version(path, engine).await;
        let name = program.name();
        Ok(Located {
            path,
            engine: version.map_or_else(|| name.to_owned(), |version| format!("{name} {version}")),
        })
    }

    /// Those that a report has.
    fn told(&self) -> impl Iterator<Item = &Slot> {
        let told = |slot: &&Slot| slot.path.is_some() || !slot.program.is_extra();
        self.slots.iter().filter(told)
    }

    fn slot(&self, program: Program) -> &Slot {
        let [file, strings, binwalk, yara, radare2, ghidra] = &self.slots;
        match program {
            Program::File => file,
            Program::Strings => strings,
            Program::Binwalk => binwalk,
            Program::Yara => yara,
            Program::Radare2 => radare2,
            Program::Ghidra => ghidra,
        }
    }
}

impl Slot {
    fn status(&self, state: ProgramState) -> ProgramStatus {
        ProgramStatus {
            program: self.program,
            path: self.path.clone(),
            state,
            lost_without: self.program.lost_without(),
            how_to_get: self.program.how_to_get(),
        }
    }

    async fn version(&self, path: &Path, engine: &Engine) -> Option<String> {
        self.version
            .get_or_init(|| probe(self.program, path, engine))
            .await
            .clone()
    }
}

/// The error for a program that is not there.
pub(crate) fn missing(program: Program) -> ToolError {
    let name = program.name();
    ToolError::new(
        ErrorCode::ToolNotFound,
        format!("the program `{name}` is not installed on the server"),
        match program {
            Program::Ghidra => format!(
                "Install it ({}) and set GHIDRA_INSTALL_DIR, or `install_dir` under `[tools.ghidra]` in the configuration; the embedded engine decompiles without it.",
                program.how_to_get()
            ),
            Program::File
            | Program::Strings
            | Program::Binwalk
            | Program::Yara
            | Program::Radare2 => format!(
                "Install it ({}) or set `program` under `[tools.{name}]` in the configuration; `reversecore doctor` shows what is found.",
                program.how_to_get()
            ),
        },
    )
}

fn find(program: Program, search: &[PathBuf]) -> Option<PathBuf> {
    search
        .iter()
        .filter(|directory| directory.is_absolute())
        .flat_map(|directory| program.file_names().iter().map(|name| directory.join(name)))
        .find(|path| {
            path.metadata()
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        })
}

async fn probe(program: Program, path: &Path, engine: &Engine) -> Option<String> {
    let Some(argument) = program.version_argument() else {
        return ghidra_version(path);
    };
    let command = command(path)
        .arg(argument)
        .scratch(Scratch::Private)
        .limits(Limits {
            timeout: VERSION_TIMEOUT,
            ..Limits::default()
        })
        .keep_stdout(Keep::head(16 << 10))
        .keep_stderr(Keep::head(16 << 10));
    let finished = match engine.run(command, &CancellationToken::new()).await {
        Ok(finished) => finished,
        Err(error) => {
            tracing::warn!(program = program.name(), %error, "the version is not known");
            return None;
        }
    };
    // Whatever the exit code: binwalk's help ends with 0 or 1 by version.
    version_in(&finished.stdout.text()).or_else(|| version_in(&finished.stderr.text()))
}

/// Where Ghidra is installed, from the path of its program.
pub(crate) fn ghidra_directory(headless: &Path) -> Option<&Path> {
    headless.parent()?.parent()
}

/// What Ghidra says of itself in a file of its installation.
fn ghidra_version(headless: &Path) -> Option<String> {
    let properties = ghidra_directory(headless)?.join("Ghidra/application.properties");
    let mut text = String::new();
    let file = std::fs::File::open(properties).ok()?;
    file.take(LONGEST_PROPERTIES)
        .read_to_string(&mut text)
        .ok()?;
    headless.is_file().then_some(())?;
    text.lines()
        .find_map(|line| line.strip_prefix("application.version="))
        .and_then(version_in)
}

/// A run of this program, which may read what is installed beside it.
pub(crate) fn command(path: &Path) -> Command {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let mut command = Command::new(path);
    // `<prefix>/bin/program` comes with `<prefix>/lib` and `<prefix>/share`.
    for program in [path, real.as_path()] {
        let bin = program.parent();
        if let Some(prefix) = bin.and_then(Path::parent)
            && bin.is_some_and(|bin| bin.ends_with("bin"))
            && prefix.components().count() > 2
            && prefix.is_dir()
        {
            command = command.readable(prefix);
        }
    }
    command
}

/// The first word that looks like a version.
fn version_in(output: &str) -> Option<String> {
    output
        .split_whitespace()
        .take(64)
        .filter_map(|word| {
            let word = word.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '-');
            let version: String = word
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || ".-+~".contains(*c))
                .take(VERSION_CHARS)
                .collect();
            (version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.'))
                .then(|| text::escaped(version.trim_end_matches('.')).into_owned())
        })
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_the_programs_print() {
        for (output, version) in [
            (
                "file-5.44\nmagic file from /etc/magic:/usr/share/misc/magic\n",
                "5.44",
            ),
            (
                "GNU strings (GNU Binutils for Debian) 2.40\nCopyright (C) 2023",
                "2.40",
            ),
            ("\nBinwalk v2.3.3\nCraig Heffner, ReFirmLabs\n", "2.3.3"),
            ("4.2.3\n", "4.2.3"),
            ("radare2 6.1.8 +0 abi:110 @ linux-x86_64\n", "6.1.8"),
        ] {
            assert_eq!(version_in(output).as_deref(), Some(version), "{output}");
        }
        assert_eq!(version_in("no version here, at 100 %"), None);
    }

    #[test]
    fn ghidra_is_told_of_where_it_is_and_says_its_version() {
        let directory = tempfile::tempdir().unwrap();
        let names = |settings| {
            let programs = Programs::new(settings);
            let told: Vec<_> = programs.told().map(|slot| slot.program).collect();
            told.contains(&Program::Ghidra)
        };
        assert!(!names(ProgramSettings::default()));
        assert!(names(ProgramSettings {
            ghidra: Some(directory.path().to_path_buf()),
            ..ProgramSettings::default()
        }));
        let headless = directory.path().join(HEADLESS);
        std::fs::create_dir_all(headless.parent().unwrap()).unwrap();
        std::fs::create_dir(directory.path().join("Ghidra")).unwrap();
        let properties = directory.path().join("Ghidra/application.properties");
        std::fs::write(
            properties,
            "application.name=Ghidra\napplication.version=12.1.3\n",
        )
        .unwrap();
        assert_eq!(ghidra_version(&headless), None, "there is no program");
        std::fs::write(&headless, "").unwrap();
        assert_eq!(ghidra_version(&headless).as_deref(), Some("12.1.3"));
        assert_eq!(ghidra_directory(&headless), Some(directory.path()));
    }

    #[test]
    fn the_first_executable_file_of_the_search_path_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (directory.path().join("a"), directory.path().join("b"));
        for path in [&first, &second] {
            std::fs::create_dir(path).unwrap();
            std::fs::write(path.join("strings"), "").unwrap();
        }
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(second.join("strings"), executable).unwrap();
        std::fs::create_dir(first.join("yara")).unwrap();
        let search = [first, "relative".into(), second.clone()];
        assert_eq!(
            find(Program::Strings, &search),
            Some(second.join("strings"))
        );
        assert_eq!(find(Program::Yara, &search), None);
    }
}
