"""One call over HTTP, and what became of it. A call always comes to an answer of this
module: a result, a typed error, a refusal, or what went wrong on the way.
"""

import http.client
import json
import socket
import time
from dataclasses import dataclass, field

# An answer that has not come by then is lost.
PATIENCE = 20.0
# The server closes connections that are idle for long; one that was idle for so long is not used again.
IDLE = 1.0
JSON = "application/json"


@dataclass
class Answer:
    # success, error, running, refused, protocol, broken, nothing
    kind: str
    code: str = ""
    data: object = None
    metadata: dict = field(default_factory=dict)
    envelope: dict = field(default_factory=dict)
    took: float = 0.0
    size: int = 0
    # Answers to this one call; anything but one is a fault.
    count: int = 1
    # Longest time without a sign of life, where progress was asked for.
    silence: float = 0.0
    # When its connection was opened.
    opened: float = 0.0

    @property
    def good(self):
        return self.kind == "success"

    @property
    def told(self):
        """Whether the caller learned what became of the call."""
        return self.kind in ("success", "error", "running", "refused")

    @property
    def brief(self):
        coverage = self.metadata.get("coverage")
        return f"{self.kind} {self.code or coverage or ''} after {self.took:.2f} s".replace("  ", " ")


class Client:
    """A connection; opened anew when it has broken. With `session`, of the older era."""

    def __init__(self, port, session=False, patience=PATIENCE):
        self.port, self.patience = port, patience
        self.wants_session, self.session, self.connection = session, None, None
        self.number, self.used, self.opened = 0, 0.0, 0.0

    def close(self):
        """Leaves; a session is left behind."""
        self._hang_up()
        self.session = None

    def _hang_up(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def _open(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.patience)
        self.connection.connect()
        self.opened = time.monotonic()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.wants_session and not self.session:
            hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
                "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "proof", "version": "1"}}}
            response = self._post(hello, {})
            response.read()
            self.session = response.getheader("mcp-session-id")
            self._post({"jsonrpc": "2.0", "method": "notifications/initialized"}, {}).read()

    def _post(self, message, more):
        headers = {"Content-Type": JSON, "Accept": f"{JSON}, text/event-stream",
                   "MCP-Protocol-Version": "2025-11-25" if self.wants_session else "2026-07-28", **more}
        if self.session:
            headers["Mcp-Session-Id"] = self.session
        self.connection.request("POST", "/mcp", json.dumps(message), headers)
        return self.connection.getresponse()

    def call(self, tool, arguments, progress=False):
        begun = time.monotonic()
        if begun - self.used > IDLE:
            self._hang_up()
        try:
            if not self.connection:
                self._open()
            answer = self._call(tool, arguments, progress)
        except TimeoutError:
            self.close()
            answer = Answer("nothing", "no answer", count=0)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            answer = Answer("broken", type(error).__name__, count=0)
        self.used = time.monotonic()
        answer.took, answer.opened = self.used - begun, self.opened
        return answer

    def _call(self, tool, arguments, progress):
        self.number += 1
        params, more = {"name": tool, "arguments": arguments}, {}
        meta = {"progressToken": self.number} if progress else {}
        if not self.wants_session:
            meta |= {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                     "io.modelcontextprotocol/clientInfo": {"name": "proof", "version": "1"},
                     "io.modelcontextprotocol/clientCapabilities": {}}
            more = {"Mcp-Method": "tools/call", "Mcp-Name": tool}
        if meta:
            params["_meta"] = meta
        response = self._post({"jsonrpc": "2.0", "id": self.number, "method": "tools/call", "params": params}, more)
        if response.getheader("content-type", "").startswith("text/event-stream"):
            messages, size, silence = events(response)
        else:
            text = response.read()
            messages, size, silence = [json.loads(text)] if text else [], len(text), 0.0
        if response.will_close:
            self._hang_up()
        if response.status != 200:
            said = messages[0] if messages else {}
            said = said.get("error", {}).get("data", {}) if "jsonrpc" in said else said
            return Answer("refused", said.get("error_code") or f"HTTP {response.status}", envelope=said, size=size)
        replies = [each for each in messages if each.get("id") == self.number and ("result" in each or "error" in each)]
        answer = understood(replies[-1]) if replies else Answer("broken", "stream without an answer")
        answer.size, answer.silence, answer.count = size, silence, len(replies)
        return answer


def events(response):
    """The messages of a stream, and the longest pause between any two lines of it."""
    messages, data, size = [], [], 0
    last, silence = time.monotonic(), 0.0
    for line in iter(response.readline, b""):
        now = time.monotonic()
        silence, last = max(silence, now - last), now
        size += len(line)
        line = line.rstrip(b"\r\n")
        if line.startswith(b"data:"):
            data.append(line[5:].lstrip())
        elif not line and data:
            if text := b"\n".join(data).strip():
                messages.append(json.loads(text))
            data = []
    return messages, size, silence


def understood(message):
    if "error" in message:
        return Answer("protocol", str(message["error"].get("code")), envelope=message["error"])
    envelope = message["result"].get("structuredContent") or {}
    kind = envelope.get("status", "protocol")
    return Answer(kind, envelope.get("error_code", ""), envelope.get("data"), envelope.get("metadata") or {}, envelope)


def get(port, path, limit=5.0):
    """Status and body of a page, over a connection of its own, and how long it took."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=limit)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read(), time.monotonic() - begun
    except (OSError, http.client.HTTPException) as error:
        return 0, type(error).__name__.encode(), time.monotonic() - begun
    finally:
        connection.close()
