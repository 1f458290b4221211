"""Compares `parse_binary` with what pefile and LIEF say of PE files.

`score(corpus, run)` yields `(field, item, expected, got)`; see the notes on
each field for how the two vocabularies meet.
"""

import json
from collections import Counter


def each(field, path, expected, got):
    """Items of two lists one by one, with how often each is there."""
    expected, got = Counter(expected), Counter(got)
    for item in sorted(expected | got, key=repr):
        yield field, f"{path}: {item}", expected[item], got[item]


def directory(pe, name):
    found = [entry for entry in pe["directories"] if entry["name"] == name]
    return (found[0]["rva"], found[0]["size"]) if found else (0, 0)


def header(path, truth, image, pe):
    optional = pe["optional_header"] or {}
    entry = image["entry_point"]
    for field, expected, got in [
        ("machine", int(truth["machine"], 16), pe["machine"]),
        ("bits", 64 if truth["pe32plus"] else 32, image["bits"]),
        ("timestamp", truth["timestamp"], pe["timestamp"]),
        ("characteristics", truth["characteristics"], pe["characteristics"]),
        ("is_dll", truth["is_dll"], "DLL" in pe["characteristic_names"]),
        # No entry point is an RVA of 0 there.
        ("entry_point", truth["entry_rva"], entry["address"] - image["image_base"] if entry else 0),
        ("image_base", truth["image_base"], image["image_base"]),
        ("subsystem", truth["subsystem"], optional.get("subsystem")),
        ("dll_characteristics", truth["dll_characteristics"], optional.get("dll_characteristics")),
        ("checksum", truth["checksum"], optional.get("checksum")),
        ("checksum_computed", truth["checksum_computed"], optional.get("checksum_computed")),
        ("linker", truth["linker"], optional.get("linker_version")),
        ("size_of_image", truth["size_of_image"], optional.get("image_size")),
    ]:
        yield field, path, expected, got


def sections(path, truth, image, pe):
    yield "section_count", path, len(truth), len(image["sections"])
    for number, (theirs, ours) in enumerate(zip(truth, image["sections"])):
        details = pe["sections"][number]
        item = f"{path}: {number} {theirs['name']}"
        # pefile has the eight bytes of the header only.
        yield "section", item, (
            theirs["name"], theirs["va"], theirs["vsize"], theirs["raw"], theirs["rawsize"], theirs["chars"],
        ), (
            details["short_name"], ours["address"] - image["image_base"], ours["virtual_size"],
            ours["offset"], ours["file_size"], details["characteristics"])
        # `None` here is their 0 for no bytes; both are sums of floating-point numbers.
        expected, got = theirs["entropy"] or 0, ours["entropy"] or 0
        yield "section_entropy", item, expected, expected if abs(expected - got) < 1e-4 else got
        yield "section_md5", item, theirs["md5"], details["md5"]


def imports(path, truth, image, pe):
    for field, delayed in [("imports", False), ("delay_imports", True)]:
        expected = [(library, name) for library, names in truth[field].items() for name in names]
        got = [
            # They write a number without a known name in one of several ways.
            (one["library"], one["name"] or f"ord{one['ordinal']}")
            for one in image["imports"] if one["delayed"] == delayed
        ]
        expected = [
            (library, f"ord{name}" if isinstance(name, int) else name.replace("ordinal_", "ord").replace("#", "ord"))
            for library, name in expected
        ]
        yield from each(field, path, expected, got)
    yield "imphash", path, truth["imphash"], pe["imphash"] or ""


def exports(path, truth, image):
    expected = [(one["name"], one["ordinal"], one["rva"], one["forwarder"]) for one in truth]
    got = [
        (one["name"], one["ordinal"], one["address"] - image["image_base"], one["forward"])
        for one in image["exports"]
    ]
    yield from each("exports", path, expected, got)


def resources(path, truth, pe):
    def label(value):
        return str(value)

    expected = [(label(one["type"]), label(one["name"]), one["lang"], one["size"], one["rva"]) for one in truth]
    got = [
        (one["kind"], one["name"] if one["name"] != None else label(one["id"]),
         one["language"], one["size"], one["rva"])
        for one in pe["resources"]
    ]
    yield from each("resources", path, expected, got)


def extras(path, truth, image, pe):
    rich = pe["rich_header"]
    theirs = truth["rich_header"]
    yield "rich_present", path, theirs["present"], rich != None
    yield "rich_hash", path, theirs["hash"], rich and rich["hash"]
    # Theirs are the bytes of the file.
    yield "rich_key", path, theirs["key"], rich and rich["key"].to_bytes(4, "little").hex()
    yield "rich_entries", path, theirs["entries"], len(rich["entries"]) if rich else 0
    links = [entry["codeview"]["path"] for entry in pe["debug"] if entry["codeview"]]
    # A build id without a path is no PDB there.
    yield "pdb", path, truth["pdb"], [link for link in links if link]
    callbacks = [one["address"] for one in pe["tls"]["callbacks"]] if pe["tls"] else []
    yield "tls_callbacks", path, truth["tls_callbacks"], callbacks
    overlay = image["overlay"] or {"offset": None, "size": 0}
    yield "overlay", path, (truth["overlay"]["offset"], truth["overlay"]["size"]), (overlay["offset"], overlay["size"])
    security = truth["security_dir"]
    yield "security_dir", path, (security["offset"], security["size"]), directory(pe, "SECURITY")
    yield "dotnet", path, truth["dotnet"], pe["dotnet"] != None
    strings = {one["key"]: one["value"] for one in pe["version"]["strings"]} if pe["version"] else {}
    for key in sorted(truth["version_info"].keys() | strings.keys()):
        yield "version_info", f"{path}: {key}", truth["version_info"].get(key), strings.get(key)
    lief = truth.get("lief") or {}
    if "authentihash_sha256" in lief:
        yield "authentihash", path, lief["authentihash_sha256"], pe["authentihash_sha256"]


def score(corpus, run):
    data = json.loads((corpus / "truth" / "visible-pe.json").read_text())["data"]
    for path, truth in sorted(data.items()):
        if not (corpus / "samples" / path).exists() or "machine" not in truth:
            continue
        report = run("parse_binary", path, limit=1_000_000)
        yield "images", path, 1, len(report["images"])
        if not report["images"]:
            continue
        image = report["images"][0]
        pe = image["details"]["pe"]
        yield from header(path, truth, image, pe)
        yield from sections(path, truth["sections"], image, pe)
        yield from imports(path, truth, image, pe)
        yield from exports(path, truth["exports"], image)
        yield from resources(path, truth["resources"], pe)
        yield from extras(path, truth, image, pe)
