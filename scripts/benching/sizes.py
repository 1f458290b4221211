"""What a call costs by the size of its file: `run_strings` by the embedded engine, whole calls
of a running server, beside a run of GNU `strings` on the same file."""

import os
import resource
import shutil
import statistics
import subprocess
import time

from benching.curves import load
from benching.workspace import workspace
from measuring import server

SIZES = [10**power for power in range(3, 10)]
# Calls of a measurement: as many as fit in a second, but not fewer than these.
FEWEST = 3
# A program that takes longer than this is stuck.
PATIENCE = 300


def code(file, size):
    """Program code of this system, over and over where there is not enough of it."""
    sources = [path for path in sorted(os.scandir("/usr/bin"), key=lambda entry: entry.name)
               if path.is_file(follow_symlinks=False) and path.stat().st_size > 100_000]
    with open(file, "wb") as out:
        left = size
        while left:
            for source in sources:
                with open(source.path, "rb") as data:
                    piece = data.read(left)
                out.write(piece)
                left -= len(piece)


def ours(options, port, pid, name, size):
    """Milliseconds and milliseconds of CPU, of a call."""
    seconds = 1 if size <= 10**8 else 5
    done = load(options, port, {"max_output_size": 100_000}, [name], concurrency=1, duration=seconds, pid=pid)
    assert not done["errors"], done["errors"]
    return done["latency"]["p50"], done["cpu_ms_per_call"]


def theirs(file, size):
    count = max(FEWEST, min(100, 10**8 // size))
    walls, before = [], resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(count):
        began = time.perf_counter()
        subprocess.run(["strings", "-a", "-n", "4", file], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=PATIENCE, check=True)
        walls.append((time.perf_counter() - began) * 1e3)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return statistics.median(walls), cpu * 1e3 / count


def against_size(options, largest, rounds, say):
    """Points: bytes, and for each contender milliseconds of wall and CPU; medians of the rounds."""
    points = []
    with workspace() as place, server(options, place) as (port, pid):
        for size in (size for size in SIZES if size <= largest):
            say(f"cost, {size:,} bytes")
            file = place / f"{size}.bin"
            code(file, size)
            found = {"ours": [], "gnu": []}
            ours(options, port, pid, file.name, min(size, 10**6))
            for _ in range(rounds):
                if shutil.which("strings"):
                    found["gnu"].append(theirs(file, size))
                found["ours"].append(ours(options, port, pid, file.name, size))
            file.unlink()
            points.append({"bytes": size, **{
                who: {"wall_ms": statistics.median(wall for wall, _ in took), "cpu_ms": statistics.median(cpu for _, cpu in took)}
                for who, took in found.items() if took}})
    return points


def table(points):
    rows = []
    for each in points:
        ours_, gnu = each["ours"], each.get("gnu")
        cells = [f"{each['bytes']:,}", f"{ours_['wall_ms']:.3f}", f"{ours_['cpu_ms']:.3f}"]
        cells += [f"{gnu['wall_ms']:.3f}", f"{gnu['cpu_ms']:.3f}", f"{gnu['wall_ms'] / max(ours_['wall_ms'], 1e-9):.1f}",
                  f"{gnu['cpu_ms'] / max(ours_['cpu_ms'], 1e-9):.1f}"] if gnu else ["-"] * 4
        rows.append(cells)
    return {"columns": ["bytes", "a call, ms", "CPU of it, ms", "GNU `strings`, ms", "CPU of it, ms ", "times faster", "times less CPU"], "rows": rows}
