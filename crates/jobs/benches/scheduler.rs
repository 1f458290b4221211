//! What the scheduler costs a job, by the length of the queue.
//!
//! ```text
//! cargo bench -p reversecore-jobs --bench scheduler
//! ```
//!
//! One client after the other submits its jobs; then they are run to the last,
//! each for no time at all. Prints a Markdown table.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that can't run has nothing to report"
)]

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use reversecore_jobs::{
    Capacity, Client, Cost, Ending, JobSpec, Lane, Patience, Refused, Running, Scheduler,
    SchedulerConfig, Used,
};
use tokio::task::unconstrained;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const CLIENTS: usize = 100;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    println!("| jobs queued | submit, µs a job | start and end, µs a job | in all, s |");
    println!("|---|---|---|---|");
    runtime.block_on(async {
        for jobs in [10, 100, 1_000, 10_000, 100_000, 1_000_000] {
            round(jobs);
        }
    });
}

type Waiting = Pin<Box<dyn Future<Output = Result<Running, Refused>>>>;

fn round(jobs: usize) {
    let scheduler = Scheduler::start(SchedulerConfig {
        capacity: Capacity {
            slots: 10,
            reserved: 2,
            processors: 2,
            memory: 1 << 30,
            subprocesses: 5,
        },
        queue: jobs,
        patience: Patience::default(),
        history: 1000,
    });
    let never = CancellationToken::new();
    let names: Vec<Client> = (0..CLIENTS)
        .map(|number| Client::new(format!("client {number}")))
        .collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut running: Vec<Running> = Vec::new();
    let mut waiting: Vec<Option<Waiting>> = Vec::with_capacity(jobs);

    let started = Instant::now();
    for number in 0..jobs {
        let client = names[number % CLIENTS].clone();
        let mut spec = JobSpec::new("bench", client, Cost::light());
        spec.lane = Lane::ALL[number % 3];
        spec.cost.cpu = Duration::from_millis(1 + (number % 7) as u64);
        let (scheduler, never) = (scheduler.clone(), never.clone());
        let mut admitted: Waiting =
            Box::pin(unconstrained(
                async move { scheduler.admit(spec, &never).await },
            ));
        match admitted.as_mut().poll(&mut context) {
            Poll::Ready(admitted) => running.push(admitted.unwrap()),
            Poll::Pending => waiting.push(Some(admitted)),
        }
    }
    let submitted = started.elapsed();
    // A job that ends starts another; which one is found by asking all, which
    // is not the scheduler's affair and not measured. Its events say which.
    let mut events = scheduler.events();
    let first = running.len();
    let mut spent = Duration::ZERO;
    let mut done = 0;
    while let Some(ending) = running.pop() {
        let before = Instant::now();
        ending.end(Ending::Succeeded, Used::default());
        spent += before.elapsed();
        done += 1;
        while let Ok(event) = events.try_recv() {
            if !matches!(event.what, reversecore_jobs::What::Started { .. }) {
                continue;
            }
            // The first ones never waited.
            let place = usize::try_from(event.id.0).unwrap() - 1 - first;
            let mut admitted = waiting[place].take().unwrap();
            match admitted.as_mut().poll(&mut context) {
                Poll::Ready(admitted) => running.push(admitted.unwrap()),
                Poll::Pending => panic!("a started job has not been told"),
            }
        }
    }
    assert_eq!(done, jobs);
    let each = |time: Duration| time.as_secs_f64() * 1e6 / jobs as f64;
    println!(
        "| {jobs} | {:.2} | {:.2} | {:.2} |",
        each(submitted),
        each(spent),
        started.elapsed().as_secs_f64()
    );
}
