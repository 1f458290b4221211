//! What a run costs: `/bin/true` with captured output through this engine, bare
//! `tokio::process`, and two crates that contain process trees, side by side.
//!
//! ```text
//! cargo bench -p reversecore-exec --bench spawn [-- --rounds 7]
//! ```
//!
//! `process-wrap` alone only makes a process group: no limit, no hold on a child
//! that leaves the group, nothing when the server is killed. So it stands here
//! twice: as it comes, and with the engine's resource limits and parent-death
//! signal added by the hook that it offers for this (it still does not hold a
//! child that calls `setsid`).
//!
//! The contenders take turns in every round, so that a noisy moment hits all of
//! them; a ratio is taken within a round, and its median printed.

#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use process_wrap::tokio::{CommandWrap, KillOnDrop, ProcessGroup};
use reversecore_exec::{Command, Engine, EngineConfig, SandboxMode};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const PROGRAM: &str = "/bin/true";
const IN_FLIGHT: [usize; 3] = [1, 10, 100];

#[derive(Clone)]
enum Contender {
    Bare,
    Engine(&'static str, Arc<Engine>),
    ProcessKit,
    ProcessWrap { limits: bool },
}

impl Contender {
    fn name(&self) -> &str {
        match self {
            Self::Bare => "bare tokio::process",
            Self::Engine(name, _) => name,
            Self::ProcessKit => "processkit",
            Self::ProcessWrap { limits: false } => "process-wrap, group only",
            Self::ProcessWrap { limits: true } => "process-wrap, group and limits",
        }
    }

    async fn run_once(&self) {
        match self {
            Self::Bare => {
                #[expect(clippy::disallowed_methods, reason = "the baseline of the comparison")]
                let output = tokio::process::Command::new(PROGRAM).output().await;
                assert!(output.expect("/bin/true runs").status.success());
            }
            Self::Engine(_, engine) => {
                let finished = engine
                    .run(Command::new(PROGRAM), &CancellationToken::new())
                    .await
                    .expect("/bin/true runs");
                assert!(finished.success(), "{finished:?}");
            }
            Self::ProcessKit => {
                processkit::Command::new(PROGRAM)
                    .run()
                    .await
                    .expect("/bin/true runs");
            }
            Self::ProcessWrap { limits } => {
                let mut child = CommandWrap::with_new(PROGRAM, |command| {
                    if *limits {
                        // SAFETY: plain system calls, allowed after a fork.
                        unsafe { command.pre_exec(set_limits) };
                    }
                    command
                        .stdin(std::process::Stdio::null())
                        .stdout(std::process::Stdio::piped())
                        .stderr(std::process::Stdio::piped());
                })
                .wrap(ProcessGroup::leader())
                .wrap(KillOnDrop)
                .spawn()
                .expect("/bin/true runs");
                let mut stdout = child.stdout().take().expect("it was piped");
                let mut stderr = child.stderr().take().expect("it was piped");
                let (mut out, mut err) = (Vec::new(), Vec::new());
                let (status, _, _) = tokio::join!(
                    child.wait(),
                    tokio::io::AsyncReadExt::read_to_end(&mut stdout, &mut out),
                    tokio::io::AsyncReadExt::read_to_end(&mut stderr, &mut err),
                );
                assert!(status.expect("it ends").success());
            }
        }
    }

    /// Runs a second.
    async fn rate(&self, in_flight: usize, runs: usize) -> f64 {
        let start = Instant::now();
        stream::iter(0..runs)
            .map(|_| {
                let contender = self.clone();
                let task: tokio::task::JoinHandle<()> = tokio::runtime::Handle::current()
                    .spawn(async move { contender.run_once().await });
                task
            })
            .buffer_unordered(in_flight)
            .for_each(|result| async move { result.expect("no run panics") })
            .await;
        runs as f64 / start.elapsed().as_secs_f64()
    }
}

/// What the engine sets for every run with its sandbox off.
fn set_limits() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    for (resource, limit) in [
        (Resource::Core, 0),
        (Resource::Nofile, 256),
        (Resource::Fsize, 1 << 30),
        (Resource::Data, 4 << 30),
    ] {
        let ceiling = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limit = Some(ceiling.min(limit));
        let (current, maximum) = (limit, limit);
        setrlimit(resource, Rlimit { current, maximum })?;
    }
    Ok(())
}

fn engine(name: &'static str, directory: &Path, sandbox: SandboxMode) -> Contender {
    let launcher = env!("CARGO_BIN_EXE_reversecore-launcher");
    let mut config = EngineConfig::new(launcher, directory);
    config.sandbox = sandbox;
    config.max_in_flight = NonZeroUsize::new(100).expect("100 is not zero");
    let engine = Engine::start(config).expect("the launcher starts");
    Contender::Engine(name, Arc::new(engine))
}

/// CPU time that this process and all that it started have used, ended ones
/// included once they were waited for; in seconds.
fn cpu_seconds() -> f64 {
    let mut todo = vec![std::process::id()];
    let mut ticks = 0;
    while let Some(pid) = todo.pop() {
        todo.extend(reversecore_testkit::processes::children_of(pid));
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        // utime, stime, cutime, cstime
        ticks += fields
            .skip(11)
            .take(4)
            .flat_map(str::parse::<u64>)
            .sum::<u64>();
    }
    ticks as f64 / 100.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let rounds = arguments
        .iter()
        .position(|argument| argument == "--rounds")
        .and_then(|place| arguments.get(place + 1)?.parse().ok())
        .unwrap_or(7);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        let contenders = [
            Contender::Bare,
            engine("engine, sandbox off", directory.path(), SandboxMode::Off),
            engine("engine, confined", directory.path(), SandboxMode::Auto),
            Contender::ProcessKit,
            Contender::ProcessWrap { limits: false },
            Contender::ProcessWrap { limits: true },
        ];
        for contender in &contenders {
            contender.rate(10, 50).await;
        }
        println!("`{PROGRAM}`, output captured; medians of {rounds} rounds\n");
        println!("| in flight | contender | runs/s | of bare | CPU µs a run |");
        println!("|---|---|---|---|---|");
        for in_flight in IN_FLIGHT {
            let runs = if in_flight == 1 { 400 } else { 1500 };
            let mut rates = vec![Vec::new(); contenders.len()];
            let mut ratios = vec![Vec::new(); contenders.len()];
            let mut cpu = vec![0.0; contenders.len()];
            for _ in 0..rounds {
                let mut bare = 0.0;
                for (place, contender) in contenders.iter().enumerate() {
                    let before = cpu_seconds();
                    let rate = contender.rate(in_flight, runs).await;
                    cpu[place] += (cpu_seconds() - before) / (runs * rounds) as f64;
                    if place == 0 {
                        bare = rate;
                    }
                    rates[place].push(rate);
                    ratios[place].push(rate / bare);
                    // Lets what the last one left running (reapers) come to rest.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            for (place, contender) in contenders.iter().enumerate() {
                println!(
                    "| {in_flight} | {} | {:.0} | {:.2} | {:.0} |",
                    contender.name(),
                    median(rates[place].clone()),
                    median(ratios[place].clone()),
                    cpu[place] * 1e6,
                );
            }
        }
    });
}
