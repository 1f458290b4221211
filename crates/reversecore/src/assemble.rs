//! Builds what the tools work with from the configuration. Nothing here waits:
//! the engine comes up by itself, programs are looked up when they are used.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reversecore_exec::{
    Engine, EngineConfig, Limits, PoolConfig, SessionConfig, SessionPool, WorkerPool,
};
use reversecore_server::config::{
    Concurrency, Config, DataConfig, ExecutionConfig, ExecutionMode, LimitsConfig, ResultsConfig,
    SandboxConfig, SessionsConfig, ToolsConfig, WorkersConfig, WorkspaceConfig,
};
use reversecore_tools::bounded::Bounded;
use reversecore_tools::{
    Batches, Catalogue, ConfiguredRules, Descriptor, HandleSettings, Handles, Mode, PolicyMode,
    ProgramSettings, Programs, ResultSettings, Results, Schedule, ScheduleSettings, Services,
    Telemetry, Workspace, WorkspaceError, WorkspaceSettings,
};

/// Makes this executable the launcher, when it is the first argument.
pub(crate) const LAUNCHER_ARGUMENT: &str = "__launcher";
/// Makes this executable a worker, when it is the first argument.
pub(crate) const WORKER_ARGUMENT: &str = "__worker";
/// Where programs are looked for without a `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Bytes that a token of a language model stands for, about.
const BYTES_PER_TOKEN: usize = 4;

/// What the tools work with. Must be called within a runtime.
///
/// # Errors
/// When the workspace or the workers' settings can't be used.
pub(crate) fn services(config: &Config, engine: Engine) -> anyhow::Result<Arc<Services>> {
    let Config {
        workspace,
        execution,
        workers,
        sessions,
        limits,
        results,
        data,
        tools,
        server: _,
        http: _,
        sandbox: _,
        log: _,
    } = config;
    let triage_rules = workspace.triage_rules.clone().map(ConfiguredRules::new);
    let root = workspace_root(workspace.path.clone())?;
    let workspace = opened(workspace, root)?;
    Ok(Arc::new(Services {
        workers: pool(&engine, workers)?,
        sessions: SessionPool::start(&engine, session_settings(*sessions)),
        engine,
        workspace,
        programs: programs(tools),
        schedule: Schedule::start(schedule_settings(execution, data)),
        batches: Arc::new(Batches::new(data_dir(data))),
        handles: Arc::new(Handles::new(handle_settings(execution))),
        results: Arc::new(Results::new(&result_settings(*results, data))),
        telemetry: Telemetry::default(),
        limits: program_limits(limits),
        started: tokio::time::Instant::now(),
        default_timeout: execution.default_timeout,
        triage_rules,
        radare2_policy: PolicyMode::Enforced,
    }))
}

/// The directories that callers may name files in, with this one as the workspace.
///
/// # Errors
/// When one can't be opened.
pub(crate) fn opened(config: &WorkspaceConfig, root: PathBuf) -> Result<Workspace, WorkspaceError> {
    Workspace::open(&WorkspaceSettings {
        root,
        read_dirs: config.read_dirs.clone(),
        rule_dirs: config.rule_dirs.clone(),
    })
}

/// What clients are told about the tools under these settings.
///
/// # Errors
/// When the root directory can't be opened.
pub(crate) fn descriptors(config: &Config, engine: &Engine) -> anyhow::Result<Vec<Descriptor>> {
    // Nothing is called, so any directory does; this one always exists.
    let mut config = config.clone();
    config.workers.min = Bounded::new(0);
    config.workspace = WorkspaceConfig {
        path: Some(PathBuf::from("/")),
        read_dirs: Vec::new(),
        rule_dirs: Vec::new(),
        triage_rules: None,
    };
    let catalogue = Catalogue::new(services(&config, engine.clone())?);
    Ok(catalogue.descriptors().to_vec())
}

/// Waits until the launcher is up, before a command ends that did not need it:
/// one whose server is gone while it starts complains about that.
pub(crate) async fn retire(engine: Engine) {
    // What it found is of no interest here.
    engine.mechanisms().await.ok();
}

/// Looks for the external programs, in the directories of `PATH`.
pub(crate) fn programs(config: &ToolsConfig) -> Programs {
    let ToolsConfig {
        file,
        strings,
        binwalk,
        yara,
        radare2,
        ghidra,
    } = config;
    let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    Programs::new(ProgramSettings {
        file: file.program.clone(),
        strings: strings.program.clone(),
        binwalk: binwalk.program.clone(),
        yara: yara.program.clone(),
        radare2: radare2.program.clone(),
        ghidra: ghidra.install_dir.clone(),
        search: std::env::split_paths(&path).collect(),
    })
}

/// Starts the execution engine.
///
/// # Errors
/// When the launcher can't be started.
pub(crate) fn engine(config: &Config) -> anyhow::Result<Engine> {
    let SandboxConfig {
        mode,
        containment,
        read,
        scratch_dir,
    } = config.sandbox.clone();
    let launcher = std::env::current_exe().context("failed to find this executable")?;
    let mut engine = EngineConfig::new(launcher, scratch_dir);
    engine.launcher_args = vec![OsString::from(LAUNCHER_ARGUMENT)];
    engine.sandbox = mode;
    engine.containment = containment;
    engine.max_in_flight = count(config.execution.max_subprocesses.get());
    // Sessions have places of their own.
    engine.max_workers += count(config.sessions.max.get()).get();
    engine.readable.extend(read);
    Ok(Engine::start(engine)?)
}

/// Starts the workers of the embedded engines; they come up by themselves.
///
/// # Errors
/// When the settings contradict each other.
pub(crate) fn pool(engine: &Engine, config: &WorkersConfig) -> anyhow::Result<WorkerPool> {
    let WorkersConfig {
        min,
        max,
        memory_mib,
        max_jobs,
    } = config;
    let program = std::env::current_exe().context("failed to find this executable")?;
    let mut pool = PoolConfig::new(program);
    pool.args = vec![OsString::from(WORKER_ARGUMENT)];
    pool.min = usize::try_from(min.get()).unwrap_or(usize::MAX);
    pool.max = match max {
        Some(max) => usize::try_from(max.get()).unwrap_or(usize::MAX),
        None => pool.max.max(pool.min),
    };
    pool.memory = memory_mib.get() << 20;
    pool.max_jobs = max_jobs.get();
    // Rules come with the job.
    pool.max_payload = 64 << 20;
    WorkerPool::start(engine, pool).context(
        "failed to start the workers (check `workers.min` and `workers.max` in the configuration)",
    )
}

/// How programs stay.
fn session_settings(sessions: SessionsConfig) -> SessionConfig {
    let SessionsConfig {
        max,
        memory_mib,
        idle_seconds,
    } = sessions;
    SessionConfig {
        max_sessions: count(max.get()).get(),
        max_memory: memory_mib.get() << 20,
        idle_after: Duration::from_secs(idle_seconds.get()),
        ..SessionConfig::default()
    }
}

/// How calls are scheduled.
fn schedule_settings(execution: &ExecutionConfig, data: &DataConfig) -> ScheduleSettings {
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    ScheduleSettings {
        mode: match execution.mode {
            ExecutionMode::Async => Mode::Async,
            ExecutionMode::Sync => Mode::Sync,
        },
        auto: execution.concurrency == Concurrency::Auto,
        max_concurrent: whole(execution.max_concurrent_requests.get()),
        queue: whole(execution.request_queue_size.get()),
        max_subprocesses: u32::try_from(execution.max_subprocesses.get()).unwrap_or(u32::MAX),
        longest_wait: Duration::from_secs(execution.longest_wait_seconds.get()),
        costs_file: data_dir(data).map(|directory| directory.join("costs.json")),
    }
}

/// How calls are handed out that take long.
fn handle_settings(execution: &ExecutionConfig) -> HandleSettings {
    HandleSettings {
        inline: Some(Duration::from_secs(execution.inline_seconds.get())),
        kept: Duration::from_secs(execution.result_minutes.get() * 60),
    }
}

/// How results are kept.
fn result_settings(results: ResultsConfig, data: &DataConfig) -> ResultSettings {
    let ResultsConfig {
        budget_tokens,
        artifacts_mib,
        artifact_hours,
        cache_memory_mib,
        cache_disk_mib,
    } = results;
    let tokens = usize::try_from(budget_tokens.get()).unwrap_or(usize::MAX);
    ResultSettings {
        budget: (tokens > 0).then(|| tokens.saturating_mul(BYTES_PER_TOKEN)),
        directory: data_dir(data),
        artifact_bytes: artifacts_mib.get() << 20,
        artifact_age: Duration::from_secs(artifact_hours.get() * 3600),
        memory_bytes: cache_memory_mib.get() << 20,
        disk_bytes: cache_disk_mib.get() << 20,
    }
}

/// Where things are kept between runs; `None` where there is no such place.
pub(crate) fn data_dir(data: &DataConfig) -> Option<PathBuf> {
    let of_user = || {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let base = variable("XDG_DATA_HOME")
            .map(PathBuf::from)
            .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local/share")))?;
        base.is_absolute().then(|| base.join("reversecore"))
    };
    data.dir.clone().or_else(of_user)
}

/// What one run of an external program may use.
fn program_limits(config: &LimitsConfig) -> Limits {
    let LimitsConfig {
        memory_mib,
        cpu_seconds,
        processes,
        open_files,
        file_size_mib,
        scratch_mib,
        scratch_files,
    } = config;
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Limits {
        memory: memory_mib.get() << 20,
        cpu: cpu_seconds.map(|seconds| Duration::from_secs(seconds.get())),
        processes: small(processes.get()),
        open_files: small(open_files.get()),
        file_size: file_size_mib.get() << 20,
        scratch_bytes: scratch_mib.get() << 20,
        scratch_files: small(scratch_files.get()),
        ..Limits::default()
    }
}

/// A number that the configuration bounds from below by 1.
fn count(number: u64) -> NonZeroUsize {
    usize::try_from(number)
        .ok()
        .and_then(NonZeroUsize::new)
        .unwrap_or(NonZeroUsize::MIN)
}

/// The workspace, or the current directory. The root of the file system is not
/// taken by accident: some clients start their servers there.
fn workspace_root(configured: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(path) = configured {
        return Ok(path);
    }
    let current = std::env::current_dir().context("failed to find the current directory")?;
    if current.parent().is_none() {
        bail!(
            "no workspace is set, and the current directory is `/` (name the directory whose files may be read with --workspace, REVERSECORE_WORKSPACE or `workspace.path`)"
        );
    }
    Ok(current)
}
