"""Scores `run_binwalk` against the planted parts of the generated images.

A part counts when an object of its kind begins exactly at its offset; the trap
files must carve to nothing.
"""

import json

# The generator's names that differ from ours, or say more than ours.
KINDS = {
    "squashfs_xz": "squashfs",
    "squashfs_gzip": "squashfs",
    "ext2": "ext",
    "ext3": "ext",
    "ext4": "ext",
}


def kind_of(part):
    kind = part["kind"]
    if kind.startswith("squashfs"):
        return "squashfs"
    if kind.startswith("fat"):
        return "fat"
    return KINDS.get(kind, kind)


def objects_of(run, path):
    return run("run_binwalk", path)["signatures"]


def truth_file(corpus):
    files = sorted((corpus / "truth").glob("gen-*.json"))
    return json.loads(files[0].read_text()) if files else {}


def score(corpus, run):
    truth = truth_file(corpus)
    for composite in truth.get("composites", []):
        path = composite["file"]
        if not (corpus / "samples" / path).exists():
            continue
        objects = objects_of(run, path)
        found = {(item["offset"], item["name"]) for item in objects}
        for part in composite["parts"]:
            expected = (part["offset"], kind_of(part))
            got = expected if expected in found else None
            yield "recall", f"{path}@{part['offset']}", expected, got
        planted = {(part["offset"], kind_of(part)) for part in composite["parts"]}
        for extra in sorted(found - planted):
            yield "precision", f"{path}@{extra[0]}", None, extra
    for path in truth.get("must_carve_nothing", []):
        if (corpus / "samples" / path).exists():
            objects = objects_of(run, path)
            found = [(item["offset"], item["name"]) for item in objects]
            yield "trap", path, [], found
