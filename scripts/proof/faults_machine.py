"""Faults of the machine: a full disk, a wall clock that jumps, no descriptors left."""

import contextlib
import os
import resource
import shutil
import struct
import subprocess
import time

from .client import Client
from .server import HERE, MIB
from .world import Skip, fault

HOUR = 3600
JUMPS = [HOUR, -HOUR, 86_400 * 400, -86_400 * 400, 60, -1, -86_400 * 30 * 365, 5]


class Clock:
    """The server's wall clock, by a library that is preloaded into it; its children have the true one."""

    def __init__(self, directory):
        self.library, self.file = directory / "clock.so", directory / "clock"
        self.file.write_bytes(bytes(8))

    def set(self, seconds):
        # In place: the server has the file mapped.
        with open(self.file, "r+b") as file:
            file.write(struct.pack("q", seconds))


def movable_clock(directory):
    """The clock, or why there is none."""
    compiler = shutil.which("cc")
    if not compiler:
        return None, "no C compiler, so the server's clock can't be moved"
    clock = Clock(directory)
    built = subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(clock.library), str(HERE / "clock.c"), "-ldl"],
                           capture_output=True, text=True)
    if built.returncode != 0:
        return None, f"the clock does not compile: {built.stderr[-200:]}"
    return clock, None


@fault("the wall clock jumps", "the machine", 12, 4)
def clock(world):
    if not world.server.clock:
        raise Skip(world.server.no_clock)
    world.server.clock.set(JUMPS[world.turn("clock") % len(JUMPS)])
    _, arguments = world.mix.ask(None, "extract_iocs", world.server.files["large"][0], cache="bypass")
    call = world.call("extract_iocs", {**arguments, "timeout": 10})
    world.server.clock.set(JUMPS[world.dice.randrange(len(JUMPS))])
    answer = call.result(world)
    # A clock that was set is no reason for a time-out.
    world.ledger.holds(6, lambda: f"the wall clock jumps: {answer and answer.brief}", answer is not None and answer.good)
    return 1


@fault("the disk full", "the machine", 5, 2)
def disk(world):
    """Artifacts, remembered results and journals have no room; then they have."""
    if not world.server.full_disk:
        raise Skip(world.server.no_small_disk)
    client = Client(world.server.port)
    filler = world.server.full_disk
    try:
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * (MIB // 4))
        with open(filler, "ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 512)
        large, number = world.server.files["large"][1], world.mix.numbers.unique()
        asked = [("run_strings", {"file_path": large, "encoding": "all", "max_output_size": 700_000, "min_length": 4 + number % 50}),
                 ("get_file_info", {"file_path": world.server.files["small"][number % 20], "cache": "bypass"}),
                 ("submit_batch", {"paths": ["batch"], "tools": [{"name": "run_strings", "arguments": {"min_length": 6 + number % 900}}], "limit": 5})]
        for tool, arguments in asked:
            answer = world.ledger.call(client, tool, arguments)
            world.ledger.holds(4, lambda: f"the disk full: {tool}: {answer.brief}", answer.told)
            if answer.good and tool == "run_strings":
                named = (answer.metadata.get("artifact") or {}).get("id")
                if named:
                    # A name that is given is good for something.
                    kept = world.ledger.call(client, "read_artifact", {"artifact": named, "limit": 5})
                    world.ledger.holds(4, lambda: f"the disk full: the artifact that was named: {kept.brief}", kept.good)
        world.promises.health("the disk full")
    finally:
        filler.unlink(missing_ok=True)
    whole = world.ledger.call(client, "run_strings", {
        "file_path": world.server.files["large"][1], "encoding": "all", "max_output_size": 700_000, "cache": "bypass"})
    name = (whole.metadata.get("artifact") or {}).get("id")
    world.ledger.holds(4, lambda: f"after the disk was full: no artifact: {whole.brief} {whole.metadata.get('warnings')}", bool(name))
    batch = world.ledger.call(client, "submit_batch", {"paths": ["batch"], "tools": ["get_file_info"], "limit": 3, "wait": 4})
    world.ledger.holds(4, lambda: f"after the disk was full: submit_batch: {batch.brief} {batch.envelope.get('message', '')}", batch.good)
    client.close()
    return 1


@fault("no descriptors left", "the machine", 3, 1)
def descriptors(world):
    """The server may open no more than it has open; calls are refused or fail with a code, and it comes back."""
    pid = world.server.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    now = len(os.listdir(f"/proc/{pid}/fd"))
    with world.server.outage.during():
        try:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (now + 2, before[1]))
            clients = [Client(world.server.port, patience=1.5) for _ in range(6)]
            for each in clients:
                world.ledger.call(each, "get_file_info", {"file_path": world.server.files["small"][0], "timeout": 1, "cache": "bypass"}, judged=False)
            time.sleep(0.3)
            for each in clients:
                each.close()
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    return 1
