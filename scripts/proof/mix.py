"""The load: calls of many kinds by clients of their own, over both eras, small and large files,
embedded engines and external programs, new answers and remembered ones, cancelled calls.

Callers are threads that keep the account; beside them run processes of `reversecore bench load`.
"""

import json
import random
import subprocess
import threading
import time

from .client import Client
from .ledger import CODES, digest

ENDLESS = "rule endless { condition: for all i in (1..1000000000000) : (i > 0) }"
RULES = 'rule elf { condition: uint32(0) == 0x464c457f } rule libc { strings: $a = "libc" condition: $a }'
TIMEOUT = 3
# Shortest strings that calls of `strings` differ by; one is not used again while its process may be there.
LENGTHS = range(4, 64)
REST = 3.0
# Of the calls that are made after a fault.
FRESH_LENGTH = 3
# Seconds of one process of `bench load`.
CHUNK = 4


class Numbers:
    """Marks for calls: what an external program's arguments say of the call that it works for."""

    def __init__(self):
        self.lock, self.next, self.lengths = threading.Lock(), 1000, {}

    def unique(self):
        with self.lock:
            self.next += 1
            return self.next

    def length(self):
        """A length for `strings` that no call has had for a while."""
        with self.lock:
            now = time.monotonic()
            free = [each for each in LENGTHS if now - self.lengths.get(each, -REST) >= REST]
            length = free[0] if free else min(self.lengths, key=self.lengths.get)
            # Until the call has ended, and for a while after.
            self.lengths[length] = now + 30
            return length

    def release(self, length):
        with self.lock:
            self.lengths[length] = time.monotonic()


def strings_mark(length):
    return f"-n {length} "


def yara_mark(number):
    return f"mark={number}"


class Mix:
    """What is asked. A kind is a method of a caller's client and its dice; each asks once."""

    def __init__(self, server, ledger):
        self.server, self.ledger, self.numbers = server, ledger, Numbers()
        self.kinds = [self.strings, self.info, self.parse, self.matches, self.iocs, self.remembered, self.listing,
                      self.program_strings, self.program_strings, self.program_yara, self.radare2, self.cancelled,
                      self.artifact, self.progressing]

    def ask(self, client, tool, file, expect=True, **more):
        arguments = {"file_path": file, "timeout": TIMEOUT, **more}
        key = None
        if expect:
            named = {name: value for name, value in arguments.items() if name not in ("cache", "externals", "timeout")}
            key = json.dumps([tool, named], sort_keys=True)
        return key, arguments

    def plain(self, client, tool, file, mark=None, progress=False, **more):
        key, arguments = self.ask(client, tool, file, **more)
        return self.ledger.call(client, tool, arguments, mark, key, progress)

    def file(self, dice, kind):
        return dice.choice(self.server.files[kind])

    def strings(self, client, dice):
        return self.plain(client, "run_strings", self.file(dice, dice.choice(["small", "medium"])), cache="bypass")

    def info(self, client, dice):
        return self.plain(client, "get_file_info", self.file(dice, "small"), cache="bypass")

    def parse(self, client, dice):
        return self.plain(client, "parse_binary", self.file(dice, "program"), cache="bypass")

    def matches(self, client, dice):
        return self.plain(client, "run_yara", self.file(dice, "medium"), rules=RULES, cache="bypass")

    def iocs(self, client, dice):
        return self.plain(client, "extract_iocs", self.file(dice, "large"), cache="bypass")

    def remembered(self, client, dice):
        return self.plain(client, "run_strings", self.file(dice, "small"))

    def listing(self, client, dice):
        return self.ledger.call(client, dice.choice(["list_jobs", "get_server_health", "list_workspace"]), {})

    def program_strings(self, client, dice):
        length = self.numbers.length()
        try:
            return self.plain(client, "run_strings", self.server.files["medium"][0], strings_mark(length),
                              engine="external", min_length=length, cache="bypass")
        finally:
            self.numbers.release(length)

    def program_yara(self, client, dice):
        number = self.numbers.unique()
        return self.plain(client, "run_yara", self.file(dice, "small"), yara_mark(number), engine="external",
                          rules=RULES, externals={"mark": number}, cache="bypass")

    def radare2(self, client, dice):
        command = dice.choice(["iIj", "iSj", "iEj"])
        return self.plain(client, "run_radare2", self.file(dice, "program"), r2_command=command, cache="bypass")

    def progressing(self, client, dice):
        return self.plain(client, "triage", self.file(dice, "large"), progress=True, expect=False, cache="bypass")

    def artifact(self, client, dice):
        whole = self.plain(client, "run_strings", self.server.files["large"][0], encoding="all", max_output_size=600_000)
        if name := (whole.metadata.get("artifact") or {}).get("id"):
            return self.ledger.call(client, "read_artifact", {"artifact": name, "from_line": dice.randrange(1, 2000), "limit": 50})
        return whole

    def cancelled(self, client, dice):
        """A client that leaves: its connection closes in the middle of an endless call."""
        number = self.numbers.unique()
        mark = yara_mark(number)
        leaving = Client(self.server.port, patience=dice.uniform(0.1, 0.5))
        self.ledger.call(leaving, "run_yara", {
            "file_path": self.file(dice, "small"), "rules": ENDLESS, "engine": "external", "timeout": 60,
            "externals": {"mark": number}, "cache": "bypass"}, mark, judged=False, follow=False)
        leaving.close()

    def learn(self):
        """Asks everything twice before anything goes wrong: the right answers."""
        client, dice = Client(self.server.port, patience=60), random.Random(0)
        for tool, file, more in self._questions():
            key, arguments = self.ask(client, tool, file, **more)
            arguments |= {"cache": "bypass", "timeout": 60}
            if tool == "run_yara" and more.get("engine"):
                arguments["externals"] = {"mark": 1}
            answers = [self.ledger.call(client, tool, arguments, judged=False) for _ in range(2)]
            if not all(each.good for each in answers) or digest(answers[0].data) != digest(answers[1].data):
                raise RuntimeError(f"{tool} of {file} has no steady answer: {[each.brief for each in answers]} "
                                   f"{answers[0].envelope.get('message', '')}")
            self.ledger.expected[key] = digest(answers[0].data)
        client.close()

    def _questions(self):
        files = self.server.files
        for file in files["small"] + files["medium"]:
            yield "run_strings", file, {}
        for file in files["small"]:
            yield "get_file_info", file, {}
            yield "run_yara", file, {"engine": "external", "rules": RULES}
        for file in files["medium"]:
            yield "run_yara", file, {"rules": RULES}
        for file in files["program"]:
            yield "parse_binary", file, {}
            for command in ("iIj", "iSj", "iEj"):
                yield "run_radare2", file, {"r2_command": command}
        for file in files["large"]:
            yield "extract_iocs", file, {}
        yield "run_strings", files["large"][0], {"encoding": "all", "max_output_size": 600_000}
        for length in (FRESH_LENGTH, *LENGTHS):
            yield "run_strings", files["medium"][0], {"engine": "external", "min_length": length}


class Load:
    """Keeps the mix going until it is stopped."""

    def __init__(self, mix, seed, callers=6, pause=0.05):
        self.mix, self.seed, self.callers, self.pause = mix, seed, callers, pause
        self.stopping = threading.Event()
        self.threads, self.reports = [], []

    def __enter__(self):
        for number in range(self.callers):
            self.threads.append(threading.Thread(target=self._caller, args=(number,), daemon=True))
        for tool in ("get_file_info", "run_strings"):
            self.threads.append(threading.Thread(target=self._flood, args=(tool,), daemon=True))
        for each in self.threads:
            each.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for each in self.threads:
            each.join(60)
            self.mix.ledger.holds(6, "a client waits for its answer still", not each.is_alive())

    def _caller(self, number):
        dice = random.Random(f"{self.seed}-{number}")
        client = Client(self.mix.server.port, session=number % 2 == 1)
        while not self.stopping.is_set():
            answer = dice.choice(self.mix.kinds)(client, dice)
            away = answer is not None and not answer.told
            self.stopping.wait(0.2 if away else dice.uniform(0, 2 * self.pause))
        client.close()

    def _flood(self, tool):
        """Processes of `bench load`, one after the other."""
        server, ledger = self.mix.server, self.mix.ledger
        while not self.stopping.is_set():
            arguments = json.dumps({"file_path": "{file}", "cache": "bypass", "timeout": TIMEOUT})
            command = server.command("bench", "load", "--url", f"http://127.0.0.1:{server.port}/mcp", "--tool", tool,
                                     "--args", arguments, "--concurrency", "3", "--rate", "25", "--duration", str(CHUNK))
            for file in server.files["small"]:
                command += ["--file", file]
            begun = time.monotonic()
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=CHUNK + 60)
            except subprocess.TimeoutExpired:
                ledger.holds(6, f"`bench load` of {tool} has had no answer for a minute", False)
                continue
            away = server.outage.overlaps(begun, time.monotonic())
            if not done.stdout.strip():
                ledger.holds(4, f"`bench load` has no report: {done.stderr[-300:]}", away)
                self.stopping.wait(0.2)
                continue
            report = json.loads(done.stdout)
            self.reports.append(report)
            odd = {code: count for code, count in report["errors"].items() if code not in CODES}
            ledger.holds(4, f"`bench load` of {tool} met {odd}", not odd or away)

    @property
    def calls(self):
        return sum(report["calls"] for report in self.reports)
