"""What a fault is given to work with, and the list of all faults."""

import collections
import threading
import time
from dataclasses import dataclass

from .client import Client
from .promises import Promises

FAULTS = []


@dataclass(frozen=True)
class Fault:
    name: str
    hits: str
    # How often in a round, and in a quick one.
    share: int
    quick: int
    run: object


class Skip(Exception):
    """The fault can't be had on this machine; says why."""


def fault(name, hits, share, quick):
    """Enters a function as a fault. It injects once, and gives how many faults that were."""
    def enter(run):
        FAULTS.append(Fault(name, hits, share, quick, run))
        return run
    return enter


class InFlight:
    """A call that goes on while something happens to it."""

    def __init__(self, world, tool, arguments, mark=None, expect=None, progress=False, patience=20.0):
        self.client = Client(world.server.port, patience=patience)
        self.answer, self.mark = None, mark
        self.thread = threading.Thread(target=self._run, args=(world, tool, arguments, mark, expect, progress), daemon=True)
        self.thread.start()

    def _run(self, world, tool, arguments, mark, expect, progress):
        self.answer = world.ledger.call(self.client, tool, arguments, mark, expect, progress)
        self.client.close()

    def result(self, world, limit=40):
        self.thread.join(limit)
        world.ledger.holds(6, "a call in flight was never answered", self.answer is not None)
        return self.answer


class World:
    def __init__(self, server, ledger, mix, watch, dice):
        self.server, self.ledger, self.mix, self.watch, self.dice = server, ledger, mix, watch, dice
        self.notes, self.turns = [], collections.Counter()
        self.promises = Promises(self)

    def turn(self, name):
        """0, 1, 2, … for those that do something else each time."""
        self.turns[name] += 1
        return self.turns[name] - 1

    @property
    def family(self):
        return self.server.family

    def until(self, condition, limit=5.0, pause=0.01):
        """What the condition gives as soon as that is something; its last word at the limit."""
        deadline = time.monotonic() + limit
        while not (found := condition()) and time.monotonic() < deadline:
            time.sleep(pause)
        return found

    def call(self, tool, arguments, **more):
        return InFlight(self, tool, arguments, **more)

    def typed(self, name, answer, but_complete=False):
        """The answer of a call that can't have gone well: an error with a code, or a result that says it is not whole."""
        if answer is None:
            return
        honest = answer.kind in ("error", "refused") or (answer.good and (but_complete or answer.metadata.get("coverage") != "complete"))
        self.ledger.holds(4, lambda: f"{name}: {answer.brief} {str(answer.data)[:200]}", honest)
