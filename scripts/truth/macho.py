"""Compares `parse_binary` with what LIEF says of Mach-O files.

`score(corpus, run)` yields `(field, item, expected, got)`. Offsets of theirs
count from the start of the image, ours from that of the file.
"""

import json


def each(field, path, expected, got):
    for name in sorted(set(expected) | set(got)):
        yield field, f"{path}: {name}", name in expected, name in got


def score(corpus, run):
    data = json.loads((corpus / "truth" / "visible-macho.json").read_text())["data"]
    for path, truth in sorted(data.items()):
        if not (corpus / "samples" / path).exists():
            continue
        images = run("parse_binary", path, limit=1_000_000)["images"]
        yield "images", path, len(truth["slices"]), len(images)
        for theirs, ours in zip(truth["slices"], images):
            yield from image(f"{path} ({theirs['cpu']})", theirs, ours)


def image(item, theirs, ours):
    details = ours["details"]["macho"]
    entry = ours["entry_point"]
    for field, expected, got in [
        ("cpu", theirs["cpu"], details["cpu"]),
        ("filetype", theirs["filetype"], details["file_type"]),
        ("fat_offset", theirs["fat_offset"], ours["offset"]),
        ("ncmds", theirs["ncmds"], details["command_count"]),
        ("flags", theirs["flags"], details["flags"]),
        ("commands", theirs["commands"], [command["name"] for command in details["commands"]]),
        ("libraries", theirs["libraries"], ours["libraries"]),
        ("entry", theirs["entry"], entry["address"] if entry else None),
        ("uuid", theirs["uuid"], details["uuid"]),
        ("code_signature", theirs["code_signature"], ours["security"]["signed"]),
        ("function_starts", len(theirs["function_starts"]), details["function_starts"]),
        ("section_count", len(theirs["sections"]), len(ours["sections"])),
    ]:
        yield field, item, expected, got
    for section, mine in zip(theirs["sections"], ours["sections"]):
        name = f"{section['seg']},{section['name']}"
        empty = section["offset"] == 0
        yield "section", f"{item}: {name}", (
            name, section["addr"], None if empty else section["offset"], section["size"]
        ), (mine["name"], mine["address"], None if empty else mine["offset"] - ours["offset"], mine["virtual_size"])
        if section["entropy"] is not None and mine["entropy"] != None:
            # Both are sums of floating-point numbers.
            expected, got = section["entropy"], mine["entropy"]
            yield "section_entropy", f"{item}: {name}", expected, expected if abs(expected - got) < 1e-4 else got
    for field in ("imports", "exports"):
        yield from each(field, item, theirs[field], {entry["name"] for entry in ours[field]})
