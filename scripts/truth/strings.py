"""Scores `run_strings` against GNU strings and against planted strings.

The truth is the number of lines that `LC_ALL=C strings` printed and the hash of
them, so what the tool reports is turned back into those lines.
"""

import hashlib
import json
import re

# Key of the truth: encoding and fewest characters.
RUNS = {
    "s4": ("ascii", 4),
    "s8": ("ascii", 8),
    "l4": ("utf-16le", 4),
    "b4": ("utf-16be", 4),
    "S4": ("8-bit", 4),
}
ENOUGH = 100_000_000
# Control characters from 0x7f on, and those that change the direction of text;
# a backslash is itself otherwise.
ESCAPE = re.compile(r"\\(?:x(7f|[89][0-9a-f])|u\{([0-9a-f]+)\})")


def _unescape(text):
    return ESCAPE.sub(lambda match: chr(int(match[1] or match[2], 16)), text)


def _strings(run, path, encoding, min_length):
    data = run("run_strings", path, encoding=encoding, min_length=min_length, max_output_size=ENOUGH)
    columns = {name: index for index, name in enumerate(data["columns"])}
    for row in data["strings"]:
        text = _unescape(row[columns["text"]])
        yield row[columns["offset"]], row[columns["encoding"]], text


def score(corpus, run):
    """Yields (field, item, expected, got)."""
    truth = json.loads((corpus / "truth/visible-strings.json").read_text())["data"]
    for path, runs in truth.items():
        if not (corpus / "samples" / path).exists():
            continue
        for key, expected in runs.items():
            if key not in RUNS:
                continue
            encoding, min_length = RUNS[key]
            found = sorted(_strings(run, path, encoding, min_length))
            lines = hashlib.sha256()
            for _, _, text in found:
                # 8-bit text is the bytes themselves, read as Latin-1.
                lines.update(text.encode("latin-1", "replace") + b"\n")
            yield f"strings.{key}.count", path, expected["count"], len(found)
            yield f"strings.{key}.sha256", path, expected["sha256"], lines.hexdigest()

    planted = json.loads((corpus / "truth/gen-visible.json").read_text()).get("strings")
    if not planted or not (corpus / "samples" / planted["file"]).exists():
        return
    known = {"ascii", "utf-8", "utf-16le", "utf-16be"}
    for string in planted["expect"]:
        encoding = string["encoding"]
        if encoding not in known:
            continue
        found = _strings(run, planted["file"], encoding, 4)
        texts = [text for offset, _, text in found if offset == string["offset"]]
        item = f"{planted['file']}@{string['offset']}"
        got = texts[0] if texts else None
        yield f"strings.planted.{encoding}", item, string["value"], got
