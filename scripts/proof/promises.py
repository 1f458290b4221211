"""What is asked after every fault, whatever it was."""

import json

from .client import Client, get
from .mix import FRESH_LENGTH, strings_mark

# On a machine that does other things beside.
LIVE_LIMIT = 1.0
HEALTH_LIMIT = 3.0
# A fresh call may be told once or twice to come again; then it must have its answer. How often that was is reported.
TRIES = 3
NO_NEW_PRIVILEGES, FILTERED = "1", "2"


class Promises:
    def __init__(self, world):
        self.world, self.ledger, self.server = world, world.ledger, world.server
        self.mechanisms, self.number = None, 0
        self.live, self.retries, self.fresh = [], 0, 0
        self.client, self.pid = Client(self.server.port), self.server.pid

    def health(self, name):
        """Health is answered, at once and with the same protections as at the start."""
        status, _, took = get(self.server.port, "/health/live", 5)
        self.live.append(took)
        self.ledger.holds(2, f"after {name}: /health/live {status} after {took:.2f} s", status == 200 and took <= LIVE_LIMIT)
        answer = self.ledger.call(self.client, "get_server_health", {})
        self.ledger.holds(2, lambda: f"after {name}: get_server_health {answer.brief}", answer.good and answer.took <= HEALTH_LIMIT)
        if not answer.good:
            return
        found = {each["name"]: each["holds"] for each in answer.data["mechanisms"]}
        self.mechanisms = self.mechanisms or found
        # A launcher that is on its way back has not said yet what it has.
        lost = [each for each, held in self.mechanisms.items() if held and found and not found.get(each)]
        self.ledger.holds(7, lambda: f"after {name}: {lost} no longer hold", not lost)

    def right(self, name, tool, mark=None, **arguments):
        """A fresh call has the answer that it had before."""
        key, asked = self.world.mix.ask(self.client, tool, **arguments, cache="bypass")
        self.fresh += 1
        for attempt in range(TRIES):
            answer = self.ledger.call(self.client, tool, asked, mark, key)
            # A program that we have just killed, and whose end the server had not heard of, is no answer either.
            ours = answer.code == "TOOL_FAILED" and "SIG" in answer.envelope.get("message", "")
            if answer.good or not (answer.envelope.get("retryable") or ours):
                break
            self.retries += 1
        whole = answer.good and answer.metadata.get("coverage") in ("complete", "truncated")
        promise = 1 if arguments.get("engine") != "external" else 4
        self.ledger.holds(promise, lambda: f"after {name}: a fresh {tool} gives {answer.brief} {json.dumps(answer.envelope)[:200]}", whole)

    def confined(self, name):
        """Every worker is under a filter and can gain nothing."""
        for worker in self.server.family.workers(self.server.pid):
            try:
                with open(f"/proc/{worker.pid}/status", encoding="utf-8") as file:
                    status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            except OSError:
                continue
            self.ledger.holds(7, f"after {name}: worker {worker.pid} has NoNewPrivs {status.get('NoNewPrivs')}, Seccomp {status.get('Seccomp')}",
                              status.get("NoNewPrivs") == NO_NEW_PRIVILEGES and status.get("Seccomp") == FILTERED)

    def after(self, name):
        self.number += 1
        if self.server.pid != self.pid:
            # A connection to the one before says nothing of this one.
            self.client.close()
            self.pid = self.server.pid
        files = self.server.files
        self.health(name)
        self.right(name, "run_strings", file=files["small"][self.number % len(files["small"])])
        if self.number % 4 == 0:
            self.right(name, "run_strings", file=files["medium"][0], engine="external", min_length=FRESH_LENGTH,
                       mark=strings_mark(FRESH_LENGTH))
        if self.number % 8 == 0:
            self.right(name, "run_radare2", file=files["program"][0], r2_command="iIj")
            self.confined(name)
