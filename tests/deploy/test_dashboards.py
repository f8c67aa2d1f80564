"""The dashboards: as their maker writes them, and by the rules of grafana's dashboard-linter, stated
here anew, each under its name there."""

import datetime
import itertools
import json
import re
import subprocess
import sys
import unittest

import promql_parser as promql

from common import ROOT, anchors

FOLDER = ROOT / "deploy/grafana/dashboards"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
QUERIED = {"stat", "timeseries", "table", "gauge", "bargauge", "heatmap"}
RATES = {"rate", "irate"}
COUNTED = RATES | {"increase"}
# Lengths that nothing else has, so that they are known again.
RATE_INTERVAL = datetime.timedelta(seconds=8861)
RANGE = datetime.timedelta(seconds=6731)
# Of Grafana's units those that these dashboards may use.
UNITS = {"none", "short", "percentunit", "s", "bytes", "Bps", "cps", "reqps"}


def panels(dashboard):
    return [one for one in dashboard["panels"] if one["type"] != "row"]


def variables(dashboard, kind):
    return [one for one in dashboard["templating"]["list"] if one["type"] == kind]


def parsed(expr):
    """The query with lengths in place of Grafana's variables."""
    for name, length in [("$__rate_interval", RATE_INTERVAL), ("$__range", RANGE)]:
        expr = expr.replace(name, f"{int(length.total_seconds())}s")
    return promql.parse(expr)


def nodes(expr, parents=()):
    """All parts of a query, each with those that it is in, the innermost last."""
    yield expr, parents
    for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
        inner = getattr(expr, name, None)
        if inner is not None and not isinstance(inner, (str, int, float)):
            yield from nodes(inner, (*parents, expr))
    for argument in getattr(expr, "args", None) or []:
        yield from nodes(argument, (*parents, expr))


def of_kind(expr, kind):
    return [(node, parents) for node, parents in nodes(expr) if isinstance(node, kind)]


def every_query():
    """Name, panel's title and expression of each query of each panel."""
    for name, dashboard in DASHBOARDS.items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield name, panel["title"], target["expr"]


class Linter(unittest.TestCase):
    """The seventeen rules."""

    def each(self, things):
        for where, *rest in things:
            with self.subTest(where):
                yield rest

    def each_query(self):
        return self.each(((name, title, expr), parsed(expr)) for name, title, expr in every_query())

    def each_panel(self):
        return self.each(
            ((name, panel["title"]), panel) for name, all_ in DASHBOARDS.items() for panel in panels(all_)
        )

    def each_dashboard(self):
        return self.each((name, dashboard) for name, dashboard in DASHBOARDS.items())

    def test_template_datasource_rule(self):
        for (dashboard,) in self.each_dashboard():
            (source,) = variables(dashboard, "datasource")
            self.assertEqual(
                (source["name"], source["label"], source["query"]),
                ("datasource", "Data source", "prometheus"),
            )

    def selecting(self, name):
        for (dashboard,) in self.each_dashboard():
            (found,) = [one for one in variables(dashboard, "query") if one["name"] == name]
            self.assertEqual(found["datasource"]["uid"], "${datasource}")
            self.assertEqual(found["label"], name.capitalize())
            self.assertTrue(found["multi"])
            self.assertEqual(found["allValue"], ".+")

    def test_template_job_rule(self):
        self.selecting("job")

    def test_template_instance_rule(self):
        self.selecting("instance")

    def test_template_label_promql_rule(self):
        for (dashboard,) in self.each_dashboard():
            for one in variables(dashboard, "query"):
                found = re.fullmatch(r"label_values\((.+), ([a-z_]+)\)", one["query"])
                self.assertIsNotNone(found, one["query"])
                parsed(found[1])

    def test_template_on_time_change_reload_rule(self):
        for (dashboard,) in self.each_dashboard():
            for one in variables(dashboard, "query"):
                self.assertEqual(one["refresh"], 2, one["name"])

    def test_panel_datasource_rule(self):
        for (panel,) in self.each_panel():
            for one in [panel, *panel["targets"]]:
                self.assertEqual(one["datasource"], {"type": "prometheus", "uid": "${datasource}"})

    def test_panel_title_description_rule(self):
        for (panel,) in self.each_panel():
            self.assertTrue(panel["title"].strip())
            self.assertTrue(panel["description"].strip())

    def test_panel_units_rule(self):
        for (panel,) in self.each_panel():
            self.assertIn(panel["fieldConfig"]["defaults"]["unit"], UNITS)

    def test_panel_no_targets_rule(self):
        for (panel,) in self.each_panel():
            self.assertIn(panel["type"], QUERIED)
            self.assertTrue(panel["targets"])

    def test_target_logql_rule_and_target_logql_auto_rule(self):
        # No query asks Loki anything: every source is Prometheus.
        for (panel,) in self.each_panel():
            self.assertEqual({one["datasource"]["type"] for one in panel["targets"]}, {"prometheus"})

    def test_target_promql_rule(self):
        for (expr,) in self.each_query():
            self.assertIsNotNone(expr)

    def test_target_rate_interval_rule(self):
        for (expr,) in self.each_query():
            for matrix, parents in of_kind(expr, promql.MatrixSelector):
                if parents and isinstance(parents[-1], promql.Call) and parents[-1].func.name in RATES:
                    self.assertEqual(matrix.range, RATE_INTERVAL)

    def matched(self, label):
        for (expr,) in self.each_query():
            selectors = of_kind(expr, promql.VectorSelector)
            self.assertEqual(len(selectors), str(expr).count("{"))
            for selector, _ in selectors:
                found = [(one.op, one.value) for one in selector.matchers.matchers if one.name == label]
                expected = [(promql.MatchOp.Re, f"${label}")]
                # What other jobs have as well, all of which `$job` may stand for.
                if label == "job" and not selector.name.startswith("holdfast_"):
                    expected.append((promql.MatchOp.Re, "holdfast(/.*)?"))
                self.assertEqual(found, expected)

    def test_target_job_rule(self):
        self.matched("job")

    def test_target_instance_rule(self):
        self.matched("instance")

    def test_target_counter_agg_rule(self):
        for (expr,) in self.each_query():
            for selector, parents in of_kind(expr, promql.VectorSelector):
                if (selector.name or "").endswith("_total"):
                    self.assertGreaterEqual(len(parents), 2)
                    self.assertIsInstance(parents[-1], promql.MatrixSelector)
                    self.assertIn(parents[-2].func.name, COUNTED)

    def test_uneditable_dashboard(self):
        for (dashboard,) in self.each_dashboard():
            self.assertIs(dashboard["editable"], False)


class Made(unittest.TestCase):
    def test_they_are_as_their_maker_writes_them(self):
        done = subprocess.run(
            [sys.executable, "-B", ROOT / "deploy/grafana/make", "--check"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_there_are_three(self):
        self.assertEqual(set(DASHBOARDS), {"operations", "decisions", "rule"})
        self.assertEqual(len({one["uid"] for one in DASHBOARDS.values()}), 3)

    def test_rows_ask_and_panels_answer(self):
        for name, dashboard in DASHBOARDS.items():
            rows = [one["title"] for one in dashboard["panels"] if one["type"] == "row"]
            self.assertTrue(rows, name)
            for title in rows:
                self.assertIn("?", title, name)
            self.assertEqual(dashboard["panels"][0]["type"], "row", name)

    def test_panels_stand_beside_one_another_within_the_width(self):
        for name, dashboard in DASHBOARDS.items():
            places = [one["gridPos"] for one in dashboard["panels"]]
            ids = [one["id"] for one in dashboard["panels"]]
            self.assertEqual(len(ids), len(set(ids)), name)
            for place in places:
                self.assertLessEqual(place["x"] + place["w"], 24, name)
            for a, b in itertools.combinations(places, 2):
                beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
                above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
                self.assertTrue(beside or above, (name, a, b))

    def test_one_number_is_asked_for_now(self):
        # Of a range its last value would be shown, green as it was, while nobody answers any more.
        for name, dashboard in DASHBOARDS.items():
            for panel in panels(dashboard):
                if panel["type"] in {"stat", "gauge", "bargauge", "table"}:
                    for target in panel["targets"]:
                        self.assertEqual((target["instant"], target["range"]), (True, False), (name, panel["title"]))

    def test_whether_it_is_up_is_said_when_nothing_is(self):
        first = {one["title"]: one["targets"][0]["expr"] for one in panels(DASHBOARDS["operations"])[:6]}
        for title in ["Instances", "Instances that do not answer", "Ready"]:
            self.assertIn("or vector(0)", first[title])

    def test_lines_do_not_come_and_go(self):
        for (name, title, expr), kind in [
            ((name, one["title"], target["expr"]), one["type"])
            for name, dashboard in DASHBOARDS.items() for one in panels(dashboard) for target in one["targets"]
        ]:  # fmt: skip
            if kind == "timeseries" and "topk" in expr:
                self.assertIn("@ end()", expr, (name, title))

    def test_links_lead_to_sections_of_the_runbook(self):
        there = anchors("docs/runbook.md")
        for name, dashboard in DASHBOARDS.items():
            links = [link["url"] for panel in panels(dashboard) for link in panel.get("links", [])]
            self.assertTrue(links, name)
            for link in links:
                self.assertIn(link.split("#")[1], there, name)

    def test_starts_deployments_and_rulesets_are_marked(self):
        for name, dashboard in DASHBOARDS.items():
            marked = [one["name"] for one in dashboard["annotations"]["list"]]
            self.assertEqual(marked, ["Starts", "Deployments", "Rulesets"], name)
            for one in dashboard["annotations"]["list"]:
                parsed(one["expr"])


if __name__ == "__main__":
    unittest.main()
