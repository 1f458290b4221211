//! A run can be made to stand still, with all that it has started, and to go on;
//! and it ends as promptly as another when it stands still.

use reversecore_exec::{Event, Outcome, Running};
use reversecore_testkit::processes;
use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

use crate::support::{assert_gone, every_rung, hostile, mark, milliseconds, times};

async fn output(running: &mut Running) {
    while !matches!(running.next().await.unwrap().unwrap(), Event::Stdout(_)) {}
}

/// Waits until what has this mark uses no CPU time, or until it uses some.
pub(crate) fn assert_still(mark: &str, still: bool, case: &str) {
    let (held, seen) = if still {
        ("goes on", block_in_place(|| processes::stand_still(mark)))
    } else {
        ("stands still", block_in_place(|| processes::go_on(mark)))
    };
    assert!(seen, "{case}: it {held}");
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
            assert_still(&mark, false, &case);
            hold.send_replace(true);
            assert_still(&mark, true, &case);
            hold.send_replace(false);
            assert_still(&mark, false, &case);
            hold.send_replace(true);
            assert_still(&mark, true, &case);
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
