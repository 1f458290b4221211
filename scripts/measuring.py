"""What the benchmark scripts share: a server, load from client processes of
their own (`reversecore bench load`), memory, samples, and the table at the end.
"""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MIB = 1 << 20
ROWS = []


def row(what, got, asked, met):
    print(f"{what}: {got} (asked {asked})", file=sys.stderr)
    ROWS.append((what, got, asked, {True: "yes", False: "**no**", None: "-"}[met]))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def server(options, workspace, configuration=""):
    """A server over HTTP; gives its port and process."""
    port = free_port()
    file = workspace.parent / f"{port}.toml"
    file.write_text(configuration)
    environment = {"PATH": os.environ["PATH"], "LOG_LEVEL": "info", "REVERSECORE_CONFIG": str(file),
                   "REVERSECORE_DATA_DIR": str(workspace.parent / f"data-{port}")}
    process = subprocess.Popen(
        [options.binary, "serve", "--http", f"127.0.0.1:{port}", "--workspace", str(workspace)],
        stderr=subprocess.DEVNULL, env=environment)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.02)
        time.sleep(0.5)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(20)


def start(options, port, tool, arguments, files, nice=0, **more):
    arguments = {**arguments} if tool.startswith("get_server") else {"cache": "bypass", **arguments}
    command = ["nice", "-n", str(nice), options.binary, "bench", "load", "--url", f"http://127.0.0.1:{port}/mcp",
               "--tool", tool, "--args", json.dumps(arguments)]
    for file in files:
        command += ["--file", file]
    for name, value in more.items():
        command += [f"--{name}", str(value)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def load(options, *args, **more):
    client = start(options, *args, **more)
    return json.loads(client.communicate()[0])


def tree(pid):
    found, todo = [], [pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                todo += map(int, pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def rss(pid):
    """Resident memory of one process, in MiB; 0 when it is gone."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def resident(pid):
    """MiB of all processes; a page that several share counts once."""
    total = 0
    for each in tree(pid):
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def distinct(directory, prefix, count, size):
    """Program code, in files that differ."""
    source = b"".join(path.read_bytes() for path in sorted(pathlib.Path("/usr/bin").iterdir())
                      if path.is_file() and not path.is_symlink() and path.stat().st_size > 100_000)[: 2 * size + 4096 * count]
    source = (source * (1 + (size + 4096 * count) // max(len(source), 1)))
    names = []
    for number in range(count):
        name = f"{prefix}-{number}"
        (directory / name).write_bytes(source[4096 * number: 4096 * number + size - 8] + number.to_bytes(8, "big"))
        names.append(name)
    return names


def table():
    print("| what | measured | asked | met |")
    print("|---|---|---|---|")
    for each in ROWS:
        print("| " + " | ".join(str(cell) for cell in each) + " |")
