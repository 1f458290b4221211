//! Counting on a paused clock and on known distributions.

use super::*;

#[tokio::test(start_paused = true)]
async fn figures_of_a_known_distribution_are_right() {
    let telemetry = Telemetry::new();
    telemetry.expect_tools(["run_file", "run_strings"].into_iter());
    for milliseconds in 1..=100 {
        let record = Record::default();
        let mut call = telemetry.begin("run_file", &record);
        tokio::time::advance(Duration::from_millis(7)).await;
        call.starts(Instant::now());
        tokio::time::advance(Duration::from_millis(milliseconds)).await;
        assert_eq!(call.queued(), Duration::from_millis(7));
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
        "reversecore_tool_calls_waiting 0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn gauges_follow_what_is_in_progress() {
    let telemetry = Telemetry::new();
    let record = Record::default();
    let call = telemetry.begin("run_file", &record);
    let waiting = telemetry.waiting();
    let text = telemetry.encode();
    assert!(text.contains("reversecore_tool_calls_in_flight 1"));
    assert!(text.contains("reversecore_tool_calls_waiting 1"));
    drop((call, waiting));
    assert!(
        telemetry
            .encode()
            .contains("reversecore_tool_calls_waiting 0")
    );
}
