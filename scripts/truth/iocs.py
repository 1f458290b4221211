"""Scores the report of `extract_iocs` against what was planted in a corpus.

Used by people and by the acceptance run. Each planted indicator is one
comparison (found or not; in binary files also where and in which encoding), and
so is each trap (reported or not). It does not judge kinds that the corpus did
not plant."""

import json

CASELESS = {"domain", "md5", "sha1", "sha256", "sha512", "cve", "ipv6", "email"}


def _key(kind, value):
    return kind, value.lower() if kind in CASELESS else value


def score(corpus, run):
    """Yields `(field, item, expected, got)`; equal means agreement."""
    for path in sorted((corpus / "truth").glob("gen-*.json")):
        yield from _score(corpus, run, json.loads(path.read_text()))


def _score(corpus, run, truth):
    for field in ("iocs", "iocs_binary"):
        part = truth.get(field)
        if not part or not (corpus / "samples" / part["file"]).is_file():
            continue
        report = run("extract_iocs", part["file"])
        items = {_key(item["kind"], item["value"]): item for item in report["items"]}
        for planted in part.get("expect", []):
            key = _key(planted["type"], planted["value"])
            name = f"{part['file']}:{':'.join(key)}"
            item = items.get(key)
            yield f"{field}.found", name, True, item is not None
            if item is None:
                continue
            if "offset" in planted:
                yield f"{field}.offset", name, planted["offset"], next(
                    (o for o in item["offsets"] if o == planted["offset"]), item["offset"])
            if "encoding" in planted:
                yield f"{field}.encoding", name, planted["encoding"], item["encoding"]
            if planted.get("defanged"):
                yield f"{field}.defanged", name, True, item["defanged"]
            if planted.get("private"):
                yield f"{field}.private_is_low", name, "low", item["confidence"]
        for trap in part.get("must_not", []):
            key = _key(trap["type"], trap["value"])
            yield f"{field}.trap", f"{part['file']}:{':'.join(key)}", False, key in items
