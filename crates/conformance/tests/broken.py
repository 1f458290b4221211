#!/usr/bin/env python3
"""Drivers that do what no engine should: `broken.py HOW`. Each looks right from
inside, and the judge has to see from outside that it is not.

silent     never answers
dead       ends at the first run
forgetful  says what it is asked to say, in time, and lets the program live
hoarder    keeps all output in memory, and has all of it right
corrupt    changes one byte in a million
twice      answers everything twice
leaking    never waits, never closes, never removes
"""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time

HOW = sys.argv[1]
KEPT = []
LOCK = threading.Lock()


def say(reply):
    with LOCK:
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


def stream(data, keep):
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "head": data[:keep].hex(),
            "tail": data[keep:][-keep:].hex(), "text": data[: 1 << 16].decode("utf-8", errors="replace")}


def forget(request):
    KEPT.append(subprocess.Popen([request["program"], *request["args"]], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    for moment, ending in (("cancel_after_ms", "cancelled"), ("drop_after_ms", "dropped"), ("timeout_ms", "timed_out")):
        if request.get(moment) is not None:
            time.sleep(request[moment] / 1e3)
            return {"ending": ending}


def capture(request):
    done = subprocess.run([request["program"], *request["args"]], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=request["timeout_ms"] / 1e3)
    out = done.stdout
    if HOW == "corrupt" and len(out) > 1_000_000:
        out = out[:1_000_000] + b"?" + out[1_000_001:]
    return {"ending": "exited", "code": done.returncode,
            "stdout": stream(out, request["keep"]), "stderr": stream(done.stderr, request["keep"])}


def leak(request):
    reader, writer = os.pipe()
    KEPT.append((reader, writer, subprocess.Popen([request["program"], *request["args"]])))
    open(f"left-{request['id']}", "w").close()
    return {"ending": "exited", "code": 0}


def answer(request):
    how = {"forgetful": forget, "twice": forget, "leaking": leak}.get(HOW, capture)
    reply = {"op": "ended", "id": request["id"], **how(request)}
    for _ in range(2 if HOW == "twice" else 1):
        say(reply)


for line in sys.stdin:
    request = json.loads(line)
    if request["op"] == "hello":
        say({"op": "hello", "engine": HOW, "configured": "broken", "offers": []})
    elif HOW == "dead":
        sys.exit("on purpose")
    elif HOW != "silent":
        threading.Thread(target=answer, args=(request,), daemon=True).start()
