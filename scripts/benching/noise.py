"""How quiet the machine is, before, between and during the benchmarks.

Three things make figures worthless: other programs that use the processors, a
host that gives them to somebody else (steal), and processors that change their
speed. The first is read from /proc, the second from /proc/stat, and the third
shows in a fixed loop that always does the same.

A fourth is met before it does harm: the host of a virtual machine takes memory
back that was free for a while, and a page of it costs tens of microseconds when
it is touched again, which whoever starts first would pay.
"""

import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import time

from measuring import tree

TICK = os.sysconf("SC_CLK_TCK")
# What a quiet machine stays below: shares of all processors, and of the fastest loop.
OTHERS, STEAL, SLOWER, SPREAD = 0.05, 0.02, 0.10, 0.25
LOOPS, TURNS = 7, 400_000
# Memory that is touched before figures are taken: at most, of what is free, and how long.
TOUCHED, OF_FREE, TOUCHING = 3 << 30, 0.25, 2.0
TOUCH = """
import sys, time
began, kept = time.monotonic(), []
for _ in range(int(sys.argv[1]) >> 26):
    kept.append(b"\\1" * (1 << 26))
    if time.monotonic() - began > float(sys.argv[2]):
        break
print(len(kept))
"""


def loop():
    """Seconds that a fixed amount of work takes."""
    began, value = time.perf_counter(), 1
    for _ in range(TURNS):
        value = value * 6364136223846793005 + 1442695040888963407 & 0xFFFFFFFFFFFFFFFF
    assert value
    return time.perf_counter() - began


def ticks():
    """Of all processors since the start: in all, and those that the host gave to others."""
    numbers = [int(number) for number in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(numbers), numbers[7]


def everybody():
    """Of each process: its parent, and the ticks that it and its ended children have used."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                fields = pathlib.Path(f"/proc/{name}/stat").read_text().rsplit(")", 1)[1].split()
                found[int(name)] = int(fields[1]), sum(int(value) for value in fields[11:15])
    return found


class Watch:
    """From its start to `stop`: what others used meanwhile."""

    def __init__(self):
        self.before, self.mine = everybody(), set(tree(os.getpid()))
        self.ticks, self.began = ticks(), time.monotonic()

    def others(self):
        """Ticks. What ended meanwhile is in its parent's sum, with all that it had used before."""
        after, mine = everybody(), set(tree(os.getpid()))
        # The first process adopts what anybody leaves, ours included: it counts for nobody.
        now = sum(used for pid, (_, used) in after.items() if pid not in mine and pid != 1)
        then = sum(used for pid, (parent, used) in self.before.items()
                   if pid not in self.mine and pid != 1 and (pid in after or parent != 1))
        return max(0, now - then)

    def stop(self):
        others = self.others()
        seconds = max(time.monotonic() - self.began, 1e-3)
        total, steal = (after - before for after, before in zip(ticks(), self.ticks))
        return {"others": round(others / TICK / seconds / len(os.sched_getaffinity(0)), 4),
                "steal": round(steal / max(total, 1), 4)}


def touch_memory(most=TOUCHED):
    """Has the host give memory back that it took, in a process of its own, which leaves it free.
    What that process printed, and its exit code."""
    lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    free = next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), 0)
    command = [sys.executable, "-c", TOUCH, str(min(most, int(free * OF_FREE))), str(TOUCHING)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    return ended.stdout, ended.returncode


def probe():
    """A moment in which only the loop runs."""
    watch = Watch()
    took = [loop() for _ in range(LOOPS)]
    middle = statistics.median(took)
    return {"loop_ms": round(middle * 1e3, 2), "loop_spread": round((max(took) - min(took)) / middle, 3), **watch.stop()}


def faults(probes, during, fastest):
    """Why figures measured between these probes are not to be trusted; empty when they are."""
    most = lambda name, of: max((each[name] for each in of), default=0)
    everywhere = [*probes, *during]
    slower = most("loop_ms", probes) / fastest - 1
    kinds = [
        (most("others", everywhere), OTHERS, "others used {:.0%} of the processors"),
        (most("steal", everywhere), STEAL, "the host took {:.0%} of them"),
        (slower, SLOWER, "a fixed loop took {:.0%} longer than at best"),
        (most("loop_spread", probes), SPREAD, "a fixed loop differed by {:.0%} from turn to turn"),
    ]
    return [text.format(value) for value, limit, text in kinds if value > limit]
