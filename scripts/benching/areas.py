"""The benchmarks of the repository: what each is about, how it is run, how often."""

import dataclasses
import pathlib
import re
import sys

from benching import commands, noise, tables
from measuring import ROOT

SCRIPTS = ROOT / "scripts"


@dataclasses.dataclass
class Area:
    """One benchmark. `name` is the anchor of its part of the report."""

    name: str
    title: str
    # What somebody types to see the same table.
    shown: str
    # The command, and another one for a quick run; None where a quick run leaves it out.
    command: list
    quick: list | None
    # How many columns are names, and which is the value that the spread is of.
    keys: int = 1
    value: str = "measured"
    rounds: int = 3
    # Seconds after which it is given up.
    limit: int = 900
    where: pathlib.Path = ROOT
    environment: dict = dataclasses.field(default_factory=dict)
    quick_environment: dict = dataclasses.field(default_factory=dict)
    read: object = tables.parse


def newest(directory, bench):
    """The compiled benchmark, of several the newest."""
    found = [path for path in directory.glob(f"{bench}-*") if not path.suffix]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


class Benches:
    """How the compiled benchmarks of cargo are started: as they are, since cargo would compile them
    for one package with other features."""

    def __init__(self, target):
        self.target = target

    def command(self, package, bench, *arguments):
        program = newest(self.target / "release/deps", bench)
        return [program, *arguments] if program else None

    def area(self, name, title, package, bench, quick=(), arguments=(), **more):
        shown = " ".join(["cargo bench -p", package, "--bench", bench, *(["--", *arguments] if arguments else [])])
        command = self.command(package, bench, *arguments)
        fast = None if quick is None else self.command(package, bench, *quick)
        # As cargo does.
        where = ROOT / "crates" / package.removeprefix("reversecore-")
        return Area(name, title, shown, command, fast, where=where, **more)


def truth(text):
    """The table of check-truth is one of text, with a line a field; here, one a kind of fact."""
    kinds = {}
    for line in text.splitlines():
        words = line.rsplit(None, 6 if line.endswith("BELOW") else 5)
        below = line.endswith("BELOW")
        counts = words[1:4]
        if line.startswith(" ") or len(words) < 6 or not all(word.isdigit() for word in counts):
            continue
        agree, total, argued = map(int, counts)
        kind = kinds.setdefault(words[0].split(".")[0].strip(), [0, 0, 0, 0])
        for place, more in enumerate((agree, total, argued, below)):
            kind[place] += more
    rows = [[kind, f"{agree:,} of {total:,}", f"{argued}", f"{below} fields below what is asked", "0",
             "yes" if not below else "**no**"] for kind, (agree, total, argued, below) in kinds.items()]
    if not rows:
        return []
    agree, total, argued, below = (sum(kind[place] for kind in kinds.values()) for place in range(4))
    rows.append(["all", f"{agree:,} of {total:,}", f"{argued}", f"{below} fields below what is asked", "0",
                 "yes" if not below else "**no**"])
    return [{"columns": ["facts", "agree", "argued", "measured", "asked", "met"], "rows": rows}]


def with_verdicts(text):
    """The tables of bench-http name targets, and leave it to the reader whether they are met."""
    found = tables.parse(text)
    for table in found:
        if table["columns"] != ["measure", "result", "target"]:
            continue
        table["columns"] = ["measure", "result", "asked", "met"]
        for row in table["rows"]:
            value, bound = tables.number(row[1]), re.match(r"(>=|<=) ([\d.]+)", row[2])
            held = bound and (value >= float(bound[2]) if bound[1] == ">=" else value <= float(bound[2]))
            row.append("-" if held is None else "yes" if held else "**no**")
    return found


def program(path):
    """For a quick run: a program that radare2 is done with sooner, where there is one."""
    return [path] if pathlib.Path(path).exists() else []


def script(name, *arguments):
    return [sys.executable, SCRIPTS / name, *arguments]


def engines_areas(options, benches):
    binary = ["--binary", options.binary]
    return [
        benches.area("strings", "The search for strings alone", "reversecore-analysis", "strings", keys=1, value="times GNU"),
        Area("engines", "The embedded engines against the programs that they stand in for", "scripts/bench-engines",
             script("bench-engines", *binary), script("bench-engines", *binary, "--rounds", "1"),
             keys=2, value="ratio", rounds=2),
    ]


def code_areas(options, benches):
    binary = ["--binary", options.binary]
    parts = ["--only", "sessions", "--only", "together", "--only", "hung", "--only", "memory"]
    return [
        benches.area("functions", "Functions of a program, beside radare2", "reversecore-code", "functions",
                     quick=program("/bin/bash"), value="radare2 / this", rounds=1),
        benches.area("decompile", "Functions as C", "reversecore-decompile", "decompile", value="measured"),
        Area("code", "Questions about code: radare2 that stays, beside a fresh one", "scripts/bench-code",
             script("bench-code", *binary, *parts),
             script("bench-code", *binary, "--rounds", "1", "--seconds", "1", *parts[:2], *parts[6:]), rounds=1, limit=1800),
    ]


def server_areas(options, benches):
    binary = ["--binary", options.binary]
    http = {"BENCH_BINARY": str(options.binary), "BENCH_PLAIN": str(options.binary.parent / "examples/plain")}
    # Plain axum is a program of the repository's; without it there is nothing to compare with.
    parts = [] if pathlib.Path(http["BENCH_PLAIN"]).exists() else ["stdio", "cancel", "edge"]
    return [
        benches.area("server", "A server and its cost", "reversecore", "server", value="result"),
        Area("http", "The ways to the server", "scripts/bench-http", script("bench-http", *parts), script("bench-http", *parts),
             value="result", rounds=2, limit=1200, environment=http,
             quick_environment={"BENCH_ROUNDS": "1", "BENCH_SECONDS": "1"}, read=with_verdicts),
        Area("jobs", "Under load", "scripts/bench-jobs", script("bench-jobs", *binary),
             script("bench-jobs", *binary, "--seconds", "2"), rounds=2, limit=1200),
        Area("batch", "Many files", "scripts/bench-batch", script("bench-batch", *binary),
             script("bench-batch", *binary, "--files", "1500", "--loop-files", "200", "--many", "10000", "--rounds", "1"),
             rounds=1, limit=2400),
    ]


def parts_areas(benches):
    return [
        benches.area("spawn", "A run of a program", "reversecore-exec", "spawn", quick=["--rounds", "1"], keys=2, value="of bare"),
        benches.area("worker", "A job in a worker", "reversecore-exec", "worker", quick=["--jobs", "5000"], value="median µs"),
        benches.area("scheduler", "The scheduler alone", "reversecore-jobs", "scheduler", value="start and end, µs a job"),
    ]


def every(options):
    """All areas, in the order of the report."""
    benches = Benches(options.target_dir)
    found = [*parts_areas(benches), *server_areas(options, benches), *engines_areas(options, benches),
             *code_areas(options, benches)]
    corpus = [options.corpus] if options.corpus else None
    checked = corpus and script("check-truth", *corpus, "--binary", options.binary, "--show", "0")
    found.append(Area("truth", "What the engines say, against independent programs", "scripts/check-truth DIR",
                      checked, checked, value="agree", rounds=1, read=truth))
    return found


def measure(area, quick, say):
    """Runs an area; gives its tables and what went wrong, in words that any reader may see."""
    command = area.quick if quick else area.command
    environment = {**area.environment, **(area.quick_environment if quick else {})}
    rounds, wrong, seconds = [], [], 0.0
    for turn in range(1 if quick else area.rounds):
        say(f"{area.name}, round {turn + 1}")
        noise.touch_memory()
        ended = commands.run(command, area.limit, area.where, environment)
        seconds += ended.seconds
        found = area.read(ended.out)
        if found:
            rounds.append(found)
        if ended.timed_out:
            wrong.append(f"round {turn + 1} was given up after {area.limit} s")
        elif ended.code and not found:
            wrong.append(f"round {turn + 1} ended with {ended.code} and printed no table")
        elif ended.code:
            wrong.append(f"round {turn + 1} ended with {ended.code}")
        if ended.code != 0:
            say(ended.err or ended.out[-500:])
    return tables.merge(rounds, area.keys, area.value), wrong, round(seconds, 1)
