//! What a job costs over its work: the round trip of an empty job through a
//! warm, confined worker, one at a time and several in flight, and the start
//! of a worker.
//!
//! `cargo bench -p reversecore-exec --bench worker [-- --jobs N]`. On a machine
//! that does other things as well, medians and CPU time say more than rates.

#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use reversecore_exec::{Engine, EngineConfig, Job, PoolConfig, WorkOutcome, WorkerPool};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

fn pool(engine: &Engine, workers: usize) -> WorkerPool {
    let mut config = PoolConfig::new(env!("CARGO_BIN_EXE_reversecore-test-worker"));
    config.args = vec!["benchmark".into()];
    config.min = workers;
    config.max = workers;
    config.max_jobs = u64::MAX;
    WorkerPool::start(engine, config).expect("a pool can be made")
}

async fn ready(pool: &WorkerPool, workers: usize) {
    while pool.stats().idle < workers {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn one(
    pool: &WorkerPool,
    never: &CancellationToken,
    payload: &'static str,
    file: Option<&File>,
) -> Duration {
    let files: Vec<OwnedFd> = file
        .map(|file| file.try_clone().expect("a descriptor is free").into())
        .into_iter()
        .collect();
    let job = Job {
        files,
        ..Job::new(payload)
    };
    let work = pool.run(job, never).await.expect("the pool works");
    assert!(matches!(work.outcome, WorkOutcome::Done(_)), "{work:?}");
    work.usage.user + work.usage.system
}

/// CPU time of this process so far.
fn own_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let jobs: usize = arguments
        .iter()
        .position(|argument| argument == "--jobs")
        .and_then(|place| arguments.get(place + 1)?.parse().ok())
        .unwrap_or(20_000);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(measure(directory.path(), jobs));
}

async fn measure(directory: &Path, jobs: usize) {
    let launcher = env!("CARGO_BIN_EXE_reversecore-launcher");
    let engine = Engine::start(EngineConfig::new(launcher, directory)).expect("it starts");
    engine.mechanisms().await.expect("it comes up");
    let never = CancellationToken::new();

    let mut starts = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        let pool = pool(&engine, 1);
        one(&pool, &never, "", None).await;
        starts.push(start.elapsed());
        pool.shut_down(Duration::ZERO).await;
    }
    starts.sort();
    println!("| start of a worker and its first job | median ms |");
    println!("|---|---|");
    println!("| of 20 starts | {:.2} |\n", starts[10].as_secs_f64() * 1e3);

    let file = File::open("/bin/ls").expect("it is on every machine");
    println!("| one at a time | median µs | P95 µs | CPU µs here | CPU µs worker |");
    println!("|---|---|---|---|---|");
    let single = pool(&engine, 1);
    ready(&single, 1).await;
    for (name, payload, file) in [("empty", "", None), ("file, mapped", "map", Some(&file))] {
        let measured = tokio::task::JoinSet::from_iter([{
            let (pool, never) = (single.clone(), never.clone());
            let file = file.map(|file| file.try_clone().expect("a descriptor is free"));
            async move {
                let mut times = Vec::with_capacity(jobs);
                let (mut worker, before) = (Duration::ZERO, own_cpu());
                for _ in 0..jobs {
                    let start = Instant::now();
                    worker += one(&pool, &never, payload, file.as_ref()).await;
                    times.push(start.elapsed());
                }
                (times, own_cpu().saturating_sub(before), worker)
            }
        }])
        .join_all()
        .await;
        for (mut times, here, worker) in measured {
            times.sort();
            let micros = |time: Duration| time.as_secs_f64() * 1e6;
            println!(
                "| {name} | {:.0} | {:.0} | {:.1} | {:.1} |",
                micros(times[jobs / 2]),
                micros(times[jobs * 95 / 100]),
                micros(here) / jobs as f64,
                micros(worker) / jobs as f64,
            );
        }
    }
    single.shut_down(Duration::ZERO).await;

    println!("\n| two workers, in flight | jobs/s | CPU µs here |");
    println!("|---|---|---|");
    let two = pool(&engine, 2);
    ready(&two, 2).await;
    for in_flight in [2, 10, 100] {
        let mut rates = Vec::new();
        let before = own_cpu();
        for _ in 0..5 {
            let start = Instant::now();
            stream::iter(0..jobs)
                .map(|_| one(&two, &never, "", None))
                .buffer_unordered(in_flight)
                .for_each(|_| async {})
                .await;
            rates.push(jobs as f64 / start.elapsed().as_secs_f64());
        }
        rates.sort_by(f64::total_cmp);
        let cpu = own_cpu().saturating_sub(before).as_secs_f64() * 1e6 / (5 * jobs) as f64;
        println!("| {in_flight} | {:.0} | {cpu:.1} |", rates[2]);
    }
    two.shut_down(Duration::ZERO).await;
}
