"""The processes of one server, by role, read from /proc.

The server's executable is a hard link in the run's own directory, so its processes are
known by their executable whatever became of their parents; those of external programs by
the PID namespaces below it, by the run's mark, or by descent.
"""

import contextlib
import os
import pathlib
import signal
import time
from dataclasses import dataclass

from measuring import tree

OWN_NAMESPACE = os.readlink("/proc/self/ns/pid")
SERVER, LAUNCHER, WORKER, PROGRAM = "server", "launcher", "worker", "program"


@dataclass(frozen=True)
class Process:
    pid: int
    # In clock ticks since the start of the machine: a number that is used again is another process.
    began: int
    role: str
    parent: int
    words: tuple

    @property
    def key(self):
        return self.pid, self.began

    @property
    def name(self):
        return pathlib.Path(self.words[0]).name if self.words else "?"


def _stat(pid):
    """State letter, parent and start of a process; None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return fields[0], int(fields[1]), int(fields[19])


def alive(key):
    found = _stat(key[0])
    return found is not None and found[0] not in "ZX" and found[2] == key[1]


def standing(pid):
    found = _stat(pid)
    return found is not None and found[0] in "Tt"


def read(pid, what):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/{what}").read_bytes()
    return b""


def process(pid):
    found = _stat(pid)
    if found is None or found[0] in "ZX":
        return None
    words = tuple(word.decode(errors="replace") for word in read(pid, "cmdline").split(b"\0")[:-1])
    role = PROGRAM
    if "__launcher" in words[1:2]:
        role = LAUNCHER
    elif "__worker" in words[1:2]:
        role = WORKER
    elif "serve" in words[1:2]:
        role = SERVER
    return Process(pid, found[2], role, found[1], words)


def namespace(pid):
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/pid")
    return None


class Family:
    """All processes that belong to the run, those of servers that have ended included."""

    def __init__(self, directory, mark):
        self.directory, self.mark = str(directory), mark.encode()
        self.namespaces = set()
        self.known = {}

    def now(self, server):
        """The processes below the server's; remembers them for later."""
        found = [self._named(each) for pid in tree(server) if (each := process(pid))]
        for each in found:
            if each.key not in self.known:
                self.known[each.key] = each
                space = namespace(each.pid)
                if space not in (None, OWN_NAMESPACE):
                    self.namespaces.add(space)
        return found

    def _named(self, process):
        """One that is about to end has no arguments any more: it is what it was."""
        return process if process.words else self.known.get(process.key, process)

    def _ours(self, pid):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/exe").startswith(self.directory):
                return True
        return (namespace(pid) in self.namespaces or self.mark in read(pid, "cmdline")
                or self.mark in read(pid, "environ"))

    def anywhere(self, but=()):
        """Every living process of the run on this machine, except those below `but` and clients."""
        spared = {os.getpid()}.union(*(set(tree(pid)) for pid in but))
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) not in spared and self._ours(int(entry)):
                each = process(int(entry))
                if each and "bench" not in each.words[1:2]:
                    found.append(each)
        return found

    def workers(self, server):
        return [each for each in self.now(server) if each.role == WORKER]

    def programs(self, server, name=None):
        return [each for each in self.now(server)
                if each.role == PROGRAM and (name is None or name in (each.name, comm(each.pid)))]

    def launchers(self, server):
        """Guard first, then the launcher, then supervisors."""
        return [each for each in self.now(server) if each.role == LAUNCHER]


def zombies(server):
    """Descendants that have ended and that nobody has waited for."""
    return [pid for pid in tree(server) if (found := _stat(pid)) and found[0] == "Z"]


def send(process, number):
    """Sends a signal to this very process, never to another that has its number by now; says whether."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        if not alive(process.key):
            return False
        signal.pidfd_send_signal(descriptor, number)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)


def comm(pid):
    return read(pid, "comm").decode(errors="replace").strip()


def gone(keys, limit):
    """Waits until none of them is alive; gives those that still are after `limit` seconds."""
    deadline = time.monotonic() + limit
    while True:
        left = [key for key in keys if alive(key)]
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(0.01)
