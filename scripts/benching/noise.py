"""How quiet the machine is, before, between and during the benchmarks.

Three things make figures worthless: other programs that use the processors, a
host that gives them to somebody else (steal), and processors that change their
speed. The first is read from /proc, the second from /proc/stat, and the third
shows in a fixed loop that always does the same.
"""

import contextlib
import os
import pathlib
import statistics
import time

from measuring import tree

TICK = os.sysconf("SC_CLK_TCK")
# What a quiet machine stays below: shares of all processors, and of the fastest loop.
OTHERS, STEAL, SLOWER, SPREAD = 0.05, 0.02, 0.10, 0.25
LOOPS, TURNS = 7, 400_000


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
