"""Where things are."""

import os
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
_CACHES = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
# What .ci/tools has fetched.
CACHE = _CACHES / "holdfast/tools"


def binary():
    """The program itself."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    program = target / "release/holdfast"
    if not program.is_file():
        raise AssertionError(f"{program} is not there: cargo build --release --locked")
    return program


def anchors(path):
    """The anchors of a page's headings, as they are made on the web."""
    headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
