"""The server of a run: its directories, configuration, start, and end.

Everything is in one temporary directory, the executable too (a hard link), so that its
processes are known by it. Each process that is started here gets a signal when this script
dies (`setpriv --pdeathsig`), and whatever is left at the end is ended.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

from measuring import MIB, distinct, free_port

from . import client
from .family import Family, gone, send

HERE = pathlib.Path(__file__).resolve().parent
# Times are short, so that what has to happen within them can be waited for.
CONFIGURATION = """
[server]
shutdown_grace_seconds = 3
[http]
header_seconds = 2
body_seconds = 2
write_seconds = 3
max_connections = 512
[execution]
inline_seconds = 5
[workers]
memory_mib = 128
[sessions]
max = 3
idle_seconds = 60
[limits]
memory_mib = 256
scratch_mib = 64
scratch_files = 2000
[results]
artifacts_mib = 24
cache_disk_mib = 16
"""
INLINE_SECONDS = 5
SHUTDOWN_SECONDS = 3
EDGE_SECONDS = 3
DATA_MIB = 128
BATCH_FILES = 60
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000


def python():
    """An interpreter that confined programs may read."""
    usual = pathlib.Path("/usr/bin/python3")
    return str(usual) if usual.exists() else sys.executable


class Outage:
    """When the server was stopped or away by our doing: what happened to calls then is no fault of its."""

    def __init__(self):
        self.times = []

    @contextlib.contextmanager
    def during(self):
        span = [time.monotonic(), float("inf")]
        self.times.append(span)
        try:
            yield
        finally:
            span[1] = time.monotonic()

    def overlaps(self, begun, ended):
        return any(begun <= until and since <= ended for since, until in self.times)

    def within(self, begun, ended):
        """Seconds of outage between two moments."""
        return sum(max(0.0, min(ended, until) - max(begun, since)) for since, until in self.times)


class Server:
    def __init__(self, binary, directory, configuration=CONFIGURATION, tools=True):
        self.directory = pathlib.Path(directory)
        self.mark = f"proof-{uuid.uuid4().hex[:12]}"
        self.family = Family(self.directory, self.mark)
        # The server is away; what ends processes is away.
        self.outage, self.frozen = Outage(), Outage()
        self.port, self.process = free_port(), None
        self.workspace, self.data = self.directory / "workspace", self.directory / "data"
        self.scratch, self.log = self.directory / "scratch", self.directory / "server.log"
        for each in (self.workspace, self.data, self.scratch):
            each.mkdir()
        self.binary = self.directory / "reversecore"
        try:
            os.link(binary, self.binary)
        except OSError:
            shutil.copy2(binary, self.binary)
        self.tools = self._place_tools() if tools else None
        self.config = self.directory / "server.toml"
        readable = "[]" if python() != sys.executable else f'["{sys.base_prefix}"]'
        self.config.write_text(configuration + f'\n[sandbox]\nscratch_dir = "{self.scratch}"\nread = {readable}\n')
        self.clock, self.full_disk, self.no_clock, self.no_small_disk = None, None, "not asked for", "not asked for"

    def _place_tools(self):
        """`misbehave` before the real programs: a directory that PATH begins with."""
        place = self.directory / "tools" / "bin"
        place.mkdir(parents=True)
        shutil.copy2(HERE / "misbehave", place / "misbehave")
        for name in ("strings", "yara"):
            if real := shutil.which(name):
                # No process more, and a millisecond: the runs that behave are the real program's.
                (place / name).write_text(
                    f'#!/bin/sh\ncase "$*" in *fault=*|*"-n 9"[0-9][0-9]*) exec {python()} -IS '
                    f'"${{0%/*}}/misbehave" {self.mark} "$@";; esac\nexec {real} "$@"\n')
                (place / name).chmod(0o755)
        return place

    def environment(self):
        path = os.environ["PATH"]
        found = {"PATH": f"{self.tools}:{path}" if self.tools else path, "LOG_LEVEL": "info",
                 "REVERSECORE_CONFIG": str(self.config), "REVERSECORE_DATA_DIR": str(self.data)}
        return found | ({"LD_PRELOAD": str(self.clock.library), "PROOF_CLOCK": str(self.clock.file)} if self.clock else {})

    @property
    def pid(self):
        return self.process.pid

    def command(self, *arguments):
        tied = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        return [*tied, str(self.binary), *arguments]

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command("serve", "--http", f"127.0.0.1:{self.port}", "--workspace", str(self.workspace)),
                env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        deadline = time.monotonic() + 20
        while client.get(self.port, "/health/ready", 1)[0] != 200:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server does not start; its log ends with\n{self.log_end()}")
            time.sleep(0.02)
        self.family.now(self.pid)

    def log_end(self, lines=15):
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def ends(self, how, limit):
        """Sends a signal and waits; gives the exit code, None when it does not end, and the seconds it took."""
        begun = time.monotonic()
        self.family.now(self.pid)
        self.process.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(limit)
        return self.process.returncode, time.monotonic() - begun

    def close(self):
        """Ends the server and whatever is left of it."""
        if self.process and self.process.poll() is None:
            if self.ends(signal.SIGTERM, SHUTDOWN_SECONDS + 8)[0] is None:
                self.process.kill()
                self.process.wait()
        for each in self.family.anywhere():
            send(each, signal.SIGKILL)
        gone([each.key for each in self.family.anywhere()], 5)

    def fill_workspace(self):
        """Files of several sizes, each content once. Names by kind."""
        self.files = {
            "small": distinct(self.workspace, "small", 24, 30_000),
            "medium": distinct(self.workspace, "medium", 8, 400_000),
            "large": distinct(self.workspace, "large", 2, 8 * MIB),
            "huge": distinct(self.workspace, "huge", 1, 48 * MIB),
        }
        (self.workspace / "batch").mkdir()
        distinct(self.workspace / "batch", "item", BATCH_FILES, 60_000)
        programs = [shutil.which(name) for name in ("ls", "cat", "sort")]
        self.files["program"] = [f"program-{number}" for number, path in enumerate(programs) if path]
        for name, path in zip(self.files["program"], filter(None, programs)):
            shutil.copyfile(path, self.workspace / name)

    def small_disk(self):
        """Puts the data on a small file system of memory, seen by this script and its children only."""
        kernel = ctypes.CDLL(None, use_errno=True)
        if os.geteuid() != 0:
            return "needs root: a small file system can't be mounted"
        if kernel.unshare(CLONE_NEWNS) != 0 or kernel.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
            return "a mount namespace is not to be had here"
        if kernel.mount(b"tmpfs", str(self.data).encode(), b"tmpfs", 0, f"size={DATA_MIB}m".encode()) != 0:
            return f"tmpfs can't be mounted: {os.strerror(ctypes.get_errno())}"
        self.full_disk = self.data / "filler"
        return None


@contextlib.contextmanager
def running(binary, configuration=CONFIGURATION, small_disk=False, tools=True, clock=None):
    """A server with files to ask about; gives it, and why its disk is not small, if so."""
    if not pathlib.Path(binary).is_file():
        sys.exit(f"`{binary}` is not there (build it with `cargo build --release`, or give --binary)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    directory = tempfile.mkdtemp(prefix="reversecore-proof-")
    server = None
    try:
        server = Server(binary, directory, configuration, tools)
        if small_disk:
            server.no_small_disk = server.small_disk()
        if clock:
            server.clock, server.no_clock = clock(server.directory)
        server.fill_workspace()
        server.start()
        yield server
    finally:
        if server:
            server.close()
            if server.full_disk:
                ctypes.CDLL(None).umount2(str(server.data).encode(), 2)
        shutil.rmtree(directory, ignore_errors=True)
