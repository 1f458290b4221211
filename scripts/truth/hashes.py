"""Scores the hashes of `get_file_info` against those of independent programs."""

import json

FIELDS = ("size", "md5", "sha1", "sha256", "sha512", "crc32", "ssdeep", "tlsh")


def score(corpus, run):
    """Yields (field, item, expected, got)."""
    truth = json.loads((corpus / "truth/visible-hashes.json").read_text())["data"]
    for path, expected in truth.items():
        if not (corpus / "samples" / path).exists():
            continue
        hashes = run("get_file_info", path)["hashes"]
        for field in FIELDS:
            # Every file has an ssdeep hash; null says that none was computed.
            if field in expected and not (field == "ssdeep" and expected[field] is None):
                yield f"hashes.{field}", path, expected[field], hashes.get(field)
