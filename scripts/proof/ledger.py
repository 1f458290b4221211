"""The account of a run: each call and its one answer, and every promise that was seen broken.
The promises are numbered as a user reads them:

    1  it works alone: the embedded engines need nothing else
    2  nothing blocks: health is answered whatever happens
    3  nothing leaks: no process outlives its call by more than a second
    4  nothing is silently wrong or incomplete
    5  nothing is too large
    6  the client's clock is respected: an answer or a handle in time, progress on the way
    7  hostile by default: what confines is in force
    8  waiting has a bound and a reason: refusals are quick and say when to come again
"""

import collections
import hashlib
import json
import threading
import time

from .server import INLINE_SECONDS

PROMISES = {1: "works alone", 2: "nothing blocks", 3: "nothing leaks", 4: "nothing silently wrong",
            5: "nothing too large", 6: "the client's clock", 7: "confined", 8: "waiting is bounded"}
CODES = {"VALIDATION_ERROR", "FILE_NOT_FOUND", "PATH_NOT_ALLOWED", "TOOL_NOT_FOUND", "TIMEOUT", "CANCELLED", "OUTPUT_LIMIT",
         "FILE_CHANGED", "RESOURCE_LIMIT", "PARSE_ERROR", "TOOL_FAILED", "QUEUE_FULL", "DEADLINE_EXCEEDED", "RATE_LIMITED",
         "UNAUTHORIZED", "INTERNAL"}
COVERAGE = {"complete", "truncated", "partial", "timed_out"}
# Past the inline budget: the way there and back, on a machine that does other things.
IN_TIME = INLINE_SECONDS + 3
SILENCE = 5.5
REFUSED_IN = 1.0
# 8,000 tokens of text and as many of JSON, at four bytes, escaped, with the envelope.
LARGEST = 160_000
# Of all that is broken, as much is said in words.
EXAMPLES = 100


def digest(data):
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


class Ledger:
    def __init__(self, outage):
        self.outage, self.lock = outage, threading.Lock()
        self.calls, self.endings = 0, collections.Counter()
        self.broken = collections.Counter()
        self.examples = []
        self.expected = {}
        # Marks of calls: when each ended, None while it is in flight.
        self.marks = {}
        self.asserted = collections.Counter()
        self.slowest = 0.0

    def holds(self, promise, what, met):
        """Notes that this was looked at, and when it did not hold, that too."""
        with self.lock:
            self.asserted[promise] += 1
            if not met:
                self.broken[promise] += 1
                if len(self.examples) < EXAMPLES:
                    self.examples.append((promise, what() if callable(what) else what))
        return met

    def begin(self, mark):
        with self.lock:
            self.marks[mark] = None

    def end(self, mark):
        with self.lock:
            self.marks[mark] = time.monotonic()

    def call(self, client, tool, arguments, mark=None, expect=None, progress=False, follow=True, judged=True):
        """Makes a call and enters it. `expect` names the answer that it must have when it is complete."""
        if mark:
            self.begin(mark)
        begun = time.monotonic()
        answer = client.call(tool, arguments, progress)
        if judged:
            self.enter(tool, answer, begun, expect, progress)
        if answer.kind == "running" and follow:
            answer = self._follow(client, answer, expect)
        if mark:
            self.end(mark)
        return answer

    def _follow(self, client, answer, expect):
        """Asks for the answer of a call that goes on by itself."""
        job, deadline = answer.envelope.get("job_id"), time.monotonic() + 30
        while answer.kind == "running" and time.monotonic() < deadline:
            begun = time.monotonic()
            answer = client.call("get_job_result", {"job_id": job, "wait": 2})
            self.enter("get_job_result", answer, begun, expect, False)
        self.holds(6, lambda: f"job {job} did not end", answer.kind != "running")
        return answer

    def enter(self, tool, answer, begun, expect=None, progress=False):
        ended = time.monotonic()
        # A connection to the server of before ends with it, also when it is used only later.
        away = self.outage.overlaps(min(begun, answer.opened or begun) if answer.kind == "broken" else begun, ended)
        with self.lock:
            self.calls += 1
            self.endings[self._ending(answer, away)] += 1
            if answer.good and not away:
                self.slowest = max(self.slowest, answer.took)
        say = lambda: f"{tool}: {answer.brief}, {answer.envelope.get('message', '')[:200]}"
        self.holds(4, say, answer.told or away)
        self.holds(4, lambda: f"{tool}: {answer.count} answers to one call", answer.count == 1 or away)
        self.holds(5, lambda: f"{tool}: an answer of {answer.size} bytes", answer.size <= LARGEST)
        waited = answer.took - self.outage.within(begun, ended)
        self.holds(6, lambda: f"{tool}: answered after {waited:.1f} s", waited <= IN_TIME)
        if progress:
            self.holds(6, lambda: f"{tool}: {answer.silence:.1f} s without progress", answer.silence <= SILENCE or away)
        if answer.kind in ("error", "refused"):
            self._error(tool, answer, away)
        elif answer.good:
            self._success(tool, answer, expect)

    def _error(self, tool, answer, away):
        said = answer.envelope
        typed = answer.code in CODES if answer.kind == "error" else not answer.code.startswith("HTTP")
        self.holds(4, lambda: f"{tool}: an error without code or hint: {said}", (typed and bool(said.get("hint"))) or away)
        if answer.code in ("QUEUE_FULL", "RATE_LIMITED"):
            self.holds(8, lambda: f"{tool}: {answer.code} without `retry_after_ms`", said.get("retry_after_ms", 0) > 0)
            self.holds(8, lambda: f"{tool}: refused after {answer.took:.1f} s", answer.took <= REFUSED_IN or away)

    def _success(self, tool, answer, expect):
        coverage = answer.metadata.get("coverage")
        self.holds(4, lambda: f"{tool}: coverage `{coverage}`", coverage in COVERAGE)
        if expect is not None and coverage in ("complete", "truncated"):
            right = self.expected.get(expect)
            self.holds(4, lambda: f"{tool}: not the answer that {expect} had before: {json.dumps(answer.data)[:300]}",
                       right is None or digest(answer.data) == right)

    def _ending(self, answer, away):
        if answer.good:
            return "complete" if answer.metadata.get("coverage") == "complete" else "incomplete, and says so"
        if answer.kind == "running":
            return "handed out as a job"
        if answer.told:
            return "typed error"
        return "cut off by our stopping the server" if away else "lost"

    @property
    def lost(self):
        return self.endings["lost"]
