"""What the checks are made with is pinned, and known by its hash."""

import re
import unittest

from common import ROOT

FOLDER = ROOT / "tests/deploy"


class Pinned(unittest.TestCase):
    def test_what_is_installed_is_what_is_listed_each_with_hashes(self):
        listed = re.findall(r"^(\S+==\S+)$", (FOLDER / "requirements.txt").read_text(), re.M)
        locked = re.findall(
            r"^(\S+==\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$",
            (FOLDER / "requirements.lock").read_text(), re.M,
        )  # fmt: skip
        self.assertGreater(len(listed), 10)
        self.assertEqual(sorted(name for name, _ in locked), sorted(name.lower() for name in listed))


if __name__ == "__main__":
    unittest.main()
