"""Faults of the server itself: stopped, told to end, killed; each while it is under load."""

import signal
import time

from .client import Client
from .family import gone, send
from .server import BATCH_FILES, SHUTDOWN_SECONDS
from .world import fault

# The grace, what cancelled calls have to clean up, and what a busy machine takes.
DRAINED_IN = SHUTDOWN_SECONDS + 9
BATCH_LIMIT = 60


def _leftovers(world, name, since):
    """No process of it is alive a second after its end; looked for by tree, namespace, executable and mark."""
    keys = list(world.family.known)
    left = gone(keys, max(0.0, since + 1.0 - time.monotonic()))
    world.ledger.holds(3, lambda: f"{name}: {[world.family.known[key].words[:3] for key in left]} are alive 1 s later", not left)
    strays = world.family.anywhere()
    world.ledger.holds(3, lambda: f"{name}: {[each.words[:3] for each in strays]} are alive 1 s later", not strays)
    world.family.known.clear()
    world.family.namespaces.clear()


@fault("the server stopped, and let go on", "the server", 5, 1)
def stopped(world):
    pause = world.dice.uniform(0.3, 2.0)
    with world.server.outage.during():
        world.server.process.send_signal(signal.SIGSTOP)
        time.sleep(pause)
        world.server.process.send_signal(signal.SIGCONT)
    return 1


@fault("the server told to end", "the server", 4, 1)
def told(world):
    """Calls that it has are answered or cancelled within the grace; it ends with 0."""
    key, arguments = world.mix.ask(None, "run_yara", world.server.files["small"][0], expect=False)
    calls = [world.call("run_yara", {**arguments, "rules": 'rule slow { condition: for all i in (1..40000000) : (i > 0) }',
                                     "timeout": 2, "cache": "bypass", "externals": {"n": number}}) for number in range(3)]
    time.sleep(0.4)
    with world.server.outage.during():
        code, took = world.server.ends(signal.SIGTERM, DRAINED_IN + 5)
        ended = time.monotonic()
        world.ledger.holds(6, f"the server told to end: code {code} after {took:.1f} s", code == 0 and took <= DRAINED_IN)
        if code is None:
            world.server.process.kill()
            world.server.process.wait()
        _leftovers(world, "the server told to end", ended)
        for each in calls:
            answer = each.result(world)
            world.ledger.holds(4, lambda: f"the server told to end: a call that it had got {answer and answer.brief}",
                               answer is not None and answer.told)
        world.server.start()
    return 1


def _batch(client, tools):
    return client.call("submit_batch", {"paths": ["batch"], "tools": tools})


def _finish(world, client, job):
    """Waits for the batch and gives the path of each row, in order."""
    done = lambda: (found := client.call("get_job", {"job_id": job})).good and found.data.get("state") != "running" and found
    state = world.until(done, BATCH_LIMIT, 0.1)
    world.ledger.holds(4, lambda: f"batch {job} after the restart: {state and state.data.get('state')}", bool(state) and state.data["state"] == "done")
    paths, cursor = [], None
    while True:
        page = client.call("get_batch_results", {"job_id": job, "limit": 100, **({"cursor": cursor} if cursor else {})})
        if not page.good:
            world.ledger.holds(4, f"batch {job}: its results: {page.brief}", False)
            return paths
        paths += [(each["path"], each["state"]) for each in page.data["files"]]
        cursor = page.metadata.get("next_cursor")
        if not cursor:
            return paths


@fault("the server killed", "the server", 6, 1)
def killed(world):
    """In the middle of a batch, which goes on where it was; nothing of the old server is left after a second."""
    turn = world.turn("killed")
    # Another batch each time: equal ones would be done already.
    tools = [{"name": "run_strings", "arguments": {"min_length": 5 + turn % 200}}, "get_file_info"]
    client = Client(world.server.port)
    begun = _batch(client, tools)
    world.ledger.holds(4, lambda: f"submit_batch: {begun.brief} {begun.envelope.get('message', '')}", begun.good)
    time.sleep(world.dice.uniform(0.0, 0.5))
    with world.server.outage.during():
        world.family.now(world.server.pid)
        world.server.process.send_signal(signal.SIGKILL)
        world.server.process.wait()
        _leftovers(world, "the server killed", time.monotonic())
        world.server.start()
    client.close()
    again = _batch(client, tools)
    world.ledger.holds(4, lambda: f"submit_batch after the restart: {again.brief} {again.envelope.get('message', '')}", again.good)
    if again.good:
        rows = _finish(world, client, again.data["job_id"])
        world.ledger.holds(4, lambda: f"the batch has {len(rows)} rows of {len(set(rows))} files, {BATCH_FILES} were asked for",
                           len(rows) == len({path for path, _ in rows}) == BATCH_FILES)
        bad = [row for row in rows if row[1] != "done"]
        world.ledger.holds(4, lambda: f"files of the batch that failed: {bad[:5]}", not bad)
    client.close()
    return 1


@fault("the server killed while stopped", "the server", 2, 0)
def killed_stopped(world):
    with world.server.outage.during():
        known = world.family.now(world.server.pid)
        world.server.process.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        # Its processes stand still too: they can't even be asked to end.
        for each in known[1:]:
            if each.role == "program":
                send(each, signal.SIGSTOP)
        world.server.process.send_signal(signal.SIGKILL)
        world.server.process.wait()
        _leftovers(world, "the server killed while stopped", time.monotonic())
        world.server.start()
    return 1
