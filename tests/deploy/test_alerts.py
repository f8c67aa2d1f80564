"""Alerts: each has its section in the runbook, and tests in which it fires and does not, the latter by
little: with a limit that is a bit looser it would."""

import copy
import pathlib
import re
import subprocess
import tempfile
import unittest

import promql_parser as promql
import yaml

from common import CACHE, ROOT, anchors

FOLDER = ROOT / "deploy/prometheus"
GROUPS = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
RECORDED = {
    rule["record"]: rule["expr"]
    for group in yaml.safe_load((FOLDER / "recording.yml").read_text())["groups"]
    for rule in group["rules"]
}
TESTS = [test for path in (FOLDER / "tests").glob("*.yml") for test in yaml.safe_load(path.read_text())["tests"]]
RUNBOOK = "http://localhost:8000/runbook.md#"

# What each alert is held back by, and the same made looser: a test of it must then no longer be
# quiet. `for` is its duration.
LOOSER = {
    "HoldfastAllDown": [("max by (cluster, namespace, job) (up", "min by (cluster, namespace, job) (up")],
    "HoldfastDown": [("for", "3m")],
    "HoldfastRestarting": [("> 2", "> 1")],
    "HoldfastCutOff": [("for", "1m")],
    "HoldfastNotReady": [("for", "9m")],
    "HoldfastPartitionsUndecided": [
        ("max by (cluster, namespace, job) (holdfast_input_partitions)", "max_over_time(job:holdfast_partitions_deciding:sum[6h])"),
        ("for", "4m"),
    ],
    "HoldfastRebalancing": [("> 2.5", "> 1.5")],
    "HoldfastTransactionsFailing": [("> 2.5", "> 1.5")],
    "HoldfastDecisionsLate": [
        ("rate5m > 14.4 * 0.001", "rate5m > 0.1 * 0.001"),
        ("rate1h > 14.4 * 0.001", "rate1h > 7 * 0.001"),
        ("rate30m > 6 * 0.001", "rate30m > 0.1 * 0.001"),
        ("rate6h > 6 * 0.001", "rate6h > 3 * 0.001"),
        ("increase1h > 20", "increase1h > 12"),
    ],
    "HoldfastDecisionsSlowlyLate": [
        ("rate2h > 3 * 0.001", "rate2h > 0.05 * 0.001"),
        ("rate1d > 3 * 0.001", "rate1d > 1 * 0.001"),
        ("rate6h > 0.001", "rate6h > 0.05 * 0.001"),
        ("rate3d > 0.001", "rate3d > 0.4 * 0.001"),
        ("increase1d > 20", "increase1d > 12"),
    ],
    "HoldfastLagGrowing": [
        ("> 1000", "> 500"),
        ("deriv(job:holdfast_lag_records:sum[10m]) > 0", "deriv(job:holdfast_lag_records:sum[10m]) < 0"),
        ("> 1 * 60", "> 0.5 * 60"),
        ("deriv(holdfast_lag_seconds[10m]) > 0", "deriv(holdfast_lag_seconds[10m]) < 0"),
    ],
    "HoldfastDeadLetters": [("> 0.001", "> 0.0005"), ("<= 5 *", "<= 2 *"), ("> 20", "> 12")],
    "HoldfastCardNumbers": [("> 0", ">= 0")],
    "HoldfastInternalError": [("> 0", ">= 0")],
    "HoldfastClockAhead": [("> 10 * 60", "> 8 * 60")],
    "HoldfastHoldRateHigh": [("> 10 *", "> 4 *"), ("> 0.001", "> 0.0004"), ("> 20", "> 12"), ("> 20", "> 0")],
    "HoldfastHoldRateZero": [("> 20", "> 12")],
    "HoldfastRuleErrors": [("> 0", ">= 0")],
    "HoldfastDecisionsUncertain": [("> 0.05", "> 0.03")],
    "HoldfastRulesetsDiffer": [
        ("for", "15m"), ("> 1", "> 0"), ("count by (cluster, namespace, job) (count", "count (count"),
    ],  # fmt: skip
    "HoldfastSnapshotOld": [("> 15 * 60", "> 9 * 60"), ("> 0", ">= 0")],
    "HoldfastSnapshotsFailing": [("> 1.5", "> 0.5")],
    "HoldfastMemoryNearLimit": [("> 0.9", "> 0.85")],
}


def recorded_for(expr):
    """The recorded series that an expression rests on, with those that these rest on, in order."""
    asked = [name for name in RECORDED if name in expr]
    return [name for name in RECORDED if name in asked or any(name in RECORDED[one] for one in asked)]


def stays_quiet(rule):
    """Whether the alert, alone, passes those of its tests in which it must not fire."""
    tests = copy.deepcopy([test for test in TESTS if test["name"].split(":")[0] == rule["alert"]])
    for test in tests:
        asked = [one for one in test["promql_expr_test"] if "exp_samples" not in one]
        test["promql_expr_test"] = asked
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        rules = [{"record": name, "expr": RECORDED[name]} for name in recorded_for(rule["expr"])] + [rule]
        (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "one", "rules": rules}]}))
        made = {
            "rule_files": ["rules.yml"],
            "evaluation_interval": tests[0]["interval"],
            "tests": [test for test in tests if test["promql_expr_test"]],
        }
        (folder / "tests.yml").write_text(yaml.safe_dump(made))
        done = subprocess.run(
            [CACHE / "bin/promtool", "test", "rules", folder / "tests.yml"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        if done.returncode and "got:" not in said:
            raise AssertionError(said)
        return done.returncode == 0


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
        for test in TESTS:
            about = test["name"].split(":")[0]
            for asked in test["promql_expr_test"]:
                expected = str(asked.get("exp_samples", []))
                fires |= {about} if f'alertname="{about}"' in expected else set()
                quiet |= set() if expected != "[]" else {about}
        self.assertEqual(fires, set(ALERTS))
        self.assertEqual(quiet, set(ALERTS))

    def test_each_limit_is_what_keeps_it_quiet(self):
        self.assertEqual(set(LOOSER), set(ALERTS))
        for name, rule in ALERTS.items():
            self.assertTrue(stays_quiet(rule), name)
            for held, looser in LOOSER[name]:
                with self.subTest(name, held=held, looser=looser):
                    changed = copy.deepcopy(rule)
                    if held == "for":
                        changed["for"] = looser
                    else:
                        self.assertIn(held, rule["expr"])
                        changed["expr"] = rule["expr"].replace(held, looser)
                    self.assertFalse(stays_quiet(changed), "no test comes near it")

    def test_each_limit_is_made_looser_somewhere(self):
        for name, rule in ALERTS.items():
            held = {text for text, _ in LOOSER[name]}
            for limit in re.findall(r"[<>]=? [\d.]+(?: \* [\d.]+)*", rule["expr"]):
                self.assertTrue(any(limit in text for text in held), f"{name}: {limit}")

    def test_what_is_recorded_is_used_and_what_is_used_is_recorded(self):
        exprs = [rule["expr"] for rule in ALERTS.values()] + list(RECORDED.values())
        asked = set(re.findall(r"\bjob(?:_\w+)?:\w+:\w+", " ".join(exprs)))
        self.assertEqual(asked, set(RECORDED))


if __name__ == "__main__":
    unittest.main()
