"""Alertmanager: what is told when one thing brings many alerts with it. A real one, with the file that
is deployed; its receivers are the test's, and it waits shorter."""

import http.server
import json
import pathlib
import re
import tempfile
import threading
import unittest
import urllib.request

import yaml

from common import ROOT
from processes import free_port, running, within
from test_alerts import ALERTS

FILE = ROOT / "deploy/prometheus/alertmanager.yml"
DEPLOYMENT = {"namespace": "payments", "job": "holdfast/payments/fraud"}


class Told(http.server.BaseHTTPRequestHandler):
    """Whom alerts are told to: writes them down."""

    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.append((self.path.strip("/"), told))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def alert(name, **labels):
    severity = ALERTS[name]["labels"]["severity"]
    return {"labels": {"alertname": name, "severity": severity} | DEPLOYMENT | labels}


LAST = ("tickets", ["Last"])


def told_of(alerts, expected):
    """Fires them all and gives what the receivers are told, sorted: receiver and names of alerts, each
    time. Ends when all that is expected has been told and, after it, an alert that nothing explains:
    groups are told apart, each when its own turn comes, so that one says nothing of another that was
    fired along with it."""
    receivers = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Told)
    receivers.told = []
    threading.Thread(target=receivers.serve_forever, daemon=True).start()
    made = yaml.safe_load(FILE.read_text())
    made["route"] |= {"group_wait": "3s", "group_interval": "3s"}
    for one in made["receivers"]:
        one["webhook_configs"] = [{"url": f"http://127.0.0.1:{receivers.server_port}/{one['name']}"}]
    last = {"labels": {"alertname": "Last", "severity": "warning", "job": "another"}}
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "alertmanager.yml"
        path.write_text(yaml.safe_dump(made))
        arguments = [
            f"--config.file={path}", f"--storage.path={folder}/data", "--cluster.listen-address=",
            f"--web.listen-address=127.0.0.1:{port}",
        ]  # fmt: skip
        here = f"http://127.0.0.1:{port}"

        def fire(alerts):
            request = urllib.request.Request(
                f"{here}/api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(request, timeout=10).close()

        def names():
            return [
                (receiver, sorted({one["labels"]["alertname"] for one in told["alerts"]}))
                for receiver, told in list(receivers.told)
            ]

        with running("alertmanager", *arguments, ready=f"{here}/-/ready"):
            fire(alerts)
            within(60, lambda: all(one in names() for one in expected))
            fire([last])
            done = within(60, lambda: LAST in names())
            found = sorted(one for one in names() if one != LAST)
    receivers.shutdown()
    receivers.server_close()
    assert done, found
    return found


class Pages(unittest.TestCase):
    def tells(self, alerts, expected):
        self.assertEqual(told_of(alerts, expected), expected)

    def test_brokers_that_stop_are_one_page(self):
        self.tells([
            alert("HoldfastCutOff", instance="fraud-0", reason="brokers"),
            alert("HoldfastCutOff", instance="fraud-1", reason="brokers"),
            alert("HoldfastNotReady", instance="fraud-0", reason="group"),
            alert("HoldfastPartitionsUndecided"),
            alert("HoldfastRebalancing"),
            alert("HoldfastTransactionsFailing", instance="fraud-0"),
            alert("HoldfastDecisionsLate"),
            alert("HoldfastDecisionsSlowlyLate"),
            alert("HoldfastLagGrowing"),
            alert("HoldfastHoldRateZero", action="hold"),
        ], [("pager", ["HoldfastCutOff"])])  # fmt: skip

    def test_what_has_another_cause_is_told_all_the_same(self):
        self.tells([
            alert("HoldfastCutOff", instance="fraud-0", reason="brokers"),
            alert("HoldfastClockAhead", instance="fraud-1", partition="1"),
            alert("HoldfastLagGrowing", namespace="trial", job="holdfast/trial/fraud"),
            alert("HoldfastSnapshotsFailing", instance="fraud-0"),
            alert("HoldfastSnapshotOld", instance="fraud-0", partition="1"),
            alert("HoldfastSnapshotOld", namespace="trial", instance="fraud-0", partition="1"),
        ], [
            ("pager", ["HoldfastClockAhead", "HoldfastCutOff"]),
            ("pager", ["HoldfastLagGrowing"]),
            ("tickets", ["HoldfastSnapshotOld"]),
            ("tickets", ["HoldfastSnapshotsFailing"]),
        ])  # fmt: skip

    def test_a_deployment_that_is_down_is_one_page(self):
        self.tells([alert(name) for name in ALERTS], [("pager", ["HoldfastAllDown"])])

    def test_it_names_alerts_that_there_are(self):
        for name in re.findall(r"\bHoldfast\w+|(?<=[(|])[A-Z]\w+", FILE.read_text()):
            known = {name, f"Holdfast{name}"} & set(ALERTS)
            self.assertTrue(known or name in {"HoldfastDecisions", "Slowly"}, name)


if __name__ == "__main__":
    unittest.main()
