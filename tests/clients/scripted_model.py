"""A model that is a script: the one part of an agent that can't be had without an
account, and the only one that scripts/try-clients doesn't take as it is.

It listens on 127.0.0.1 and speaks what agents speak to their models: Anthropic's
Messages, OpenAI's Responses and Chat Completions, Gemini's generateContent, each as
a stream or whole. It thinks nothing: it makes the calls of a script, and closes with
a sentence. Everything it was sent is kept, so that it can be seen what a client made
of the server's tools, its instructions and its answers.
"""

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CLOSING = "That is what the tool says."
USAGE = 7


@dataclass
class Offered:
    """A tool as a client offers it to its model."""

    name: str
    description: str
    schema: object
    namespace: str = ""

    @property
    def whole(self):
        return self.namespace + self.name


@dataclass
class Said:
    """What one request brings, whatever its dialect."""

    tools: list
    results: list = field(default_factory=list)
    instructions: str = ""


def text_of(content):
    """The text of a message's or a tool result's content, of any dialect."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(text_of(part) for part in content)
    if isinstance(content, dict):
        for member in ("text", "content", "output"):
            if member in content:
                return text_of(content[member])
        return json.dumps(content)
    return ""


class Messages:
    """Anthropic's Messages."""

    path = re.compile(r"/v1/messages$")

    @staticmethod
    def read(request):
        tools = [Offered(t["name"], t.get("description", ""), t.get("input_schema")) for t in request.get("tools", [])]
        parts = [p for m in request["messages"] if isinstance(m["content"], list) for p in m["content"]]
        results = [text_of(p.get("content")) for p in parts if p.get("type") == "tool_result"]
        return Said(tools, results, text_of(request.get("system")) + text_of([m["content"] for m in request["messages"]]))

    @staticmethod
    def answer(request, call, arguments, number):
        if call:
            block = {"type": "tool_use", "id": f"toolu_{number}", "name": call.name, "input": arguments}
        else:
            block = {"type": "text", "text": CLOSING}
        whole = {
            "id": f"msg_{number}",
            "type": "message",
            "role": "assistant",
            "model": request.get("model"),
            "content": [block],
            "stop_reason": "tool_use" if call else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": USAGE, "output_tokens": USAGE},
        }
        if not request.get("stream"):
            return whole, None
        if call:
            empty = block | {"input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
        else:
            empty = block | {"text": ""}
            delta = {"type": "text_delta", "text": CLOSING}
        ending = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        events = [
            {"type": "message_start", "message": whole | {"content": [], "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": empty},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": ending, "usage": {"output_tokens": USAGE}},
            {"type": "message_stop"},
        ]
        return None, events


class Responses:
    """OpenAI's Responses."""

    path = re.compile(r"/v1/responses$")

    @staticmethod
    def read(request):
        tools = Responses.tools(request.get("tools", []))
        results = []
        for item in request["input"]:
            if item["type"] in ("tool_search_output", "additional_tools"):
                tools += Responses.tools(item.get("tools", []))
            if item["type"] in ("function_call_output", "custom_tool_call_output"):
                results.append(text_of(item.get("output")))
        # What a server says of itself describes its namespace.
        spaces = [tool.get("description", "") for tool in request.get("tools", [])]
        return Said(tools, results, "\n".join([request.get("instructions", ""), text_of(request["input"]), *spaces]))

    @staticmethod
    def tools(listed, namespace=""):
        found = []
        for tool in listed:
            if tool.get("type") == "namespace":
                found += Responses.tools(tool["tools"], tool["name"])
            else:
                name = tool.get("name") or tool["type"]
                found.append(Offered(name, tool.get("description", ""), tool.get("parameters"), namespace))
        return found

    @staticmethod
    def answer(request, call, arguments, number):
        if call and call.name == "tool_search":
            item = {"type": "tool_search_call", "call_id": f"call_{number}", "execution": "client", "arguments": arguments}
        elif call and isinstance(arguments, str):
            item = {"type": "custom_tool_call", "call_id": f"call_{number}", "name": call.name, "input": arguments}
        elif call:
            item = {"type": "function_call", "call_id": f"call_{number}", "name": call.name, "arguments": json.dumps(arguments)}
            if call.namespace:
                item["namespace"] = call.namespace
        else:
            item = {"type": "message", "role": "assistant", "id": f"msg_{number}", "content": [{"type": "output_text", "text": CLOSING}]}
        usage = {"input_tokens": USAGE, "output_tokens": USAGE, "total_tokens": 2 * USAGE}
        response = {"id": f"resp_{number}", "object": "response", "output": [item], "usage": usage}
        if not request.get("stream"):
            return response, None
        events = [
            {"type": "response.created", "response": {"id": response["id"]}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": response},
        ]
        return None, events


class Completions:
    """OpenAI's Chat Completions."""

    path = re.compile(r"/v1/chat/completions$")

    @staticmethod
    def read(request):
        functions = [t["function"] for t in request.get("tools", [])]
        tools = [Offered(f["name"], f.get("description", ""), f.get("parameters")) for f in functions]
        results = [text_of(m["content"]) for m in request["messages"] if m["role"] == "tool"]
        return Said(tools, results, text_of([m.get("content") for m in request["messages"]]))

    @staticmethod
    def answer(request, call, arguments, number):
        message = {"role": "assistant", "content": None if call else CLOSING}
        if call:
            function = {"name": call.name, "arguments": json.dumps(arguments)}
            message["tool_calls"] = [{"index": 0, "id": f"call_{number}", "type": "function", "function": function}]
        reason = "tool_calls" if call else "stop"
        usage = {"prompt_tokens": USAGE, "completion_tokens": USAGE, "total_tokens": 2 * USAGE}
        whole = {"id": f"chat_{number}", "created": 0, "model": request.get("model")}
        if not request.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": reason}
            return whole | {"object": "chat.completion", "choices": [choice], "usage": usage}, None
        chunk = whole | {"object": "chat.completion.chunk"}
        events = [
            chunk | {"choices": [{"index": 0, "delta": message, "finish_reason": None}]},
            chunk | {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage},
        ]
        return None, events


class Gemini:
    """Gemini's generateContent."""

    path = re.compile(r"/v1(beta)?/models/[^/:]+:(streamG|g)enerateContent$")

    @staticmethod
    def read(request):
        functions = [f for t in request.get("tools", []) for f in t.get("functionDeclarations", [])]
        schema = lambda f: f.get("parametersJsonSchema") or f.get("parameters")
        tools = [Offered(f["name"], f.get("description", ""), schema(f)) for f in functions]
        parts = [p for c in request["contents"] for p in c.get("parts", [])]
        results = [text_of(p["functionResponse"]["response"]) for p in parts if "functionResponse" in p]
        said = [p.get("text", "") for p in parts + request.get("systemInstruction", {}).get("parts", [])]
        return Said(tools, results, "\n".join(said))

    @staticmethod
    def answer(request, call, arguments, number):
        part = {"functionCall": {"name": call.name, "args": arguments}} if call else {"text": CLOSING}
        candidate = {"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}
        usage = {"promptTokenCount": USAGE, "candidatesTokenCount": USAGE, "totalTokenCount": 2 * USAGE}
        whole = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "scripted"}
        return whole, [whole]


DIALECTS = (Messages, Responses, Completions, Gemini)


class Model:
    """The model while it listens: `with Model([("run_file", {...})]) as model`.

    It makes the calls of its script in their order, each once: a tool is known by how
    its name ends. A call whose tool is not offered is left out when a later one's is."""

    def __init__(self, script):
        self.script = list(script)
        # The tools that it called.
        self.called = []
        # What was said, one `Said` for each request that offered tools.
        self.said = []
        # The requests, as they came.
        self.heard = []
        # Method and path of each request.
        self.asked = []
        self.lock = threading.Lock()

    def __enter__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def decide(self, tools):
        """The tool to call now, with its arguments; or none."""
        for place, (ending, arguments) in enumerate(self.script):
            tool = next((tool for tool in tools if tool.name.endswith(ending)), None)
            if tool:
                del self.script[: place + 1]
                self.called.append(tool)
                return tool, arguments
        return None, None

    def respond(self, dialect, request):
        said = dialect.read(request)
        with self.lock:
            number = len(self.asked)
            self.heard.append(request)
            if said.tools:
                self.said.append(said)
            call, arguments = self.decide(said.tools)
        return dialect.answer(request, call, arguments, number)


def handler(model):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.send(200, "text/plain", b"")

        def do_GET(self):
            self.note()
            listed = {"object": "list", "data": [{"id": "scripted", "object": "model"}], "models": []}
            self.send(200, "application/json", json.dumps(listed).encode())

        def do_POST(self):
            self.note()
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.split("?")[0]
            dialect = next((d for d in DIALECTS if d.path.search(path)), None)
            if dialect is None:
                self.send(200, "application/json", b'{"input_tokens": 7, "totalTokens": 7}')
                return
            request = json.loads(body)
            whole, events = model.respond(dialect, request)
            if whole is not None and "stream" not in path:
                self.send(200, "application/json", json.dumps(whole).encode())
                return
            stream = "".join(
                (f"event: {event['type']}\n" if "type" in event else "") + f"data: {json.dumps(event)}\n\n" for event in events
            )
            if dialect is Completions:
                stream += "data: [DONE]\n\n"
            self.send(200, "text/event-stream", stream.encode())

        def note(self):
            with model.lock:
                model.asked.append(f"{self.command} {self.path}")

        def send(self, status, kind, body):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler
