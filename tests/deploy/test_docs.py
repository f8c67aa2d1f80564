"""Links within the project lead somewhere."""

import re
import unittest

from common import ROOT, anchors

PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/**/*.md")]


class Links(unittest.TestCase):
    def test_each_leads_to_a_file_and_a_heading(self):
        for page in PAGES:
            for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                file = (page.parent / path).resolve() if path else page
                with self.subTest(f"{page.relative_to(ROOT)} -> {target}"):
                    self.assertTrue(file.exists())
                    if anchor:
                        self.assertIn(anchor, anchors(file))


if __name__ == "__main__":
    unittest.main()
