"""The compose file: where alerts and panels link to, there is a page, with that section."""

import json
import re
import unittest

import yaml

from common import ROOT
from processes import free_port, get, running

COMPOSE = ROOT / "deploy/compose/compose.yaml"
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]


def links():
    """All addresses at which alerts and dashboards say that something is to be read."""
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["annotations"]["runbook_url"]
    for path in (ROOT / "deploy/grafana/dashboards").glob("*.json"):
        dashboard = json.loads(path.read_text())
        for one in [dashboard, *dashboard["panels"]]:
            yield from (link["url"] for link in one.get("links", []) if "url" in link)


class Pages(unittest.TestCase):
    def test_links_lead_to_sections_that_are_shown(self):
        docs = SERVICES["docs"]
        (published,) = docs["ports"]
        host, outside, inside = published.split(":")
        mounted = dict(volume.removesuffix(":ro").split(":") for volume in docs["volumes"])
        caddyfile, shown = (
            (COMPOSE.parent / next(here for here, there in mounted.items() if there == place)).resolve()
            for place in ["/etc/caddy/Caddyfile", "/docs"]
        )
        self.assertEqual(inside, "8000", "which the Caddyfile says")
        self.assertEqual(host, "127.0.0.1")

        port, pages = free_port(), {}
        here = f"http://127.0.0.1:{port}"
        started = running(
            "caddy", "run", "--adapter", "caddyfile", "--config", str(caddyfile),
            ready=f"{here}/", DOCS=str(shown), PORT=str(port),
        )  # fmt: skip
        with started:
            found = set(links())
            self.assertGreater(len(found), 20)
            for link in found:
                address, _, section = link.partition("#")
                self.assertTrue(address.startswith(f"http://localhost:{outside}/"), link)
                path = address.removeprefix(f"http://localhost:{outside}")
                if path not in pages:
                    pages[path] = get(here + path)
                self.assertIsNotNone(pages[path], link)
                if section:
                    self.assertIn(f'id="{section}"', pages[path])
            # Every page of docs/ is shown, as a page.
            for page in (ROOT / "docs").glob("*.md"):
                shown = get(f"{here}/{page.name}")
                self.assertRegex(shown or "", r"<h1 id=", page.name)
                self.assertFalse(re.search(r"^#+ ", re.sub(r"<pre>.*?</pre>", "", shown, flags=re.S), re.M), page.name)


class Told(unittest.TestCase):
    def test_prometheus_tells_alertmanager(self):
        prometheus = yaml.safe_load((COMPOSE.parent / "prometheus.yml").read_text())
        ((target,),) = [one["targets"] for one in prometheus["alerting"]["alertmanagers"][0]["static_configs"]]
        name, port = target.split(":")
        self.assertIn(f"127.0.0.1:{port}:{port}", SERVICES[name]["ports"])


if __name__ == "__main__":
    unittest.main()
