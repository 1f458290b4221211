"""What the benchmarks of the repository don't measure: a server at 1 to 1,000 calls in flight,
one call at a time beside as many as fit; and its memory before, during and after a load."""

import json
import statistics
import time

from benching.workspace import workspace
from measuring import distinct, resident, server, start

IN_FLIGHT = [1, 3, 10, 30, 100, 300, 1000]
SIZE = 150_000
# Room for all calls in flight: what is measured is waiting, not refusals.
ROOM = "[http]\nmax_connections = 4096\n[execution]\nrequest_queue_size = 4096\n"
WORKLOADS = {"embedded": {}, "program": {"engine": "external"}}
# How long an answer may take when its run is over.
LATE = 60
# What two equal servers differ by from run to run.
ALIKE = 0.95


def load(options, port, arguments, files, **more):
    """One load; its client is ended when it does not end."""
    client = start(options, port, "run_strings", {"file_path": "{file}", **arguments}, files, **more)
    try:
        out, _ = client.communicate(timeout=more.get("duration", 0) + LATE)
        return json.loads(out)
    finally:
        if client.poll() is None:
            client.kill()
            client.wait()


def sync(settings):
    return settings.replace("[execution]\n", '[execution]\nmode = "sync"\n')


def against_concurrency(options, rounds, seconds, say):
    """Points: workload, in flight, and for each mode the medians of the rounds."""
    points = []
    with workspace() as place:
        files = distinct(place, "file", 200, SIZE)
        with server(options, place, ROOM) as one, server(options, place, sync(ROOM)) as other:
            ports = {"async": one, "sync": other}
            for workload, arguments in WORKLOADS.items():
                for port, _ in ports.values():
                    load(options, port, arguments, files, concurrency=10, duration=1)
                for in_flight in IN_FLIGHT:
                    say(f"load, {workload}, {in_flight} in flight")
                    found = {mode: [] for mode in ports}
                    # In turns, so that both see the same machine.
                    for _ in range(rounds):
                        for mode, (port, pid) in ports.items():
                            found[mode].append(load(options, port, arguments, files, concurrency=in_flight,
                                                    duration=seconds, pid=pid))
                    points.append(point(workload, in_flight, found))
    return points


def point(workload, in_flight, found):
    pairs = list(zip(found["async"], found["sync"]))
    one = {"workload": workload, "in_flight": in_flight,
           "ratio": statistics.median(a["per_second"] / b["per_second"] for a, b in pairs)}
    for mode, reports in found.items():
        rates = [report["per_second"] for report in reports]
        one[mode] = {
            "per_second": statistics.median(rates), "least": min(rates), "most": max(rates),
            **{name: statistics.median(report["latency"][name] for report in reports) for name in ("p50", "p95", "p99")},
            "cpu_ms": statistics.median(report["cpu_ms_per_call"] for report in reports),
            "peak_mib": max(report["rss_peak_mib"] for report in reports),
            "errors": sum(sum(report["errors"].values()) for report in reports),
        }
    return one


def concurrency_table(points, workload):
    rows = []
    for each in points:
        if each["workload"] == workload:
            a, b = each["async"], each["sync"]
            rows.append([f"{each['in_flight']:,}", f"{a['per_second']:,.0f}", f"{a['least']:,.0f} to {a['most']:,.0f}", f"{a['p95']:.2f}",
                         f"{a['p99']:.2f}", f"{b['per_second']:,.0f}", f"{b['p95']:.2f}", f"{each['ratio']:.2f}",
                         f"{a['cpu_ms'] / max(b['cpu_ms'], 1e-9):.2f}", str(a["errors"] + b["errors"])])
    return {"columns": ["in flight", "calls/s", "least to most", "P95, ms", "P99, ms", "one at a time: calls/s", "P95, ms of these",
                        "times the calls/s", "times the CPU a call", "errors"], "rows": rows}


def met(held):
    return "yes" if held else "**no**"


def roadmap(points):
    """What was asked for from the start, and what was hoped for, of the same load."""
    at = {(each["workload"], each["in_flight"]): each for each in points}
    rows = []

    def row(what, value, shown, asked, held):
        rows.append([what, shown.format(value), asked, met(held(value))])

    for workload, said in (("program", "through the program `strings`"), ("embedded", "by the embedded engine")):
        now = at[workload, 100]["async"]
        name = f"100 in flight, `run_strings` {said}"
        row(f"{name}: calls/s", now["per_second"], "{:,.0f}", ">= 100", lambda value: value >= 100)
        row(f"{name}: P95", now["p95"], "{:.1f} ms", "<= 500 ms", lambda value: value <= 500)
    now = at["embedded", 100]["async"]
    row("the goal, by the embedded engine: calls/s", now["per_second"], "{:,.0f}", ">= 6,000", lambda value: value >= 6000)
    row("the goal, by the embedded engine: P95", now["p95"], "{:.1f} ms", "<= 25 ms", lambda value: value <= 25)
    for workload, said in (("program", "the program"), ("embedded", "the embedded engine")):
        both = at[workload, 100]
        row(f"100 in flight, {said}: memory, of one at a time", both["async"]["peak_mib"] / both["sync"]["peak_mib"],
            "{:.2f}x", "< 2x", lambda value: value < 2)
        row(f"100 in flight, {said}: CPU a call, of one at a time", both["async"]["cpu_ms"] / max(both["sync"]["cpu_ms"], 1e-9),
            "{:.2f}x", "< 1.5x", lambda value: value < 1.5)
        worst = min((each for each in points if each["workload"] == workload), key=lambda each: each["ratio"])
        row(f"{said}: calls/s of one at a time, the least (at {worst['in_flight']:,} in flight)", worst["ratio"], "{:.2f}x",
            ">= 1x (0.95x for noise)", lambda value: value >= ALIKE)
    errors = sum(each[mode]["errors"] for each in points for mode in ("async", "sync"))
    row("failed calls of all these", errors, "{}", "0", lambda value: value == 0)
    return {"columns": ["what", "measured", "asked", "met"], "rows": rows}


def against_time(options, before, during, after, say):
    """Samples of the memory of all the server's processes: seconds, MiB, and which part it was."""
    say("memory, before, during and after a load")
    samples = []

    def sample(part, until):
        while time.monotonic() < until:
            samples.append({"t": round(time.monotonic() - began, 2), "rss_mib": round(resident(pid), 2), "part": part})
            time.sleep(0.25)

    with workspace() as place:
        files = distinct(place, "file", 200, SIZE)
        with server(options, place, ROOM) as (port, pid):
            began = time.monotonic()
            sample("idle", began + before)
            client = start(options, port, "run_strings", {"file_path": "{file}"}, files, concurrency=100, duration=during)
            try:
                sample("load", time.monotonic() + during)
                client.communicate(timeout=LATE)
            finally:
                if client.poll() is None:
                    client.kill()
                    client.wait()
            sample("after", time.monotonic() + after)
    return samples


def memory_table(samples):
    of = {part: [each["rss_mib"] for each in samples if each["part"] == part] for part in ("idle", "load", "after")}
    idle, most, last = statistics.median(of["idle"]), max(of["load"]), of["after"][-1]
    end = next((each["t"] for each in samples if each["part"] == "after"), 0)
    back = next((each["t"] - end for each in samples if each["part"] == "after" and each["rss_mib"] <= 1.1 * idle), None)
    rows = [
        ["memory of all processes, at rest", f"{idle:.1f} MiB", "-", "-"],
        ["the most with 100 calls in flight, of that", f"{most / idle:.2f}x ({most:.1f} MiB)", "< 2x", met(most < 2 * idle)],
        [f"at the end, {samples[-1]['t'] - end:.0f} s after the load, of that", f"{last / idle:.2f}x ({last:.1f} MiB)", "<= 1.1x",
         met(last <= 1.1 * idle)],
    ]
    if back is not None:
        rows.append(["it is back at 1.1x after", f"{back:.1f} s", "<= 60 s", met(back <= 60)])
    return {"columns": ["what", "measured", "asked", "met"], "rows": rows}
