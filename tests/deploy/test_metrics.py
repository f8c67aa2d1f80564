"""Metrics and those who look at them: nobody asks for what is not there, and nothing is there that
nobody looks at."""

import re
import unittest

from common import ROOT

LOOKING = [*ROOT.glob("deploy/grafana/dashboards/*.json"), *ROOT.glob("deploy/prometheus/*.yml")]
NAME = r"\b(?:holdfast|process)_[a-z0-9_]+\b"


def reference():
    """The metrics that docs/metrics.md describes, a line of a table each."""
    lines = (ROOT / "docs/metrics.md").read_text().splitlines()
    found = (re.match(rf"\| *`?({NAME})", line) for line in lines)
    return {one[1] for one in found if one}


class Metrics(unittest.TestCase):
    def test_what_is_asked_for_is_there_and_what_is_there_is_looked_at(self):
        known, asked = reference(), set()
        self.assertGreater(len(known), 50)
        for path in LOOKING:
            # Not the names of recorded series, which stand behind a colon.
            for name in re.findall(rf"(?<![:\w]){NAME}(?=[\s(){{}}\[\],)])", path.read_text()):
                base = re.sub(r"_(bucket|sum|count)$", "", name)
                asked.add(name if name in known else base)
        self.assertEqual(asked - known, set(), "nobody exports these")
        self.assertEqual(known - asked, set(), "nobody looks at these")


if __name__ == "__main__":
    unittest.main()
