"""Faults of the external programs: killed in the middle of their work, and programs that behave as
badly as they can (`misbehave`).
"""

import signal
import time

from .family import gone, send
from .mix import ENDLESS, RULES
from .world import fault

# How `misbehave` can be bad; for each, whether a whole answer can be honest.
OF_YARA = {"hang": False, "stubborn": False, "flood_stderr": False, "flood_stdout": False, "crash": False, "memory": False,
           "spin": False, "deaf": False, "garbage": False, "code": False, "stopped": False, "scratch": False,
           "offspring": True, "offspring_pipe": True, "offspring_hang": False, "fork_bomb": False}
OF_STRINGS = ["hang", "stubborn", "flood_stderr", "flood_stdout", "crash", "memory", "spin", "deaf", "garbage", "code"]
TOOL_TIME = 1
AT_ONE_TIME = 4


def _program(world, mark):
    """The process that works for the call of this mark."""
    def find():
        return [each for each in world.family.programs(world.server.pid) if mark in " ".join(each.words) + " "]
    found = world.until(find, 4)
    return found[0] if found else None


@fault("`yara` killed", "programs", 24, 6)
def yara_killed(world):
    number = world.mix.numbers.unique()
    mark = f"mark={number}"
    call = world.call("run_yara", {"file_path": world.server.files["small"][0], "rules": ENDLESS, "engine": "external", "timeout": 4,
                                   "cache": "bypass", "externals": {"mark": number}}, mark=mark)
    victim = _program(world, mark)
    hit = victim is not None and send(victim, world.dice.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM]))
    if hit:
        world.watch.expect_gone(victim, "killed")
    world.typed("`yara` killed", call.result(world))
    return int(hit)


@fault("`strings` killed", "programs", 8, 4)
def strings_killed(world):
    length = world.mix.numbers.length()
    mark = f"-n {length} "
    call = world.call("run_strings", {"file_path": world.server.files["huge"][0], "engine": "external", "min_length": length,
                                      "encoding": "all", "timeout": 5, "cache": "bypass"}, mark=mark)
    victim = _program(world, mark)
    hit = victim is not None and send(victim, signal.SIGKILL)
    # It may have ended in the moment between.
    world.typed("`strings` killed", call.result(world), but_complete=not hit)
    world.mix.numbers.release(length)
    return int(hit)


def _sessions(world):
    return [each for each in world.family.programs(world.server.pid) if "radare2" in " ".join(each.words[:1])]


@fault("a radare2 session killed", "programs", 12, 3)
def session_killed(world):
    world.promises.right("a session opened", "run_radare2", file=world.server.files["program"][0], r2_command="iSj")
    found = _sessions(world)
    if not found:
        return 0
    victim = world.dice.choice(found)
    hit = send(victim, signal.SIGKILL)
    if hit:
        world.watch.expect_gone(victim, "killed")
    world.promises.right("a radare2 session killed", "run_radare2", file=world.server.files["program"][0], r2_command="iSj")
    return int(hit)


@fault("all radare2 sessions stopped", "programs", 4, 1)
def session_stopped(world):
    held = [each for each in _sessions(world) if send(each, signal.SIGSTOP)]
    calls = [world.call("run_radare2", {"file_path": file, "r2_command": "iEj", "timeout": 2, "cache": "bypass"})
             for file in world.server.files["program"]]
    for each in calls:
        each.result(world)
    left = gone([each.key for each in held], 1.5)
    # One that was not asked stands still; it is let go on.
    for each in held:
        if each.key in left:
            send(each, signal.SIGCONT)
    return len(held)


def _misbehaving(world, tool, kinds):
    """Several of them at one time, each within a call of one second."""
    calls = []
    file = world.server.files["small"][0]
    for kind in kinds:
        number = world.mix.numbers.unique()
        if tool == "run_yara":
            arguments = {"rules": RULES, "externals": {"fault": f"{kind}-{number}"}}
            mark = f"fault={kind}-{number}"
        else:
            tens = OF_STRINGS.index(kind) + 10 * (number % 10)
            arguments, mark = {"min_length": 900 + tens}, f"-n {900 + tens} "
        calls.append((kind, time.monotonic(), world.call(tool, {
            "file_path": file, "engine": "external", "timeout": TOOL_TIME, "cache": "bypass", **arguments}, mark=mark)))
    for kind, begun, call in calls:
        answer = call.result(world)
        if tool == "run_yara":
            world.typed(f"`yara` that does {kind}", answer, but_complete=OF_YARA[kind])
        elif kind != "garbage":
            world.typed(f"`strings` that does {kind}", answer)
        world.ledger.holds(6, lambda: f"a program that does {kind}: answered after {time.monotonic() - begun:.1f} s", time.monotonic() - begun < 8)
    return len(calls)


@fault("`yara` that misbehaves", "programs", 12, 4)
def bad_yara(world):
    kinds = list(OF_YARA)
    at = AT_ONE_TIME * (world.turn("bad_yara") % (len(kinds) // AT_ONE_TIME))
    return _misbehaving(world, "run_yara", kinds[at:at + AT_ONE_TIME])


@fault("`strings` that misbehaves", "programs", 6, 2)
def bad_strings(world):
    at = 5 * (world.turn("bad_strings") % 2)
    return _misbehaving(world, "run_strings", OF_STRINGS[at:at + 5])
