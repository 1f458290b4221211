"""A directory for files to be examined, which is gone afterwards."""

import contextlib
import pathlib
import tempfile


@contextlib.contextmanager
def workspace():
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        place = pathlib.Path(name) / "workspace"
        place.mkdir()
        yield place
