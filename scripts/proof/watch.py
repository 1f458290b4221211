"""The thread that looks at the server's processes all the time and says which of them should
not be there: the program of a call that has ended, or a victim that is not gone.
"""

import threading
import time

from .family import PROGRAM, alive, comm, zombies

PAUSE = 0.1
# What no process may outlive its call by, and what looking may be late by.
LEFT = 1.0
LATE = 0.25
# A process that belongs to no call that is known: a version that is asked for, a batch's.
LONGEST_UNKNOWN = 20.0


class Watch:
    def __init__(self, server, ledger):
        self.server, self.ledger = server, ledger
        self.first, self.said, self.doomed, self.present = {}, set(), {}, {}
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(10)

    def expect_gone(self, process, why):
        """From now on it has a second."""
        with self.lock:
            self.doomed[process.key] = (time.monotonic(), f"{process.role} {process.pid} ({why})")

    def _run(self):
        while not self.stopping.wait(PAUSE):
            self.look()

    def look(self):
        now = time.monotonic()
        there = {}
        for process in self.server.family.now(self.server.pid):
            self.first.setdefault(process.key, now)
            if process.role == PROGRAM:
                there[process.key] = process
                self._program(process, now)
        for key in self.present.keys() - there.keys() - self.said:
            self.ledger.holds(3, "a program was gone in time", True)
        self.present = there
        with self.lock:
            doomed = list(self.doomed.items())
        for key, (since, what) in doomed:
            if not alive(key):
                met = True
            elif now - since - self._away(since, now) <= LEFT + LATE:
                continue
            else:
                met = False
            self.ledger.holds(3, f"{what} is alive {now - since:.1f} s later", met)
            with self.lock:
                self.doomed.pop(key, None)

    def _program(self, process, now):
        ended = self._ended(process)
        if ended is None:
            return
        over = now - ended - LATE - self._away(ended, now)
        if over > LEFT and process.key not in self.said and alive(process.key):
            self.said.add(process.key)
            self.ledger.holds(3, f"`{' '.join(process.words)[:200]}` ({comm(process.pid)}) is alive {over:.1f} s after its call", False)

    def _away(self, since, until):
        return self.server.outage.within(since, until) + self.server.frozen.within(since, until)

    def _ended(self, process):
        """When the call ended that this process works for; None when it goes on."""
        words = " ".join(process.words) + " "
        if "radare2" in words or "r2" == process.name:
            return None
        if "mark=" in words or "fault=" in words:
            mark = next(word for word in process.words if word.startswith(("mark=", "fault=")))
        elif "-n " in words:
            mark = f"-n {process.words[process.words.index('-n') + 1]} "
        else:
            return self.first[process.key] + LONGEST_UNKNOWN
        with self.ledger.lock:
            if mark not in self.ledger.marks:
                return self.first[process.key] + LONGEST_UNKNOWN
            return self.ledger.marks[mark]

    def settled(self, limit=3.0):
        """Nothing is in flight any more: which processes of programs are there after a second?"""
        deadline = time.monotonic() + limit
        left = []
        while time.monotonic() < deadline:
            left = [each for each in self.server.family.now(self.server.pid) if each.role == PROGRAM and "radare2" not in " ".join(each.words)]
            if not left:
                break
            time.sleep(0.05)
        self.ledger.holds(3, lambda: f"left: {[' '.join(each.words)[:80] for each in left]}", not left)
        dead = set(zombies(self.server.pid))
        time.sleep(0.2)
        dead &= set(zombies(self.server.pid))
        self.ledger.holds(3, lambda: f"{len(dead)} zombies", not dead)
