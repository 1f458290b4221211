//! A run can be made to stand still, with all that it has started, and to go on;
//! and it ends as promptly as another when it stands still.

use std::time::Duration;

use reversecore_exec::{Event, Outcome, Running};
use reversecore_testkit::processes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::{assert_gone, every_rung, hostile, mark, milliseconds, times};

/// Between two looks at a process, some of the kernel's ticks.
const LOOK: Duration = Duration::from_millis(30);
/// So often the same, and it stands still.
const STILL: usize = 10;
const LOOKS: usize = 400;

async fn output(running: &mut Running) {
    while !matches!(running.next().await.unwrap().unwrap(), Event::Stdout(_)) {}
}

fn ticks(mark: &str) -> u64 {
    let all = processes::marked(mark);
    all.into_iter().filter_map(processes::cpu_ticks).sum()
}

/// Waits until the processes have used no CPU time for a while.
pub(crate) async fn stands_still(mark: &str, case: &str) {
    let (mut last, mut same) = (ticks(mark), 0);
    for _ in 0..LOOKS {
        tokio::time::sleep(LOOK).await;
        let now = ticks(mark);
        same = if now == last { same + 1 } else { 0 };
        last = now;
        if same == STILL {
            return;
        }
    }
    panic!("{case}: it goes on");
}

/// Waits until the processes have used some CPU time.
pub(crate) async fn goes_on(mark: &str, case: &str) {
    let first = ticks(mark);
    for _ in 0..LOOKS {
        tokio::time::sleep(LOOK).await;
        if ticks(mark) > first {
            return;
        }
    }
    panic!("{case}: it stands still");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_stands_still_goes_on_and_ends_on_every_rung() {
    for (rung, engine) in every_rung(|_| {}).await {
        for ignores_term in [false, true] {
            let case = format!("{rung}, ignores SIGTERM: {ignores_term}");
            let (mark, cancel, hold) =
                (mark(), CancellationToken::new(), watch::Sender::new(false));
            let mode = if ignores_term {
                "setsid-ignore-term"
            } else {
                "setsid"
            };
            let command = hostile(&["grandchild", mode, &mark])
                .limits(times(milliseconds(60_000), milliseconds(50)))
                .hold(Some(hold.subscribe()));
            let mut running = engine.engine.stream(command, cancel.clone());
            output(&mut running).await;
            // A process of its own that is busy, found by the same mark.
            let busy = hostile(&["spin", &mark]).hold(Some(hold.subscribe()));
            let spinning = engine.engine.stream(busy, cancel.clone());
            goes_on(&mark, &case).await;
            hold.send_replace(true);
            stands_still(&mark, &case).await;
            hold.send_replace(false);
            goes_on(&mark, &case).await;
            hold.send_replace(true);
            stands_still(&mark, &case).await;
            cancel.cancel();
            for mut each in [running, spinning] {
                loop {
                    if let Event::Exit(finished) = each.next().await.unwrap().unwrap() {
                        assert_eq!(finished.outcome, Outcome::Cancelled, "{case}");
                        break;
                    }
                }
            }
            assert_gone(&mark, &case);
        }
    }
}

#[tokio::test]
async fn a_hold_that_nobody_holds_any_more_holds_nothing() {
    for (_, engine) in every_rung(|_| {}).await {
        let hold = watch::Sender::new(false);
        let command = hostile(&["echo", "hello"]).hold(Some(hold.subscribe()));
        drop(hold);
        assert_eq!(engine.lines(command).await, ["hello"]);
    }
}
