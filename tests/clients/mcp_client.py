"""A real MCP client against the real server: do the answers about /bin/ls equal
what the programs say when they are run directly?

    mcp_client.py BINARY stdio|http legacy|modern|auto

Run by crates/reversecore/tests/clients.rs with the interpreter that
scripts/setup-tools prepares. Exits with 1 and a traceback when a check fails.
It checks the surface as a client sees it, and no internals.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import jsonschema
from mcp import Client, MCPError, StdioServerParameters

BINARY, TRANSPORT, ERA = sys.argv[1:4]
MODES = {"legacy": "legacy", "modern": "2026-07-28", "auto": "auto"}
TOOLS = {
    "disassemble",
    "extract_iocs",
    "get_file_info",
    "parse_binary",
    "triage",
    "get_server_health",
    "get_tool_metrics",
    "list_workspace",
    "run_binwalk",
    "run_file",
    "run_radare2",
    "run_strings",
    "run_yara",
}
PATH = "/usr/local/bin:/usr/bin:/bin"
RULES = """
rule elf : format {
  meta: author = "test"
  strings: $magic = { 7f 45 4c 46 }  $word = "usage" nocase
  condition: $magic at 0 and #word >= 0
}
rule other { condition: filesize == 0 }
"""
# Counts for longer than anybody waits; yara checks its clock while it does.
ENDLESS_RULE = "rule endless { condition: for all i in (1..1000000000000) : (i > 0) }"
LONGEST_WAIT = 30


def direct(*command, cwd):
    """The program's own answer, in the environment that the server gives it."""
    environment = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": str(cwd)}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, check=True, timeout=120
    )
    return done.stdout.decode()


def equal(what, actual, expected):
    if actual != expected:
        raise AssertionError(f"{what}: {actual!r} is not {expected!r}")


def true(what, condition, seen):
    if not condition:
        raise AssertionError(f"{what}: {json.dumps(seen)[:2000]}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def connected(workspace):
    """A client in its session, and the server's process number."""
    mode = MODES[ERA]
    arguments = ["serve", "--workspace", str(workspace)]
    environment = {"PATH": PATH, "LOG_LEVEL": "error", "REVERSECORE_DATA_DIR": str(workspace / "data")}
    if TRANSPORT == "stdio":
        server = StdioServerParameters(
            command=BINARY, args=arguments, env=environment
        )
        async with Client(server, mode=mode) as client:
            yield client, child_named(os.getpid(), BINARY)
        return
    port = free_port()
    process = subprocess.Popen(
        [BINARY, *arguments, "--http", f"127.0.0.1:{port}"],
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    try:
        await until("the server listens", lambda: listens(port) or process.poll() is not None)
        async with Client(f"http://127.0.0.1:{port}/mcp", mode=mode) as client:
            yield client, process.pid
    finally:
        process.terminate()
        process.wait(timeout=LONGEST_WAIT)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def until(what, condition):
    deadline = time.monotonic() + LONGEST_WAIT
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen in {LONGEST_WAIT} s: {what}")
        await anyio.sleep(0.02)


def processes():
    """Parent and name of every process."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        name = stat[stat.index("(") + 1 : stat.rindex(")")]
        state, parent = stat[stat.rindex(")") + 2 :].split()[:2]
        if state not in "ZX":
            found[int(entry.name)] = (int(parent), name)
    return found


def child_named(parent, program):
    return next(
        pid
        for pid, (parent_of, name) in processes().items()
        if parent_of == parent and name == Path(program).name[:15]
    )


def descendants_named(ancestor, name):
    everything = processes()

    def descends(pid):
        while pid in everything:
            pid = everything[pid][0]
            if pid == ancestor:
                return True
        return False

    return [pid for pid, (_, own) in everything.items() if own == name and descends(pid)]


async def call(client, tool, /, **arguments):
    """The envelope, after checking that the parts of the result agree."""
    result = await client.call_tool(tool, arguments)
    envelope = result.structured_content
    true(f"{tool} has an envelope", isinstance(envelope, dict), str(result))
    equal(f"{tool}: is_error", result.is_error, envelope["status"] == "error")
    true(f"{tool} has text", any(part.type == "text" and part.text for part in result.content), envelope)
    name = "parse_binary" if tool == "parse_binary_with_lief" else tool
    equal(f"{tool}: metadata.tool", envelope["metadata"]["tool"], name)
    return envelope


async def succeed(client, tool, /, **arguments):
    envelope = await call(client, tool, **arguments)
    true(f"{tool} succeeds", envelope["status"] == "success", envelope)
    return envelope["data"], envelope["metadata"]


async def refused(client, code, named, tool, **arguments):
    envelope = await call(client, tool, **arguments)
    true(f"{tool} is refused", envelope["status"] == "error", envelope)
    equal("error_code", envelope["error_code"], code)
    true(f"the message names {named}", named in envelope["message"], envelope)


def one_list(data):
    """The items of a report: the longest list in it."""
    return max((value for value in data.values() if isinstance(value, list)), key=len)


async def check_catalogue(client):
    listed = (await client.list_tools()).tools
    true("all tools are listed", TOOLS <= {tool.name for tool in listed}, [t.name for t in listed])
    for tool in listed:
        hints = tool.annotations
        for hint in ("read_only_hint", "destructive_hint", "idempotent_hint", "open_world_hint"):
            true(f"{tool.name}: {hint}", getattr(hints, hint) is not None, str(hints))
        equal(f"{tool.name}: schema type", tool.input_schema["type"], "object")
        equal(f"{tool.name}: unknown arguments", tool.input_schema.get("additionalProperties"), False)


async def check_file(client, workspace):
    expected = direct("file", "-b", "ls", cwd=workspace).strip()
    data, metadata = await succeed(client, "run_file", file_path="ls")
    # The embedded engine's words are its own; the facts are the same.
    for fact in ("ELF 64-bit", "pie executable", "x86-64", "dynamically linked", "stripped"):
        true(f"both say {fact}", fact in expected and fact in data["description"], data)
    equal("MIME type", data["mime_type"], direct("file", "-b", "--mime-type", "ls", cwd=workspace).strip())
    true("the engine is embedded", metadata["engine"].startswith("embedded "), metadata)
    data, metadata = await succeed(client, "run_file", file_path="ls", engine="external")
    true("the description is file's own", expected in data.values(), data)
    equal("sha256", metadata["sha256"], direct("sha256sum", "ls", cwd=workspace).split()[0])


async def check_strings(client, workspace):
    for length in (4, 8):
        for engine in ("embedded", "external"):
            lines = direct("strings", "-a", "-t", "x", "-n", str(length), "ls", cwd=workspace)
            expected = [re.match(r" *([0-9a-f]+) (.*)", line).groups() for line in lines.splitlines()]
            asked = {"file_path": "ls", "min_length": length, "engine": engine}
            found, pages = [], 0
            while True:
                data, metadata = await succeed(client, "run_strings", **asked)
                equal("number of strings", metadata["total"], len(expected))
                found += one_list(data)
                pages += 1
                if "next_cursor" not in metadata:
                    break
                equal("truncated", metadata["truncated"], True)
                asked["cursor"] = metadata["next_cursor"]
            true("they are paged", pages > 1 or length > 4, pages)
            equal("all of them", found, [[int(offset, 16), "ascii", text] for offset, text in expected])
    data, metadata = await succeed(client, "run_strings", file_path="ls", pattern="^usage|GLIBC")
    matching = re.compile("^usage|GLIBC")
    found = direct("strings", "-a", "-n", "4", "ls", cwd=workspace).splitlines()
    equal("filtered strings", metadata["total"], sum(1 for text in found if matching.search(text)))


async def check_binwalk(client, workspace):
    lines = direct("binwalk", "ls", cwd=workspace).splitlines()
    expected = [int(line.split()[0]) for line in lines if re.match(r"\d+ +0x", line)]
    data, metadata = await succeed(client, "run_binwalk", file_path="ls")
    [program] = [item for item in data["signatures"] if item["offset"] == 0]
    equal("the program itself", (program["name"], program["confidence"]), ("elf", "high"))
    data, metadata = await succeed(client, "run_binwalk", file_path="ls", engine="external")
    equal("number of signatures", metadata["total"], len(expected))
    equal("offsets", [item["offset"] for item in one_list(data)], expected)


async def check_yara(client, workspace):
    rules = workspace / "rules.yar"
    rules.write_text(RULES)
    lines = direct("yara", "-s", "rules.yar", "ls", cwd=workspace).splitlines()
    expected = [re.match(r"0x([0-9a-f]+):(\$\w+):", line).groups() for line in lines[1:]]
    sources = ({"rules": RULES}, {"rule_file": "rules.yar"}, {"rule_file": "."}, {"rules": RULES, "engine": "external"})
    for source in sources:
        data, metadata = await succeed(client, "run_yara", file_path="ls", **source)
        equal("matching rules", metadata["total"], 1)
        [match] = one_list(data)
        equal("rule", match["rule"], "elf")
        equal("tags", match["tags"], ["format"])
        true("meta", "author" in json.dumps(match["meta"]), match)
        found = [(item["offset"], item["identifier"]) for item in match["strings"]]
        equal("matched strings", sorted(found), sorted((int(o, 16), i) for o, i in expected))
        first = min(match["strings"], key=lambda item: item["offset"])
        equal("length of the magic", first["length"], 4)


async def check_embedded(client, workspace):
    """Facts about /bin/ls that other programs know too, by engines that need none."""
    header = direct("readelf", "-hW", "ls", cwd=workspace)
    entry = int(re.search(r"Entry point address: +0x([0-9a-f]+)", header)[1], 16)
    names = re.findall(r"NEEDED.*\[(.*)\]", direct("readelf", "-dW", "ls", cwd=workspace))
    data, _ = await succeed(client, "parse_binary", file_path="ls", limit=1000)
    [image] = data["images"]
    equal("entry point", image["entry_point"]["address"], entry)
    equal("libraries", image["libraries"], names)
    equal("sections", len(image["sections"]), int(re.search(r"Number of section headers: +(\d+)", header)[1]))
    data, _ = await succeed(client, "get_file_info", file_path="ls")
    for name in ("md5", "sha1", "sha512"):
        equal(name, data["hashes"][name], direct(f"{name}sum", "ls", cwd=workspace).split()[0])
    data, _ = await succeed(client, "disassemble", file_path="ls", count=8)
    equal("first instruction", data["instructions"][0]["address"], entry)
    equal("instructions", len(data["instructions"]), 8)
    data, _ = await succeed(client, "parse_binary_with_lief", file_path="ls")
    (workspace / "notes.txt").write_text("beacon to hxxp://bad[.]example[.]com/x from 8.8.8.8\n")
    data, _ = await succeed(client, "extract_iocs", file_path="notes.txt")
    found = {item["value"] for item in data["items"]}
    true("defanged forms are refanged", {"http://bad.example.com/x", "8.8.8.8"} <= found, data)
    data, _ = await succeed(client, "triage", file_path="ls")
    equal("triage's kind", data["identity"]["kind"], "elf")
    true("triage is short", len(json.dumps(data)) < 16_000, data)
    await refused(client, "PARSE_ERROR", "no PE, ELF or Mach-O", "parse_binary", file_path="notes.txt")
    await refused(client, "VALIDATION_ERROR", "address", "disassemble", file_path="ls", address="zero")


async def check_radare2(client, workspace):
    for command in ("px 64", "aa;afl~entry0", "iSj"):
        expected = direct("r2", "-q", "-e", "scr.color=0", "-c", command, "ls", cwd=workspace)
        data, _ = await succeed(client, "run_radare2", file_path="ls", r2_command=command)
        said = {value.strip() if isinstance(value, str) else json.dumps(value, sort_keys=True) for value in data.values()}
        parsed = json.dumps(json.loads(expected), sort_keys=True) if command.endswith("j") else None
        true(f"radare2 says the same to {command}", expected.strip() in said or parsed in said, data)


async def check_refusals(client):
    await refused(client, "VALIDATION_ERROR", "min_lenght", "run_strings", file_path="ls", min_lenght=4)
    await refused(client, "VALIDATION_ERROR", "timeout", "run_file", file_path="ls", timeout=0)
    await refused(client, "FILE_NOT_FOUND", "missing", "run_file", file_path="missing")
    await refused(client, "PATH_NOT_ALLOWED", "../ls", "run_file", file_path="../ls")
    try:
        result = await client.call_tool("run_everything", {})
    except MCPError as error:
        true("an unknown tool is named", "run_everything" in str(error), str(error))
    else:
        raise AssertionError(f"an unknown tool answered: {result}")


async def check_cancel(client, server):
    """A call that the client gives up ends on the server, and is counted so."""
    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()

        async def endless():
            with scope:
                arguments = {"file_path": "ls", "rules": ENDLESS_RULE, "engine": "external"}
                await client.call_tool("run_yara", arguments)
                raise AssertionError("the endless call came to an end")

        tasks.start_soon(endless)
        await until("yara runs", lambda: descendants_named(server, "yara"))
        # Nothing else waits behind it.
        await succeed(client, "get_server_health")
        scope.cancel()
    await until("yara is gone", lambda: not descendants_named(server, "yara"))
    # The record is written when the call has ended, which is after its processes.
    deadline = time.monotonic() + LONGEST_WAIT
    while True:
        data, _ = await succeed(client, "get_tool_metrics")
        if "CANCELLED" in json.dumps(data):
            return
        true("the cancelled call is counted", time.monotonic() < deadline, data)
        await anyio.sleep(0.02)


async def check_schemas(client, workspace):
    """Answers of every tool, each against the schema that the tool has for them; and no
    schema is so wide that it says nothing."""
    listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    validators = {}
    for name, tool in listed.items():
        true(f"{name} has an output schema", tool.output_schema, name)
        jsonschema.Draft202012Validator.check_schema(tool.output_schema)
        validators[name] = jsonschema.Draft202012Validator(tool.output_schema)
    file = {"file_path": "ls"}
    _, metadata = await succeed(client, "run_radare2", file_path="ls", r2_command="px 100000 @ 0")
    artifact = {"artifact": metadata["artifact"]["id"]}
    jobs, _ = await succeed(client, "list_jobs")
    job = {"job_id": jobs["jobs"][0]["id"]}
    batch = {"paths": ["ls"], "tools": ["get_file_info", {"name": "run_strings", "arguments": {"min_length": 8}}], "wait": 60}
    submitted, _ = await succeed(client, "submit_batch", **batch)
    batch_job = {"job_id": submitted["job_id"]}
    functions, _ = await succeed(client, "list_functions", file_path="ls", limit=1)
    function = functions["functions"][0][0]
    questions = [
        ("triage", file),
        ("get_file_info", file | {"entropy_curve": True}),
        ("run_file", file),
        ("run_file", file | {"engine": "external"}),
        ("parse_binary", file),
        ("read_bytes", file | {"offset": "0x40", "length": 64}),
        ("read_bytes", file | {"decode": ["xor:7f", "base64"]}),
        ("disassemble", file),
        ("disassemble", file | {"function": hex(function)}),
        ("list_functions", file),
        ("find_xrefs", file | {"to": "malloc"}),
        ("get_call_graph", file | {"function": hex(function)}),
        ("get_call_graph", file | {"function": hex(function), "render": "dot"}),
        ("get_control_flow_graph", file | {"function": hex(function), "instructions": True}),
        ("get_control_flow_graph", file | {"function": hex(function), "render": "mermaid"}),
        ("decompile", file | {"function": hex(function)}),
        ("decompile", file | {"function": hex(function), "engine": "external"}),
        ("search_code", file | {"instructions": "ret"}),
        ("diff_binaries", file | {"other_path": "ls"}),
        ("compare_files", file | {"other_path": "notes.txt"}),
        ("extract_iocs", {"file_path": "notes.txt"}),
        ("run_strings", file),
        ("run_strings", file | {"sections": True}),
        ("run_strings", file | {"engine": "external"}),
        ("run_binwalk", file),
        ("run_binwalk", file | {"engine": "external"}),
        ("run_yara", file | {"rules": RULES, "slow_rules": True, "rule_timeout": 9}),
        ("run_yara", file | {"rules": RULES, "engine": "external"}),
        ("run_radare2", file | {"r2_command": "iSj"}),
        ("run_radare2", file | {"r2_command": "px 16"}),
        ("submit_batch", batch),
        ("get_job", batch_job),
        ("get_batch_results", batch_job),
        ("get_batch_results", batch_job | {"full": True}),
        ("list_workspace", {}),
        ("get_server_health", {}),
        ("get_tool_metrics", {}),
        ("list_jobs", {}),
        ("get_job", job),
        ("cancel_job", job),
        ("read_artifact", artifact),
        ("read_artifact", artifact | {"pattern": "ELF"}),
    ]
    for name, arguments in questions:
        envelope = await call(client, name, **arguments)
        true(f"{name} succeeds", envelope["status"] == "success", envelope)
        validators[name].validate(envelope)
        members = listed[name].output_schema["properties"]["data"]["properties"]
        true(f"{name}: the schema has all of {sorted(envelope['data'])}", envelope["data"].keys() <= members.keys(), members)
    # Errors come with no promise, and keep the schema's all the same.
    validators["run_file"].validate(await call(client, "run_file", file_path="missing"))
    untried = listed.keys() - {name for name, _ in questions}
    equal("tools without a question here", untried, {"get_job_result"})
    true("schemas are small", len(json.dumps([tool.output_schema for tool in listed.values()])) < 500 * len(listed), None)


async def cancelled(client, tool):
    """How many calls of this tool have been cancelled."""
    data, _ = await succeed(client, "get_tool_metrics", tool=tool)
    return sum(metrics["errors"].get("CANCELLED", 0) for metrics in data["tools"])


async def check_long_calls(client, workspace):
    """A call that takes long says how far it is, and ends when its client's time does."""
    with open(workspace / "huge", "wb") as file:
        file.truncate(1 << 36)
    told = []
    before = await cancelled(client, "get_file_info")

    async def note(progress, total, message):
        told.append((progress, total, message))

    try:
        await client.call_tool("get_file_info", {"file_path": "huge"}, read_timeout_seconds=5, progress_callback=note)
    except MCPError as error:
        true("the time ran out", "time" in str(error).lower(), str(error))
    else:
        raise AssertionError("a file of 64 GiB was read in 5 s")
    true("progress was told", told and told[0][0] >= 1 and "computing hashes" in told[0][2], told)
    deadline = time.monotonic() + LONGEST_WAIT
    while await cancelled(client, "get_file_info") == before:
        true("the call ends on the server", time.monotonic() < deadline, told)
        await anyio.sleep(0.02)


async def main():
    with tempfile.TemporaryDirectory(prefix="reversecore-client-") as directory:
        workspace = Path(directory)
        shutil.copy("/bin/ls", workspace / "ls")
        async with connected(workspace) as (client, server):
            checks = [
                ("catalogue", lambda: check_catalogue(client)),
                ("run_file", lambda: check_file(client, workspace)),
                ("run_strings", lambda: check_strings(client, workspace)),
                ("run_binwalk", lambda: check_binwalk(client, workspace)),
                ("run_yara", lambda: check_yara(client, workspace)),
                ("embedded engines", lambda: check_embedded(client, workspace)),
                ("run_radare2", lambda: check_radare2(client, workspace)),
                ("refusals", lambda: check_refusals(client)),
                ("schemas", lambda: check_schemas(client, workspace)),
                ("long calls", lambda: check_long_calls(client, workspace)),
                ("cancel", lambda: check_cancel(client, server)),
            ]
            if ERA == "modern":
                equal("protocol version", client.protocol_version, MODES["modern"])
            for name, check in checks:
                await check()
                print(f"{name}: ok", flush=True)


anyio.run(main)
