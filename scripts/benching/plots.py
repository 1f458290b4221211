"""Which diagrams there are, from what was measured."""

from plot import Axis, Line, draw

NAMES = {"embedded": "embedded engine", "program": "program strings"}
MODES = {"async": "as many as fit", "sync": "one at a time"}


def size(value):
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "KB")):
        if value >= limit:
            return f"{value / limit:g} {unit}"
    return f"{value:g} B"


def under_load(points, title, label, field, machine):
    lines = [Line(f"{NAMES[workload]}, {said}", [(each["in_flight"], each[mode][field]) for each in points if each["workload"] == workload],
                  colour, dash)
             for colour, workload in enumerate(NAMES) for dash, (mode, said) in enumerate(MODES.items())]
    return draw(title, f"run_strings on distinct files of 150 KB over HTTP; {machine}", Axis("calls in flight", log=True, write=lambda value: f"{value:,.0f}"),
                Axis(label, log=True), lines)


def cost(points, machine):
    lines = [Line(f"{said}, {which}", [(each["bytes"], each[who][field]) for each in points if who in each], colour, dash)
             for colour, (who, said) in enumerate({"ours": "run_strings, a call", "gnu": "GNU strings, a run"}.items())
             for dash, (field, which) in enumerate({"wall_ms": "time", "cpu_ms": "CPU time"}.items())]
    return draw("Cost of a call by the size of the file", f"one call at a time over HTTP, embedded engine; {machine}",
                Axis("size of the file", log=True, write=size), Axis("milliseconds", log=True), lines)


def memory(samples, machine):
    parts = {"idle": "at rest", "load": "100 calls in flight", "after": "after the load"}
    lines = []
    for colour, (part, said) in enumerate(parts.items()):
        points = [(each["t"], each["rss_mib"]) for each in samples if each["part"] == part]
        # A line begins where the one before it ends.
        if lines and points and lines[-1].points:
            points.insert(0, lines[-1].points[-1])
        lines.append(Line(said, points, colour))
    return draw("Memory of all the server's processes", f"run_strings on distinct files of 150 KB; {machine}", Axis("seconds"), Axis("MiB"), lines)


def soak(samples, machine):
    """Of a long run with a mixed load: the samples that scripts/soak writes."""
    return draw("Memory of all the server's processes, a long mixed load", machine, Axis("minutes"), Axis("MiB"),
                [Line("resident memory", [(each["t"] / 60, each["rss_mib"]) for each in samples])])


def every(found):
    """File names and SVGs of what was measured."""
    about = found["machine"]
    machine = f"{about['cores']} cores, {about['processor']}, {about['date'][:10]}"
    drawn = {}
    if found.get("concurrency"):
        drawn["throughput.svg"] = under_load(found["concurrency"], "Throughput by calls in flight", "calls a second", "per_second", machine)
        drawn["latency.svg"] = under_load(found["concurrency"], "P95 by calls in flight", "milliseconds", "p95", machine)
    if found.get("sizes"):
        drawn["cost.svg"] = cost(found["sizes"], machine)
    if found.get("memory"):
        drawn["memory.svg"] = memory(found["memory"], machine)
    if found.get("soak"):
        drawn["soak.svg"] = soak(found["soak"], machine)
    return {name: svg for name, svg in drawn.items() if svg}
