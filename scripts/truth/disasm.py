"""Disassembly at the entry point, against capstone's: bytes and mnemonics.

The truth stops at the first bytes that it can't decode; what follows there is
not compared. `thumb` is whether the code is Thumb, where the truth says so.
"""

import json

# The names of slices in the keys of the truth, as reports have them.
SLICES = {"X86_64": "x86-64", "I386": "x86", "X86": "x86", "ARM64": "aarch64", "ARM64E": "aarch64", "ARM": "arm"}


def truth_files(corpus):
    """Every truth file of this area: the first set's is named `visible-`."""
    return sorted((corpus / "truth").glob("*disasm.json"))


def score(corpus, run):
    """Yields `(field, item, expected, got)` for every compared fact."""
    for path in truth_files(corpus):
        data = json.loads(path.read_text(encoding="utf-8"))["data"]
        for key, expected in data.items():
            name, _, part = key.partition("#")
            if not (corpus / "samples" / name).exists():
                continue
            parameters = {"count": 64}
            if part:
                parameters["architecture"] = SLICES.get(part.upper(), part.lower())
            report = run("disassemble", name, **parameters) or {}
            yield from compare(key, expected, report)


def compare(key, expected, report):
    """The facts of one listing."""
    got = report.get("instructions", [])
    start = report.get("start") or {}
    yield "address", key, expected["at"] & ~1 if expected.get("thumb") else expected["at"], start.get("address")
    if expected.get("file_offset") is not None:
        yield "file_offset", key, expected["file_offset"], start.get("offset")
    if expected.get("thumb"):
        yield "thumb", key, True, report.get("mode") == "thumb"
    for index, (address, raw, mnemonic, _) in enumerate(expected["insns"][:64]):
        item = f"{key}@{address}"
        ours = got[index] if index < len(got) else {}
        yield "bytes", item, (int(address, 16), raw), (ours.get("address"), ours.get("bytes"))
        yield "mnemonic", item, mnemonic, ours.get("mnemonic")
