"""Faults of clients: slow ones, broken ones, ones that are gone; over HTTP and over stdio."""

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

from measuring import tree

from .client import Client
from .family import gone, process
from .mix import ENDLESS
from .server import EDGE_SECONDS, SHUTDOWN_SECONDS
from .world import fault

MANY = 8
# What a limit of the edge may be late by.
LATE = 2.0
GARBAGE = [b"\0" * 2000, b"GET / HTTP/9.9\r\n\r\n", b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", b"\x16\x03\x01\x02\x00" * 50,
           b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n"]


def _connect(world):
    opened = socket.create_connection(("127.0.0.1", world.server.port), 5)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def _request(world, body, length=None):
    return (f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{world.server.port}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\n"
            f"Content-Length: {length or len(body)}\r\n\r\n").encode() + body


def _closed(world, sockets, limit):
    """Waits until the server has closed them all, reading what it says; gives how many are still open."""
    deadline, left = time.monotonic() + limit, list(sockets)
    while left and (rest := deadline - time.monotonic()) > 0:
        readable, _, _ = select.select(left, [], [], rest)
        for each in readable:
            with contextlib.suppress(OSError):
                if each.recv(1 << 16):
                    continue
            left.remove(each)
    return len(left)


def _limited(world, name, sockets, limit):
    left = _closed(world, sockets, limit + LATE)
    world.ledger.holds(8, f"{name}: {left} of {len(sockets)} connections are open after {limit + LATE:.0f} s", left == 0)
    for each in sockets:
        each.close()
    return len(sockets)


@fault("heads that come slowly", "clients", 3, 1)
def slow_heads(world):
    sockets = [_connect(world) for _ in range(MANY)]
    for _ in range(3):
        for each in sockets:
            with contextlib.suppress(OSError):
                each.sendall(b"P")
        time.sleep(0.1)
    return _limited(world, "slow heads", sockets, EDGE_SECONDS)


@fault("bodies that do not come", "clients", 3, 1)
def slow_bodies(world):
    sockets = [_connect(world) for _ in range(MANY)]
    for each in sockets:
        each.sendall(_request(world, b'{"jsonrpc":', 5000))
    return _limited(world, "missing bodies", sockets, EDGE_SECONDS)


@fault("connections half closed", "clients", 3, 1)
def half_closed(world):
    """The client has said all that it will, which is not a whole request."""
    sockets = [_connect(world) for _ in range(MANY)]
    for number, each in enumerate(sockets):
        each.sendall(_request(world, b'{"json', 300) if number % 2 else b"POST /mcp HT")
        each.shutdown(socket.SHUT_WR)
    return _limited(world, "half-closed connections", sockets, EDGE_SECONDS)


def _held(port, sockets):
    """How many of these connections the server has open: their rows in the kernel's table with an owner."""
    ours, held = {each.getsockname()[1] for each in sockets}, 0
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in list(file)[1:]:
            fields = line.split()
            here, there = (int(fields[at].split(":")[1], 16) for at in (1, 2))
            held += here == port and there in ours and fields[9] != "0"
    return held


@fault("answers that are not read", "clients", 2, 1)
def unread(world):
    """More than the socket's buffers hold, asked for again and again."""
    sockets = [_connect(world) for _ in range(MANY)]
    one = f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{world.server.port}\r\n\r\n".encode()
    for each in sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        each.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            each.send(one * 1000)
    world.promises.health("answers that are not read")
    left = world.until(lambda: _held(world.server.port, sockets) == 0, EDGE_SECONDS + LATE + 5, 0.1)
    world.ledger.holds(8, lambda: f"unread answers: {_held(world.server.port, sockets)} of {MANY} connections are open after {EDGE_SECONDS + LATE + 5:.0f} s", left)
    for each in sockets:
        each.close()
    return MANY


@fault("bytes that are no HTTP", "clients", 4, 2)
def garbage(world):
    sockets = [_connect(world) for _ in range(MANY)]
    for each in sockets:
        with contextlib.suppress(OSError):
            each.sendall(world.dice.choice(GARBAGE) + bytes(world.dice.randrange(256) for _ in range(64)))
    return _limited(world, "garbage", sockets, EDGE_SECONDS)


@fault("connections reset in the middle of a call", "clients", 4, 2)
def resets(world):
    marks = []
    for _ in range(MANY):
        number = world.mix.numbers.unique()
        mark = f"mark={number}"
        marks.append(mark)
        world.ledger.begin(mark)
        client = Client(world.server.port, patience=world.dice.uniform(0.05, 0.3))
        # Leaves with a reset, not with a farewell.
        client._open()
        client.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.call("run_yara", {"file_path": world.server.files["small"][0], "rules": ENDLESS, "engine": "external", "timeout": 30,
                                 "cache": "bypass", "externals": {"mark": number}})
        client.close()
        # From now on it has a second: `watch` looks.
        world.ledger.end(mark)
    return MANY


@fault("sessions that are dropped", "clients", 3, 1)
def dropped_sessions(world):
    for _ in range(MANY):
        client = Client(world.server.port, session=True, patience=0.1)
        client.call("triage", {"file_path": world.server.files["large"][0], "cache": "bypass", "timeout": 3})
        client.close()
    return MANY


class Stdio:
    """A server of its own behind pipes, with a call in flight that would never end."""

    def __init__(self, world, directory):
        number = world.mix.numbers.unique()
        self.mark = f"mark={number}"
        self.process = subprocess.Popen(
            world.server.command("serve", "--workspace", str(world.server.workspace)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
            env={**world.server.environment(), "REVERSECORE_DATA_DIR": directory})
        self.say({"id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "proof", "version": "1"}}})
        self.first = self.read(10)
        self.say({"method": "notifications/initialized"})
        self.say({"id": 2, "method": "tools/call", "params": {"name": "run_yara", "arguments": {
            "file_path": world.server.files["small"][0], "rules": ENDLESS, "engine": "external", "timeout": 30, "cache": "bypass",
            "externals": {"mark": number}}}})
        world.until(self.program, 5)
        self.below = [each.key for each in world.family.now(self.process.pid)]

    def program(self):
        return [pid for pid in tree(self.process.pid) if (each := process(pid)) and self.mark in " ".join(each.words)]

    def say(self, message):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def read_until(self, word, limit):
        text, deadline = b"", time.monotonic() + limit
        while word not in text and (left := deadline - time.monotonic()) > 0:
            text += (more := self.read(left))
            if not more:
                break
        return text

    def read(self, limit):
        readable, _, _ = select.select([self.process.stdout], [], [], limit)
        return os.read(self.process.stdout.fileno(), 1 << 16) if readable else b""


@fault("a stdio client breaks off", "clients", 10, 2)
def stdio(world):
    """It closes one end or both, says nonsense, or its server is killed."""
    how = ["both", "stdout", "nonsense", "kill", "stdin"][world.turn("stdio") % 5]
    with tempfile.TemporaryDirectory(dir=world.server.directory) as directory:
        server = Stdio(world, directory)
        try:
            world.ledger.holds(4, f"stdio: the first message was answered by {server.first[:100]}", b'"id":1' in server.first)
            if how == "nonsense":
                server.process.stdin.write(b"\xff{]not json\n\n[]\n{\"jsonrpc\":\"2.0\"}\n")
                server.say({"id": 3, "method": "tools/list", "params": {}})
                # The first call's answer may come before.
                text = server.read_until(b'"id":3', 5)
                world.ledger.holds(2, f"stdio: after nonsense: {text[:100]}", b'"id":3' in text)
            if how == "kill":
                server.process.send_signal(signal.SIGKILL)
            if how in ("stdout", "both", "nonsense"):
                server.process.stdout.close()
            if how in ("stdin", "both", "nonsense"):
                server.process.stdin.close()
            if how == "stdout":
                # It learns of that when it says something.
                server.say({"id": 4, "method": "tools/list", "params": {}})
                server.process.stdin.close()
            if how == "stdin":
                # Somebody reads still: the calls may go on. Then it is told to end.
                time.sleep(0.3)
                server.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.process.wait(SHUTDOWN_SECONDS + 6)
            ended = server.process.returncode
            world.ledger.holds(2, f"stdio, {how}: the server does not end", ended is not None)
            left = gone(server.below, 1.0) if ended is not None else server.below
            world.ledger.holds(3, f"stdio, {how}: {len(left)} processes are alive 1 s after the server", not left)
        finally:
            server.process.kill()
            server.process.wait()
            for each in (server.process.stdin, server.process.stdout):
                with contextlib.suppress(OSError):
                    each.close()
    return 1
