//! Counting on a paused clock and on known distributions.

use super::*;

#[tokio::test(start_paused = true)]
async fn figures_of_a_known_distribution_are_right() {
    let telemetry = Telemetry::new();
    telemetry.expect_tools(["run_file", "run_strings"].into_iter());
    for milliseconds in 1..=100 {
        let record = Record::default();
        let mut call = telemetry.begin("run_file", &record);
        let (queued, ran) = (
            Duration::from_millis(7),
            Duration::from_millis(milliseconds),
        );
        tokio::time::advance(queued + ran).await;
        call.took(queued, ran);
        call.succeeded(Coverage::Complete);
    }
    let [metrics] = &telemetry.metrics(Some("run_file"))[..] else {
        panic!("one tool was asked for")
    };
    assert_eq!((metrics.calls, metrics.errors.len()), (100, 0));
    assert_eq!(metrics.total_ms, 5050.0);
    assert_eq!((metrics.min_ms, metrics.max_ms), (Some(1.0), Some(100.0)));
    assert_eq!(metrics.avg_ms, Some(50.5));
    for (value, exact) in [
        (metrics.p50_ms, 50.0),
        (metrics.p95_ms, 95.0),
        (metrics.p99_ms, 99.0),
    ] {
        let value = value.unwrap();
        assert!((value - exact).abs() <= exact * 0.01, "{value} {exact}");
    }
    assert_eq!(telemetry.metrics(None).len(), 2);
    let [never] = &telemetry.metrics(Some("run_strings"))[..] else {
        panic!("one tool was asked for")
    };
    assert_eq!((never.calls, never.min_ms, never.p99_ms), (0, None, None));
}

#[tokio::test(start_paused = true)]
async fn each_ending_is_counted_once_under_its_code() {
    let telemetry = Telemetry::new();
    let record = Record::default();
    drop(telemetry.begin("run_yara", &record));
    telemetry
        .begin("run_yara", &record)
        .failed(&ToolError::new(ErrorCode::ParseError, "", ""));
    telemetry
        .begin("run_yara", &record)
        .succeeded(Coverage::TimedOut);
    telemetry
        .begin("run_yara", &record)
        .succeeded(Coverage::Truncated);
    let metrics = telemetry.metrics(None).remove(0);
    assert_eq!(metrics.calls, 4);
    assert_eq!(
        metrics.errors.into_iter().collect::<Vec<_>>(),
        [("CANCELLED", 1), ("PARSE_ERROR", 1), ("TIMEOUT", 1)]
    );
    let text = telemetry.encode();
    for line in [
        "reversecore_tool_calls_total{tool=\"run_yara\"} 4",
        "reversecore_tool_errors_total{tool=\"run_yara\",code=\"CANCELLED\"} 1",
        "reversecore_tool_duration_seconds_count{tool=\"run_yara\"} 4",
        "reversecore_tool_queue_seconds_count{tool=\"run_yara\"} 4",
        "reversecore_tool_calls_in_flight 0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn gauges_follow_what_is_in_progress() {
    let telemetry = Telemetry::new();
    let record = Record::default();
    let call = telemetry.begin("run_file", &record);
    assert!(
        telemetry
            .encode()
            .contains("reversecore_tool_calls_in_flight 1")
    );
    drop(call);
    assert!(
        telemetry
            .encode()
            .contains("reversecore_tool_calls_in_flight 0")
    );
}

#[tokio::test]
async fn the_schedulers_counts_are_read_when_they_are_asked_for() {
    use reversecore_jobs::{Client, Cost, Ending, JobSpec, Used};
    use tokio_util::sync::CancellationToken;

    let schedule = crate::schedule::Schedule::start(crate::schedule::ScheduleSettings::default());
    let telemetry = Telemetry::new();
    telemetry.watch(&schedule.scheduler);
    let spec = JobSpec::new("run_file", Client::new("a"), Cost::light());
    let never = CancellationToken::new();
    let running = schedule.scheduler.admit(spec, &never).await.unwrap();
    let text = telemetry.encode();
    for line in [
        "reversecore_jobs_running 1",
        "reversecore_jobs_slots 10",
        "reversecore_jobs_queued{lane=\"batch\"} 0",
        "reversecore_jobs_admitted_total{lane=\"normal\"} 1",
        "reversecore_jobs_pressure -1",
        "reversecore_jobs_wait_seconds_count{lane=\"normal\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    running.end(Ending::Succeeded, Used::default());
    let text = telemetry.encode();
    for line in [
        "reversecore_jobs_running 0",
        "reversecore_jobs_ended_total{ending=\"succeeded\"} 1",
        "reversecore_jobs_prediction_ratio_bucket{le=\"+Inf\",resource=\"wall\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
