"""Scores the entropy of `get_file_info` against numpy, to four decimals."""

import json


def _near(expected, got):
    """The expected value if both are the same but for rounding."""
    if isinstance(got, (int, float)) and abs(expected - got) < 5e-5:
        return expected
    return got


def score(corpus, run):
    """Yields (field, item, expected, got)."""
    truth = json.loads((corpus / "truth/visible-entropy.json").read_text())["data"]
    for path, expected in truth.items():
        if path.startswith("_") or not (corpus / "samples" / path).exists():
            continue
        entropy = run("get_file_info", path)["entropy"]
        yield "entropy.file", path, expected["file"], _near(expected["file"], entropy["file"])
        theirs, ours = expected["blocks_1024"], entropy["blocks"]
        yield "entropy.blocks.n", path, theirs["n"], ours["count"]
        yield "entropy.blocks.above_7", path, theirs["above_7"], ours["above_7"]
        for field in ("min", "max", "mean"):
            value = _near(theirs[field], ours[field])
            yield f"entropy.blocks.{field}", path, theirs[field], value

    # Regions that were generated: high ones must be reported where they are.
    planted = json.loads((corpus / "truth/gen-visible.json").read_text()).get("entropy")
    if not planted or not (corpus / "samples" / planted["file"]).exists():
        return
    regions = run("get_file_info", planted["file"])["entropy"]["high_regions"]
    values = truth.get("_regions", {})
    for name, start, end in planted["regions"]:
        covered = 0
        for region in regions:
            first, last = region["offset"], region["offset"] + region["length"]
            covered += max(0, min(end, last) - max(start, first))
        # Borders fall between blocks: half of the region decides.
        is_high = covered * 2 > end - start
        yield "entropy.high", name, values.get(name, 0) > 7, is_high
