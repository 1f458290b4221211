//! The measurements, each returning its rows of the table.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use reversecore_testkit::processes::{children_of, resident_bytes};
use reversecore_testkit::samples::Workspace;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::baseline;
use crate::client::Client;
use crate::server::{HttpServer, StdioServer, call};
use crate::statistics::{Row, median, milliseconds, percentile};

const STARTS: usize = 20;
const IN_FLIGHT: usize = 100;
const ROUNDS: usize = 7;
const CALLS_PER_ROUND: usize = 600;
const TRIVIAL_CALLS: usize = 2000;
const MEBIBYTE: f64 = 1_048_576.0;

/// Start of `serve` over stdio to the answer to `initialize`.
pub(crate) async fn starts(workspace: &Path) -> Vec<Row> {
    // The first one reads the program from the disk.
    StdioServer::start(workspace).await.0.stop().await;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let (server, time) = StdioServer::start(workspace).await;
        times.push(milliseconds(time));
        server.stop().await;
    }
    vec![
        Row::at_most(
            "start to `initialize`, median of 20",
            median(&times),
            10.0,
            "ms",
        ),
        Row::at_most(
            "start to `initialize`, worst of 20",
            percentile(&times, 1.0),
            25.0,
            "ms",
        ),
    ]
}

/// The catalogue's size, and what an idle server holds.
pub(crate) async fn at_rest(workspace: &Path) -> Vec<Row> {
    let (mut server, _) = StdioServer::start(workspace).await;
    let list = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/list"});
    let answer: Value = serde_json::from_str(&server.request(&list).await).unwrap();
    let tools = answer["result"]["tools"].as_array().unwrap().len();
    let bytes = answer["result"].to_string().len();
    let over_stdio = resident(server.pid());
    let others: f64 = children_of(server.pid()).into_iter().map(resident).sum();
    server.stop().await;

    let http = HttpServer::start(workspace).await;
    Client::connect(http.address).await;
    let over_http = resident(http.pid());
    let kibibytes = u32::try_from(bytes).map_or(f64::INFINITY, f64::from) / 1024.0;
    vec![
        Row::at_most(
            "idle RSS of the main process, stdio",
            over_stdio,
            20.0,
            "MiB",
        ),
        Row::at_most("idle RSS of the main process, HTTP", over_http, 20.0, "MiB"),
        Row::note("RSS of its helper processes", format!("{others:.2} MiB")),
        Row::at_most(
            &format!("`tools/list`, {tools} tools"),
            kibibytes,
            16.0,
            "KiB",
        ),
    ]
}

/// One connection, one call at a time, of a tool that does next to nothing.
pub(crate) async fn latency(workspace: &Path) -> Vec<Row> {
    let server = HttpServer::start(workspace).await;
    let mut client = Client::connect(server.address).await;
    let request = call("get_server_health", &json!({}));
    let mut times = Vec::new();
    let mut events = 0;
    for _ in 0..TRIVIAL_CALLS {
        let started = Instant::now();
        let reply = client.request(&request).await;
        times.push(milliseconds(started.elapsed()));
        assert!(reply.success(), "{}", String::from_utf8_lossy(&reply.body));
        events += usize::from(reply.events);
    }
    vec![
        Row::note(
            "trivial call, one connection, P50",
            format!(
                "{:.3} ms ({events} of {TRIVIAL_CALLS} as events)",
                median(&times)
            ),
        ),
        Row::at_most(
            "trivial call, one connection, P95",
            percentile(&times, 0.95),
            1.0,
            "ms",
        ),
    ]
}

/// `run_strings` over HTTP against bare runs of `strings`, in turns. Returns
/// the number of failed calls too.
pub(crate) async fn throughput(workspace: &Workspace) -> (Vec<Row>, usize) {
    let server = HttpServer::start(workspace.path()).await;
    let mut clients = Vec::new();
    for _ in 0..IN_FLIGHT {
        clients.push(Client::connect(server.address).await);
    }
    let file = workspace.join("ls");
    let (mut bare, mut served) = (Vec::new(), Vec::new());
    let mut errors = 0;
    let mut last_error = String::new();
    // Round 0 warms both up.
    for round in 0..=ROUNDS {
        let started = Instant::now();
        assert_eq!(
            baseline::strings(&file, CALLS_PER_ROUND, IN_FLIGHT).await,
            0
        );
        let bare_rate = rate(started);

        let started = Instant::now();
        let (back, failed) = serve_round(clients).await;
        let served_rate = rate(started);
        clients = back;
        errors += failed.len();
        last_error = failed.into_iter().next_back().unwrap_or(last_error);
        if round > 0 {
            bare.push(bare_rate);
            served.push(served_rate);
        }
    }
    let ratios: Vec<f64> = served.iter().zip(&bare).map(|(s, b)| s / b).collect();
    let per_second = |rates: &[f64]| {
        format!(
            "{:.0}/s ({:.0} to {:.0})",
            median(rates),
            percentile(rates, 0.0),
            percentile(rates, 1.0)
        )
    };
    let mut rows = vec![
        Row::note(
            "`strings`, bare tokio::process, 100 in flight",
            per_second(&bare),
        ),
        Row::note(
            "`run_strings` over HTTP through `strings`, 100 in flight",
            per_second(&served),
        ),
        Row::at_least("ratio of the two, median of rounds", median(&ratios), 0.75),
        Row::at_most(
            "failed calls",
            u32::try_from(errors).map_or(f64::INFINITY, f64::from),
            0.0,
            "",
        ),
        Row::note(
            "RSS of the main process after that",
            format!("{:.1} MiB", resident(server.pid())),
        ),
    ];
    if !last_error.is_empty() {
        rows.push(Row::note("the last failure", last_error));
    }
    (rows, errors)
}

/// One round of calls, shared by all clients; returns them and the failures.
async fn serve_round(clients: Vec<Client>) -> (Vec<Client>, Vec<String>) {
    let left = Arc::new(AtomicUsize::new(CALLS_PER_ROUND));
    let mut tasks = JoinSet::new();
    for (number, mut client) in clients.into_iter().enumerate() {
        let left = Arc::clone(&left);
        tasks.spawn(async move {
            // Equal calls would share a run, or have a remembered result.
            let request = call(
                "run_strings",
                &json!({"file_path": "ls", "engine": "external", "timeout": 100 + number, "cache": "bypass"}),
            );
            let mut failed = Vec::new();
            while baseline::take(&left) {
                let reply = client.request(&request).await;
                if !reply.success() {
                    let start = &reply.body[..reply.body.len().min(300)];
                    failed.push(String::from_utf8_lossy(start).replace(['\n', '|'], " "));
                }
            }
            (client, failed)
        });
    }
    let (clients, failed): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().unzip();
    (clients, failed.into_iter().flatten().collect())
}

fn rate(started: Instant) -> f64 {
    u32::try_from(CALLS_PER_ROUND).map_or(f64::INFINITY, f64::from)
        / started.elapsed().as_secs_f64()
}

/// Resident memory in MiB.
fn resident(pid: u32) -> f64 {
    let kibibytes = resident_bytes(pid).unwrap_or(0) / 1024;
    u32::try_from(kibibytes).map_or(f64::INFINITY, f64::from) * 1024.0 / MEBIBYTE
}
