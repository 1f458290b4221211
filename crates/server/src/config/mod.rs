//! The configuration: one struct per concern, filled from four layers.
//!
//! ```text
//! default.toml  <  file (--config, REVERSECORE_CONFIG)  <  environment  <  flags
//! ```
//!
//! The binary calls [`load`] with what it found; this module reads neither the
//! environment nor the command line, so that every layer can be tested. It does
//! not look at the machine either: whether a directory exists is found out by
//! whoever opens it.

mod environment;
mod error;
mod http;
mod keys;
mod layers;
#[cfg(test)]
mod tests;
mod values;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use reversecore_exec::{Containment, SandboxMode};
use reversecore_tools::bounded::{Bounded, TimeoutSeconds};
use serde::Deserialize;

pub use error::ConfigError;
pub use http::{HttpConfig, OAuthConfig, TokenAlgorithm};
pub use keys::{ApiKey, ClientName, KeyHash};
pub(crate) use keys::{hex, unhex};
pub use values::{Concurrency, ExecutionMode, ListenAddress, LogFormat, LogLevel, Transport};

/// The commented defaults, as text.
pub const DEFAULTS: &str = include_str!("default.toml");

/// Keys with fewer characters could be found by trying.
const SHORT_KEY: usize = 16;

/// Everything that can be set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which files clients may name.
    pub workspace: WorkspaceConfig,
    /// How clients reach the server.
    pub server: ServerConfig,
    /// The HTTP edge.
    pub http: HttpConfig,
    /// How much runs at one time.
    pub execution: ExecutionConfig,
    /// The processes of the embedded engines.
    pub workers: WorkersConfig,
    /// Programs that stay.
    pub sessions: SessionsConfig,
    /// What one external program may use.
    pub limits: LimitsConfig,
    /// How child processes are confined.
    pub sandbox: SandboxConfig,
    /// Where the external programs are.
    pub tools: ToolsConfig,
    /// How results are kept.
    pub results: ResultsConfig,
    /// What is kept between runs.
    pub data: DataConfig,
    /// What is logged, and how.
    pub log: LogConfig,
}

/// Which files clients may name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceConfig {
    /// The workspace; `None` for the directory the server is started in.
    pub path: Option<PathBuf>,
    /// Further directories, read-only.
    pub read_dirs: Vec<PathBuf>,
    /// Directories with YARA rules.
    pub rule_dirs: Vec<PathBuf>,
    /// YARA rules that `triage` matches: a file or a directory, in one of the
    /// directories above.
    pub triage_rules: Option<String>,
}

/// How clients reach the server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Which transport is served.
    pub transport: Transport,
    /// Where HTTP listens.
    pub http: ListenAddress,
    /// How long calls may go on after the request to stop.
    pub shutdown_grace_seconds: Bounded<0, 600>,
}

/// How much runs at one time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionConfig {
    /// Many calls at one time, or one after the other.
    pub mode: ExecutionMode,
    /// Whether the number of calls at one time follows the machine's pressure.
    pub concurrency: Concurrency,
    /// Seconds that a call may wait for its turn.
    pub longest_wait_seconds: Bounded<1, 86_400>,
    /// Tool calls in progress at one time.
    pub max_concurrent_requests: Bounded<1, 1024>,
    /// Tool calls that may wait.
    pub request_queue_size: Bounded<0, 100_000>,
    /// Child processes at one time.
    pub max_subprocesses: Bounded<1, 1024>,
    /// Seconds that a call may take when it does not say so itself.
    pub default_timeout: Option<TimeoutSeconds>,
    /// Seconds after which a call goes on by itself.
    pub inline_seconds: Bounded<0, 86_400>,
    /// Minutes that the answer of such a call is kept.
    pub result_minutes: Bounded<1, 10_080>,
}

/// The processes of the embedded engines.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkersConfig {
    /// Workers that are there even when there is nothing to do.
    pub min: Bounded<0, 64>,
    /// Workers at most; `None` for two more than there are processors.
    pub max: Option<Bounded<1, 64>>,
    /// MiB of memory that a worker may have.
    pub memory_mib: Bounded<64, 1_048_576>,
    /// A worker is replaced after so many jobs.
    pub max_jobs: Bounded<1, 1_000_000_000>,
}

/// External programs that stay, to be asked again.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionsConfig {
    /// Sessions at most.
    pub max: Bounded<1, 256>,
    /// MiB of memory of all of them together.
    pub memory_mib: Bounded<64, 1_048_576>,
    /// Seconds after which one that nobody asks is ended.
    pub idle_seconds: Bounded<1, 86_400>,
}

/// What one run of an external program may use, its children included where it
/// is not said otherwise. A run that reaches a limit is ended, and its result
/// names the limit.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// MiB of memory.
    pub memory_mib: Bounded<8, 1_048_576>,
    /// Seconds of CPU time of any one process; `None` for no limit besides the
    /// call's timeout.
    pub cpu_seconds: Option<Bounded<1, 86_400>>,
    /// Processes at one time.
    pub processes: Bounded<1, 4096>,
    /// Open descriptors of any one process.
    pub open_files: Bounded<16, 65_536>,
    /// MiB in any one file that it writes.
    pub file_size_mib: Bounded<1, 1_048_576>,
    /// MiB in its scratch directory.
    pub scratch_mib: Bounded<1, 1_048_576>,
    /// Files and directories in its scratch directory.
    pub scratch_files: Bounded<1, 1_000_000>,
}

/// How child processes are confined.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxConfig {
    /// What to do where a protection is missing.
    pub mode: SandboxMode,
    /// The rung of the containment ladder; `None` for the best that holds.
    #[serde(deserialize_with = "values::auto_or_containment")]
    pub containment: Option<Containment>,
    /// What every child may read.
    pub read: Vec<PathBuf>,
    /// Where scratch directories are made.
    pub scratch_dir: PathBuf,
}

/// Where the external programs are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ToolsConfig {
    /// `file`
    pub file: ProgramConfig,
    /// `strings`
    pub strings: ProgramConfig,
    /// `binwalk`
    pub binwalk: ProgramConfig,
    /// `yara`
    pub yara: ProgramConfig,
    /// `radare2`
    pub radare2: ProgramConfig,
    /// Ghidra
    pub ghidra: GhidraConfig,
}

/// One external program.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProgramConfig {
    /// Its absolute path; `None` to look it up in `PATH`.
    #[serde(deserialize_with = "values::absolute_path")]
    pub program: Option<PathBuf>,
}

/// Ghidra, which is a directory.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GhidraConfig {
    /// Where it is installed; `None` where it is not.
    #[serde(deserialize_with = "values::absolute_path")]
    pub install_dir: Option<PathBuf>,
}

/// How results are kept.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultsConfig {
    /// Tokens of a result; 0 for no limit.
    pub budget_tokens: Bounded<0, 10_000_000>,
    /// MiB of artifacts.
    pub artifacts_mib: Bounded<1, 1_048_576>,
    /// Hours after its last use for which an artifact is kept.
    pub artifact_hours: Bounded<1, 8760>,
    /// MiB of remembered results in memory; 0 for none at all.
    pub cache_memory_mib: Bounded<0, 65_536>,
    /// MiB of remembered results on disk.
    pub cache_disk_mib: Bounded<0, 1_048_576>,
}

/// What is kept between runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Where; `None` for the user's own data directory.
    pub dir: Option<PathBuf>,
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// The least severe level that is logged.
    pub level: LogLevel,
    /// The form of a line.
    pub format: LogFormat,
}

/// One setting from the command line.
#[derive(Debug, Clone)]
pub struct Flag {
    /// How the user wrote it, for messages: `--http`.
    pub name: &'static str,
    /// The key that it sets: `server.http`.
    pub key: &'static str,
    /// The value.
    pub value: String,
}

/// Where settings come from, besides the defaults.
#[derive(Debug, Default)]
pub struct Sources {
    /// Settings that the command itself has other defaults for; every layer
    /// goes over them.
    pub command: Vec<Flag>,
    /// The file named on the command line.
    pub file: Option<PathBuf>,
    /// The process's environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Settings from the command line.
    pub flags: Vec<Flag>,
}

/// A configuration, and what the user should be told about it.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Notes for the log, such as a key that is too short.
    pub notes: Vec<String>,
}

/// Puts the layers over one another.
///
/// # Errors
/// When a layer can't be read, or holds an unknown key or a bad value; the
/// error names the key and the layer.
pub fn load(sources: Sources) -> Result<Loaded, ConfigError> {
    let Sources {
        command,
        file,
        environment,
        flags,
    } = sources;
    let environment = environment::read(environment)?;
    let mut layers = layers::Layers::defaults();
    layers.flags(command)?;
    if let Some(path) = file.or(environment.file) {
        layers.file(&path, &read_file(&path)?)?;
    }
    for setting in &environment.settings {
        layers.setting(setting.layer(), setting.key, setting.value.clone())?;
    }
    layers.flags(flags)?;
    let config = layers.finish();
    let notes = notes(&config);
    Ok(Loaded { config, notes })
}

fn notes(config: &Config) -> Vec<String> {
    let short = |key: &ApiKey| key.expose().len() < SHORT_KEY;
    if config.http.api_key.as_ref().is_some_and(short) {
        vec![format!(
            "`http.api_key` (MCP_API_KEY) has less than {SHORT_KEY} characters and could be guessed (`reversecore key` makes a better one)"
        )]
    } else {
        Vec::new()
    }
}

fn read_file(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_path_buf(),
        source,
    })
}
