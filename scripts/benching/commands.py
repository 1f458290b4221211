"""Runs one program of the benchmarks to its end, within a time, and lets nothing of it stay behind."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time

# Of what a failed program said, what is kept.
TAIL = 2000
# From the polite signal to the other one.
GRACE = 10


class Ended:
    """What a program printed, how it ended, how long it took."""

    def __init__(self, out, err, code, seconds):
        self.out, self.err, self.code, self.seconds = out, err[-TAIL:], code, seconds

    @property
    def timed_out(self):
        return self.code is None


def end(process):
    """Ends the program and all of its process group: servers that a benchmark started are in it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def run(command, limit, cwd=None, environment=None):
    """Runs a program in a process group of its own; its output goes to files, so that
    nobody waits for a pipe that a leftover holds open."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen([str(word) for word in command], cwd=cwd, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=err, start_new_session=True, env={**os.environ, **(environment or {})})
        code = None
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(limit)
        finally:
            end(process)
        seconds = time.monotonic() - began
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read())
    return Ended(*said, code, seconds)
