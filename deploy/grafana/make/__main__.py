"""Writes the dashboards: python3 deploy/grafana/make. With --check, says whether they are as they
would be written."""

import pathlib
import sys

import decisions
import operations
import parts
import rule

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "dashboards"


def main():
    stale = []
    for name, module in [("operations", operations), ("decisions", decisions), ("rule", rule)]:
        path, text = FOLDER / f"{name}.json", parts.written(module.DASHBOARD)
        if "--check" in sys.argv:
            stale += [] if path.is_file() and path.read_text() == text else [path.name]
        else:
            path.write_text(text)
    if stale:
        sys.exit(f"error: {', '.join(stale)} are not as they would be written: python3 deploy/grafana/make")


main()
