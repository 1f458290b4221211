#!/usr/bin/env python3
"""Python's asyncio behind the protocol of the engine conformance judge.

As its documentation recommends: create_subprocess_exec with pipes, both streams
read beside wait(), asyncio.timeout around it, and a session of its own so that
the whole group can be signalled: SIGTERM, the grace, SIGKILL.
"""

import asyncio
import errno
import hashlib
import json
import os
import platform
import signal
import sys

CHUNK = 64 << 10


class Collector:
    """Keeps the ends of a stream; counts and hashes the whole."""

    def __init__(self, keep, spill=None):
        self.keep, self.total, self.hash = keep, 0, hashlib.sha256()
        self.head, self.tail = bytearray(), bytearray()
        self.spill = open(spill, "wb") if spill else None

    async def drain(self, stream):
        while chunk := await stream.read(CHUNK):
            self.total += len(chunk)
            self.hash.update(chunk)
            if self.spill:
                self.spill.write(chunk)
            room = self.keep - len(self.head)
            self.head += chunk[:room]
            self.tail += chunk[room:]
            if len(self.tail) > 2 * self.keep:
                del self.tail[: len(self.tail) - self.keep]

    def stream(self, text):
        if self.spill:
            self.spill.close()
        tail = bytes(self.tail[max(0, len(self.tail) - self.keep):])
        answer = {"bytes": self.total, "sha256": self.hash.hexdigest(), "head": self.head.hex(), "tail": tail.hex()}
        if text:
            answer["text"] = (bytes(self.head) + tail).decode("utf-8", errors="replace")
        return answer


async def feed(pipe, count):
    if count is None:
        return
    try:
        pipe.write(b"x" * count)
        await pipe.drain()
        pipe.close()
    except (BrokenPipeError, ConnectionResetError):
        pass  # A program may end without having read all.


async def end_group(process, grace):
    """Asks the group to end, and kills it."""
    def tell(number):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
    tell(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), grace)
    except asyncio.TimeoutError:
        pass
    tell(signal.SIGKILL)
    await process.wait()


def ending_of(code):
    if code < 0:
        return {"ending": "signaled", "signal": -code}
    return {"ending": "exited", "code": code}


def not_started(error):
    if isinstance(error, FileNotFoundError):
        kind = "not_found"
    elif isinstance(error, PermissionError):
        kind = "not_executable"
    else:
        kind = "busy" if error.errno == errno.ETXTBSY else "other"
    return {"ending": "not_started", "kind": kind, "message": str(error)}


async def run(request, cancelled):
    """`cancelled` is set when the run is to be cancelled."""
    asked = request.get("stdin_bytes")
    try:
        process = await asyncio.create_subprocess_exec(
            request["program"], *request["args"], start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL if asked is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    except OSError as error:
        return not_started(error)
    out = Collector(request["keep"], request.get("spill"))
    err = Collector(request["keep"])
    whole = asyncio.gather(process.wait(), out.drain(process.stdout), err.drain(process.stderr),
                           feed(process.stdin, asked))
    stop = asyncio.ensure_future(cancelled.wait())
    try:
        await asyncio.wait({whole, stop}, timeout=request["timeout_ms"] / 1e3, return_when=asyncio.FIRST_COMPLETED)
        if whole.done():
            ended = ending_of(process.returncode)
        else:
            ended = {"ending": "cancelled" if stop.done() else "timed_out"}
            await end_group(process, request["grace_ms"] / 1e3)
            # What the pipes still hold, unless somebody else keeps them open.
            await asyncio.wait({whole}, timeout=0.1)
    finally:
        stop.cancel()
        whole.cancel()
        whole.add_done_callback(lambda done: done.cancelled() or done.exception())
    # Both have to be awaited, or their cancellation is complained about.
    await asyncio.wait({whole, stop})
    return {**ended, "stdout": out.stream(request["text"]), "stderr": err.stream(False)}


async def one(request):
    """A request to its reply, with the judge's interventions."""
    cancelled = asyncio.Event()
    if (after := request.get("cancel_after_ms")) is not None:
        asyncio.get_running_loop().call_later(after / 1e3, cancelled.set)
    task = asyncio.ensure_future(run(request, cancelled))
    dropped = request.get("drop_after_ms")
    done, _ = await asyncio.wait({task}, timeout=None if dropped is None else dropped / 1e3)
    if not done:
        # The nearest thing to dropping a future.
        task.cancel()
        return {"ending": "dropped"}
    if task.exception():
        return {"ending": "failed", "message": repr(task.exception())}
    return task.result()


def say(reply):
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


async def answer(request):
    say({"op": "ended", "id": request["id"], **await one(request)})


async def main():
    reader = asyncio.StreamReader(limit=4 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tasks = set()
    while line := await reader.readline():
        request = json.loads(line)
        if request["op"] == "hello":
            say({"op": "hello", "engine": f"asyncio, Python {platform.python_version()}", "offers": ["grace"],
                 "configured": "`create_subprocess_exec(start_new_session=True)`; both streams read beside `wait()`; "
                               "at the timeout and at a cancel `SIGTERM` to the group, the grace, `SIGKILL`"})
        elif request["op"] == "run":
            task = asyncio.ensure_future(answer(request))
            tasks.add(task)
            task.add_done_callback(tasks.discard)


if __name__ == "__main__":
    asyncio.run(main())
