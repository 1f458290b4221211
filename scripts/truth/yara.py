"""Scores `run_yara` against the matches and offsets of yara 4.5.

`own.yar` is compared rule by rule: which rules match, their tags and the
offsets of each pattern. The large set is compared as a list of rules.
"""

import json


def truth_file(corpus):
    files = sorted((corpus / "truth").glob("*-yara.json"))
    return json.loads(files[0].read_text())["data"] if files else {}


def offsets(match):
    found = {}
    for place in match["strings"]:
        found.setdefault(place["identifier"], []).append(place["offset"])
    return {name: sorted(places) for name, places in found.items()}


def score(corpus, run):
    own, large = run.matches("rules/own.yar"), run.matches("rules/reversinglabs")
    for path, truth in sorted(truth_file(corpus).items()):
        if not (corpus / "samples" / path).exists():
            continue
        found = {match["rule"]: match for match in own[path]["matches"]}
        expected = {match["rule"]: match for match in truth["own"]}
        for rule in sorted(found.keys() | expected.keys()):
            yield "own: rule", f"{path}: {rule}", rule in expected, rule in found
            if rule not in expected or rule not in found:
                continue
            ours, theirs = found[rule], expected[rule]
            yield "own: tags", f"{path}: {rule}", theirs["tags"], ours["tags"]
            places = {name: sorted(at) for name, at in theirs["strings"].items()}
            yield "own: offsets", f"{path}: {rule}", places, offsets(ours)
        names = sorted(match["rule"] for match in large[path]["matches"])
        yield "large set", path, sorted(truth["reversinglabs"]), names
