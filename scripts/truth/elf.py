"""Compares `parse_binary` with what pyelftools and readelf say of ELF files.

`score(corpus, run)` yields `(field, item, expected, got)`; see the notes on
each field for how the two vocabularies meet.
"""

import json
from collections import Counter


def word(name, prefix):
    """`SHT_PROGBITS` and `PROGBITS` are the same; numbers are hexadecimal here."""
    if name.isdigit():
        return f"0x{int(name):x}"
    return name.removeprefix(prefix).upper()


def each(field, path, expected, got):
    """Names of two lists one by one, with how often each is there."""
    expected, got = Counter(expected), Counter(got)
    for name in sorted(expected | got):
        yield field, f"{path}: {name}", expected[name], got[name]


def permissions(flags, read, write, execute):
    return {"read": bool(flags & read), "write": bool(flags & write), "execute": bool(flags & execute)}


def sections(path, truth, image):
    yield "section_count", path, len(truth), len(image["sections"])
    for number, (theirs, ours) in enumerate(zip(truth, image["sections"])):
        item = f"{path}: {number} {theirs['name']}"
        yield "section", item, (theirs["name"], theirs["addr"], theirs["offset"], theirs["size"]), (
            ours["name"], ours["address"], ours["offset"], max(ours["file_size"], ours["virtual_size"]))
        yield "section_type", item, word(theirs["type"], "SHT_"), ours["flags"].split(" ")[0].upper()
        # SHF_ALLOC, SHF_WRITE, SHF_EXECINSTR
        yield "section_permissions", item, permissions(theirs["flags"], 2, 1, 4), ours["permissions"]
        # `None` here is their 0 for no bytes.
        if theirs["entropy"] is not None or ours["entropy"] != None:
            # Both are sums of floating-point numbers.
            expected, got = theirs["entropy"] or 0, ours["entropy"] or 0
            yield "section_entropy", item, expected, expected if abs(expected - got) < 1e-4 else got


def segments(path, truth, image):
    yield "segment_count", path, len(truth), len(image["segments"])
    for number, (theirs, ours) in enumerate(zip(truth, image["segments"])):
        item = f"{path}: {number} {theirs['type']}"
        yield "segment", item, (
            theirs["offset"], theirs["vaddr"], theirs["filesz"], theirs["memsz"],
            permissions(theirs["flags"], 4, 2, 1),
        ), (ours["offset"], ours["address"], ours["file_size"], ours["virtual_size"], ours["permissions"])
        # Their table lacks some types, which are numbers then.
        if not theirs["type"].isdigit():
            yield "segment_type", item, word(theirs["type"], "PT_"), ours["name"].upper()


def score(corpus, run):
    data = json.loads((corpus / "truth" / "visible-elf.json").read_text())["data"]
    for path, truth in sorted(data.items()):
        if not (corpus / "samples" / path).exists():
            continue
        images = run("parse_binary", path, limit=1_000_000)["images"]
        yield "images", path, 1, len(images)
        if not images:
            continue
        image = images[0]
        details = image["details"]["elf"]
        for field, theirs, ours in [
            ("class", truth["class"], image["bits"]),
            ("endian", truth["endian"], image["endian"]),
            ("type", word(truth["type"], "ET_"), details["file_type"]),
            ("machine", word(truth["machine"], "EM_"), details["machine"].upper()),
            ("osabi", word(truth["osabi"], "ELFOSABI_"), details["os_abi"]),
            ("flags", truth["flags"], details["flags"]),
            ("shnum", truth["shnum"], details["section_count"]),
            ("phnum", truth["phnum"], details["segment_count"]),
            ("entry", truth["entry"], (image["entry_point"] or {"address": 0})["address"]),
            ("needed", truth["needed"], image["libraries"]),
            ("soname", truth["soname"], details["soname"]),
            ("interp", truth["interp"], details["interpreter"]),
            ("build_id", truth["build_id"], details["build_id"]),
            ("stripped", truth["stripped"], details["stripped"]),
            ("symbol_count", truth["symtab_count"], details["symbol_table_entries"]),
            # The list leaves out the empty first entry.
            ("symbols_listed", max(truth["symtab_count"] - 1, 0),
             sum(not symbol["dynamic"] for symbol in image["symbols"])),
        ]:
            yield field, path, theirs, ours
        yield from sections(path, truth["sections"], image)
        yield from segments(path, truth["segments"], image)
        # Their lists have each name once, whatever its versions.
        for field in ("imports", "exports"):
            yield from each(field, path, set(truth[field]), {item["name"] for item in image[field]})
        for field in ("nx", "pie", "relro", "canary", "fortify"):
            theirs, ours = truth["checksec"][field], image["security"][field]
            if field == "relro":
                ours = ours or "none"
            else:
                # `None` says that the notion does not apply.
                ours = bool(ours)
            yield f"security.{field}", path, theirs, ours
