"""Alerts: each has its section in the runbook, and tests in which it fires and does not."""

import re
import unittest

import promql_parser as promql
import yaml

from common import ROOT, anchors

FOLDER = ROOT / "deploy/prometheus"
GROUPS = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
RECORDED = {
    rule["record"]: rule["expr"]
    for group in yaml.safe_load((FOLDER / "recording.yml").read_text())["groups"]
    for rule in group["rules"]
}
RUNBOOK = "https://runbooks.example.com/holdfast/runbook.md#"


class Alerts(unittest.TestCase):
    def test_each_has_a_section_that_says_what_it_means_how_to_see_and_what_to_do(self):
        text = (ROOT / "docs/runbook.md").read_text()
        sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text, re.M | re.S))
        self.assertEqual(set(sections), set(ALERTS))
        for name, section in sections.items():
            for part in ["**Means.**", "**See.**", "**Do.**"]:
                self.assertIn(part, section, name)

    def test_each_links_to_its_section(self):
        there = anchors("docs/runbook.md")
        for name, rule in ALERTS.items():
            link = rule["annotations"]["runbook_url"]
            self.assertEqual(link, RUNBOOK + name.lower())
            self.assertIn(name.lower(), there)

    def test_each_says_how_bad_it_is_and_what_it_is_about(self):
        for name, rule in ALERTS.items():
            self.assertIn(rule["labels"]["severity"], ["critical", "warning"], name)
            self.assertTrue(rule["annotations"]["summary"], name)
            self.assertTrue(rule["annotations"]["description"], name)
            promql.parse(rule["expr"])

    def test_each_is_tested_firing_and_not_firing(self):
        fires, quiet = set(), set()
        for path in (FOLDER / "tests").glob("*.yml"):
            for test in yaml.safe_load(path.read_text())["tests"]:
                about = test["name"].split(":")[0]
                for asked in test["promql_expr_test"]:
                    expected = str(asked.get("exp_samples", []))
                    fires |= {about} if f'alertname="{about}"' in expected else set()
                    quiet |= set() if expected != "[]" else {about}
        self.assertEqual(fires, set(ALERTS))
        self.assertEqual(quiet, set(ALERTS))

    def test_what_is_recorded_is_used_and_what_is_used_is_recorded(self):
        exprs = [rule["expr"] for rule in ALERTS.values()] + list(RECORDED.values())
        asked = set(re.findall(r"\bjob(?:_\w+)?:\w+:\w+", " ".join(exprs)))
        self.assertEqual(asked, set(RECORDED))


if __name__ == "__main__":
    unittest.main()
