"""Faults of the processes that the embedded engines run in, and of the launcher that starts all."""

import signal
import time

from .family import LAUNCHER, gone, send, standing
from .mix import ENDLESS, TIMEOUT
from .world import fault

DEADLY = [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL]
# These have handlers in a worker (stack overflow, compiled rules), which give way to the default at the
# first one that is not theirs: a real fault would come again at once, so a sent one is sent again.
HANDLED = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL}
# A worker that gets no time of a busy machine takes several for one.
TIMES = 40


def _worker(world):
    found = world.until(lambda: world.family.workers(world.server.pid), 5)
    world.ledger.holds(2, lambda: f"no worker comes up within 5 s: {[(each.role, each.words[:2]) for each in world.family.now(world.server.pid)]}",
                       bool(found))
    return world.dice.choice(found) if found else None


def _kill(world, victim, number):
    if victim is None or not send(victim, number):
        return 0
    for _ in range(TIMES if number in HANDLED else 0):
        if not gone([victim.key], 0.02):
            break
        send(victim, number)
    world.watch.expect_gone(victim, signal.Signals(number).name)
    return 1


@fault("a worker killed", "workers", 160, 56)
def killed(world):
    # At any moment of its work, idle or not.
    time.sleep(world.dice.uniform(0, 0.03))
    return _kill(world, _worker(world), world.dice.choice(DEADLY))


@fault("all workers killed at once", "workers", 12, 3)
def all_killed(world):
    file = world.server.files["large"][0]
    key, arguments = world.mix.ask(None, "extract_iocs", file, cache="bypass")
    calls = [world.call("extract_iocs", {**arguments, "timeout": 5 + number}, expect=key) for number in range(3)]
    time.sleep(world.dice.uniform(0.02, 0.15))
    done = sum(_kill(world, each, signal.SIGKILL) for each in world.family.workers(world.server.pid))
    for each in calls:
        each.result(world)
    return done


@fault("all workers stopped", "workers", 4, 1)
def stopped(world):
    """They are not dead, they only do nothing any more."""
    held = [each for each in world.family.workers(world.server.pid) if send(each, signal.SIGSTOP)]
    begun = time.monotonic()
    file = world.server.files["small"][0]
    _, arguments = world.mix.ask(None, "get_file_info", file, cache="bypass")
    calls = [world.call("get_file_info", {**arguments, "timeout": 2 + number % 2}) for number in range(len(held))]
    for each in calls:
        each.result(world)
    world.ledger.holds(6, lambda: f"calls on stopped workers took {time.monotonic() - begun:.1f} s", time.monotonic() - begun < TIMEOUT + 5)
    # One that nobody has asked for anything stands still for good; nobody can know.
    for each in held:
        if standing(each.pid):
            send(each, signal.SIGCONT)
    return len(held)


@fault("a worker out of memory", "workers", 3, 1)
def out_of_memory(world):
    """More matches than it has room for: each is remembered until the scan is over."""
    pairs = "".join(f"$p{first}_{second} = {{ {first:02x} {second:02x} }} " for first in range(0, 256, 4) for second in (0, 0x48, 0x8b, 0xff))
    call = world.call("run_yara", {"file_path": world.server.files["huge"][0], "timeout": 30, "cache": "bypass",
                                   "rules": f"rule pairs {{ strings: {pairs} condition: any of them }}"}, patience=60)
    answer = call.result(world, 60)
    world.ledger.holds(7, lambda: f"a worker out of memory: {answer and answer.brief}", answer is not None and answer.code == "RESOURCE_LIMIT")
    return 1


@fault("a file cut off under its worker", "workers", 14, 4)
def cut_off(world):
    """The worker has it mapped: what it reads next is not there."""
    file = world.server.workspace / f"moving-{world.mix.numbers.unique()}"
    file.write_bytes((world.server.workspace / world.server.files["large"][0]).read_bytes())
    call = world.call("extract_iocs", {"file_path": file.name, "timeout": 5, "cache": "bypass"})
    time.sleep(world.dice.uniform(0.01, 0.12))
    with open(file, "r+b") as opened:
        opened.truncate(world.dice.choice([0, 4096, 1 << 20]))
    # It may have been done before.
    world.typed("a file cut off", call.result(world), but_complete=True)
    file.unlink()
    return 1


@fault("a file replaced while it is examined", "workers", 6, 2)
def replaced(world):
    file = world.server.workspace / f"moving-{world.mix.numbers.unique()}"
    file.write_bytes((world.server.workspace / world.server.files["large"][0]).read_bytes())
    call = world.call("extract_iocs", {"file_path": file.name, "timeout": 5, "cache": "bypass"})
    time.sleep(world.dice.uniform(0.0, 0.1))
    other = file.with_suffix(".new")
    other.write_bytes(b"something else" * 1000)
    other.rename(file)
    world.typed("a file replaced", call.result(world), but_complete=True)
    file.unlink()
    return 1


def _calls_meanwhile(world):
    number = world.mix.numbers.unique()
    small = world.server.files["small"][0]
    return [
        world.call("run_yara", {"file_path": small, "rules": ENDLESS, "engine": "external", "timeout": 4, "cache": "bypass",
                                "externals": {"mark": number}}, mark=f"mark={number}"),
        world.call("extract_iocs", {"file_path": world.server.files["large"][0], "timeout": 5, "cache": "bypass"}),
    ]


@fault("the launcher killed", "launcher", 14, 4)
def launcher_killed(world):
    """With it goes everything that it has started; the server has another one."""
    calls = _calls_meanwhile(world)
    time.sleep(world.dice.uniform(0.05, 0.3))
    found = world.family.now(world.server.pid)
    launchers = [each for each in found if each.role == LAUNCHER]
    guards = {each.pid for each in launchers if each.parent == world.server.pid}
    victim = next((each for each in launchers if each.parent in guards), None)
    if victim is None or not send(victim, signal.SIGKILL):
        return 0
    below = [each.key for each in found if each.pid not in guards | {world.server.pid}]
    left = gone(below, 1.0)
    world.ledger.holds(3, lambda: f"{len(left)} of {len(below)} processes are alive 1 s after the launcher", not left)
    world.typed("the launcher killed", calls[0].result(world))
    calls[1].result(world)
    return 1


@fault("the launcher's guard killed", "launcher", 5, 1)
def guard_killed(world):
    calls = _calls_meanwhile(world)
    time.sleep(world.dice.uniform(0.05, 0.3))
    found = world.family.now(world.server.pid)
    guard = next((each for each in found if each.role == LAUNCHER and each.parent == world.server.pid), None)
    if guard is None or not send(guard, signal.SIGKILL):
        return 0
    below = [each.key for each in found if each.pid != world.server.pid]
    left = gone(below, 1.0)
    world.ledger.holds(3, lambda: f"{len(left)} of {len(below)} processes are alive 1 s after the guard", not left)
    for each in calls:
        each.result(world)
    return 1


@fault("a supervisor killed", "launcher", 12, 3)
def supervisor_killed(world):
    """The process between the launcher and a program, where there is one."""
    found = world.family.now(world.server.pid)
    launchers = {each.pid for each in found if each.role == LAUNCHER}
    supervisors = [each for each in found if each.role == LAUNCHER and any(other.parent == each.pid and other.role != LAUNCHER for other in found)
                   and each.parent in launchers]
    if not supervisors:
        # With control groups there is none; its program takes its place.
        return _kill(world, _worker(world), signal.SIGKILL)
    victim = world.dice.choice(supervisors)
    below = [each for each in found if each.parent == victim.pid]
    if not send(victim, signal.SIGKILL):
        return 0
    for each in below:
        world.watch.expect_gone(each, "its supervisor is gone")
    return 1


@fault("the launcher stopped", "launcher", 2, 1)
def launcher_stopped(world):
    """For longer than calls have; it goes on then."""
    found = [each for each in world.family.launchers(world.server.pid)]
    guards = {each.pid for each in found if each.parent == world.server.pid}
    victim = next((each for each in found if each.parent in guards), None)
    if victim is None or not send(victim, signal.SIGSTOP):
        return 0
    with world.server.frozen.during():
        try:
            number = world.mix.numbers.unique()
            call = world.call("run_yara", {
                "file_path": world.server.files["small"][0], "rules": ENDLESS, "engine": "external", "timeout": 1,
                "cache": "bypass", "externals": {"mark": number}})
            time.sleep(1.5)
            world.promises.health("the launcher stopped")
            time.sleep(1.0)
        finally:
            send(victim, signal.SIGCONT)
    world.typed("the launcher stopped", call.result(world))
    return 1
