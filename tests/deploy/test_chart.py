"""The Helm chart: linted, rendered with each set of values in ci/, and every object held against a
strict schema, Kubernetes' own or that of the custom resource; values that make no sense are refused."""

import copy
import pathlib
import subprocess
import tempfile
import unittest

import helm_python as helm
import jsonschema
import kubernetes_validate
import yaml

from common import CACHE, ROOT, binary

# As it stands in the checkout, its links to files elsewhere in the project included.
CHART = ROOT / "deploy/helm/holdfast"
SETS = {path.stem: yaml.safe_load(path.read_text()) for path in (CHART / "ci").glob("*.yaml")}
# The oldest that the chart says it works with, and the newest.
KUBERNETES = ["1.27.0", kubernetes_validate.latest_version()]


def files(values, name="fraud", namespace="payments"):
    """What the chart makes of these values, by path."""
    with helm.Chart.load(CHART) as chart:
        return chart.render(values, name=name, namespace=namespace)


def rendered(values, **release):
    """All objects of the chart, by kind and name."""
    objects = []
    for path, text in files(values, **release).items():
        if not path.endswith("NOTES.txt"):
            objects += [found for found in yaml.safe_load_all(text) if found]
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def notes(values):
    """What is said after an installation."""
    (text,) = [text for path, text in files(values).items() if path.endswith("NOTES.txt")]
    return text


def container(values):
    return only(rendered(values), "StatefulSet")["spec"]["template"]["spec"]["containers"][0]


def service(values, **release):
    """The variables of the service."""
    maps = of_kind(rendered(values, **release), "ConfigMap")
    (data,) = [one["data"] for one in maps if "HOLDFAST__KAFKA__BROKERS" in one["data"]]
    return data


def of_kind(objects, kind):
    return [one for (found, _), one in objects.items() if found == kind]


def only(objects, kind):
    (one,) = of_kind(objects, kind)
    return one


def strict(schema):
    """A custom resource's schema, in which a property that it does not name is an error."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(value) for key, value in schema.items()}
    free = schema.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not free:
        schema.setdefault("additionalProperties", False)
    if isinstance(schema.get("pattern"), str) and "(?i)" in schema["pattern"]:
        # Go takes a flag anywhere, Python at the beginning.
        schema["pattern"] = "(?i)" + schema["pattern"].replace("(?i)", "")
    if schema.get("x-kubernetes-int-or-string"):
        schema.pop("type", None)
    return schema


def definitions():
    """Schemas of custom resources by kind and version."""
    found = {}
    for path in (CACHE / "crds").glob("*.yaml"):
        definition = yaml.safe_load(path.read_text())["spec"]
        for version in definition["versions"]:
            schema = strict(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            name = f"{definition['group']}/{version['name']}"
            found[definition["names"]["kind"], name] = schema
    return found


class Chart(unittest.TestCase):
    def test_there_are_several_sets_of_values(self):
        self.assertGreaterEqual(len(SETS), 4)

    def test_it_lints(self):
        for name, values in SETS.items():
            report = helm.lint(CHART, values, strict=True)
            found = [one for one in report["messages"] if one["severity"] > 1]
            self.assertEqual(found, [], name)
            self.assertEqual(report["errors"], [], name)

    def test_every_object_fits_its_schema_strictly(self):
        custom = definitions()
        self.assertEqual(len(custom), 3)
        checked = set()
        for name, values in SETS.items():
            for (kind, _), one in rendered(values).items():
                with self.subTest(values=name, kind=kind):
                    schema = custom.get((kind, one["apiVersion"]))
                    if schema:
                        jsonschema.validate(one, schema)
                    else:
                        for version in KUBERNETES:
                            kubernetes_validate.validate(one, version, strict=True)
                    checked.add(kind)
        self.assertLessEqual(
            {"StatefulSet", "PodDisruptionBudget", "NetworkPolicy", "ConfigMap", "Service",
             "ServiceAccount", "ServiceMonitor", "PrometheusRule", "ScaledObject",
             "HorizontalPodAutoscaler"},
            checked,
        )  # fmt: skip

    def test_the_strict_schemas_refuse_what_they_do_not_know(self):
        objects = rendered(SETS["production"])
        for kind in ["ServiceMonitor", "PrometheusRule", "ScaledObject"]:
            wrong = copy.deepcopy(only(objects, kind))
            wrong["spec"]["nonsense"] = True
            schema = definitions()[kind, wrong["apiVersion"]]
            with self.assertRaises(jsonschema.ValidationError, msg=kind):
                jsonschema.validate(wrong, schema)
        wrong = copy.deepcopy(only(objects, "StatefulSet"))
        wrong["spec"]["template"]["spec"]["containers"][0]["nonsense"] = True
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(wrong, KUBERNETES[0], strict=True)

    def test_values_that_make_no_sense_are_refused(self):
        least = SETS["least"]
        refused = {
            "no brokers": {},
            "brokers without ports": {"kafka": {"brokers": "kafka"}},
            "an unknown key": least | {"replicaCount": 2},
            "no instances": least | {"replicas": 0},
            "a secret in the open": {"kafka": {"brokers": "k:1", "properties": {"sasl.password": "x"}}},
            "what is not the user's": {"kafka": {"brokers": "k:1", "properties": {"group.id": "x"}}},
            "an unknown scaler": least | {"autoscaling": {"kind": "vpa"}},
            "a duration that is none": least | {"state": {"snapshotInterval": "often"}},
            "a setting that is none": least | {"settings": {"KAFKA": "x"}},
            "an end that is cut off": least | {"shutdownTimeout": "45s"},
            "an end that is cut off, in minutes": least | {"shutdownTimeout": "1m"},
            "alerts without a runbook": least | {"metrics": {"prometheusRule": {"enabled": True}}},
            "dashboards without a runbook": least | {"metrics": {"dashboards": {"enabled": True}}},
            "a store that is no address": least | {"state": {"url": "bucket"}},
        }
        for name, values in refused.items():
            with self.subTest(name), self.assertRaises(helm.HelmError):
                rendered(values)

    def test_the_service_understands_its_configuration(self):
        for name, values in SETS.items():
            objects = rendered(values)
            for rules in [one for one in of_kind(objects, "ConfigMap") if "holdfast.toml" in one["data"]]:
                service = [one for one in of_kind(objects, "ConfigMap") if "HOLDFAST__KAFKA__BROKERS" in one["data"]]
                with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                    path = pathlib.Path(folder) / "holdfast.toml"
                    path.write_text(rules["data"]["holdfast.toml"])
                    environment = service[0]["data"] | {"HOLDFAST__KAFKA__INSTANCE": "fraud-holdfast-0"}
                    done = subprocess.run(
                        [binary(), "validate", "--print", "-c", path],
                        env=environment, capture_output=True, text=True, check=False,
                    )  # fmt: skip
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertIn('group = "', done.stdout)

    def test_an_instance_keeps_its_name_and_its_volume(self):
        for name, values in SETS.items():
            stateful = only(rendered(values), "StatefulSet")["spec"]
            container = stateful["template"]["spec"]["containers"][0]
            instance = {one["name"]: one for one in container["env"]}["HOLDFAST__KAFKA__INSTANCE"]
            self.assertEqual(instance["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name", name)
            claim = stateful["volumeClaimTemplates"][0]["metadata"]["name"]
            self.assertIn(claim, [mount["name"] for mount in container["volumeMounts"]], name)

    def test_releases_on_one_kafka_cluster_do_not_share_a_group(self):
        groups = {
            service(SETS["least"], name=name, namespace=namespace)["HOLDFAST__KAFKA__GROUP"]
            for name in ["fraud", "trial"] for namespace in ["staging", "production"]
        }  # fmt: skip
        self.assertEqual(len(groups), 4)
        self.assertIn("staging-fraud-holdfast", groups)
        self.assertEqual(service(SETS["production"])["HOLDFAST__KAFKA__GROUP"], "holdfast-live")

    def test_releases_in_one_prometheus_are_different_jobs(self):
        jobs = set()
        for name in ["fraud", "trial"]:
            for namespace in ["staging", "production"]:
                monitor = only(rendered(SETS["production"], name=name, namespace=namespace), "ServiceMonitor")
                (job,) = [
                    one["replacement"] for one in monitor["spec"]["endpoints"][0]["relabelings"]
                    if one["targetLabel"] == "job"
                ]  # fmt: skip
                self.assertRegex(job, "^holdfast(/.*)?$")
                jobs.add(job)
        self.assertEqual(len(jobs), 4)

    def test_a_pod_is_not_killed_because_kafka_is_away(self):
        for name, values in SETS.items():
            probes = container(values)
            self.assertEqual(probes["startupProbe"]["httpGet"]["path"], "/livez", name)
            self.assertEqual(probes["livenessProbe"]["httpGet"]["path"], "/livez", name)
            self.assertEqual(probes["readinessProbe"]["httpGet"]["path"], "/readyz", name)

    def test_a_store_can_be_reached_and_written_to(self):
        values = SETS["store"]
        self.assertEqual(service(values)["HOLDFAST__STATE__URL"], "s3://fraud-state/holdfast")
        self.assertEqual(service(values)["HOLDFAST_LOG"], "holdfast=debug,info")
        one = container(values)
        self.assertIn("AWS_ENDPOINT_URL", [variable["name"] for variable in one["env"]])
        self.assertIn({"secretRef": {"name": "holdfast-store"}}, one["envFrom"])
        self.assertIn("/run/secrets/store", [mount["mountPath"] for mount in one["volumeMounts"]])

        def open_to(values):
            rules = only(rendered(values), "NetworkPolicy")["spec"]["egress"]
            return {port["port"] for rule in rules for port in rule["ports"]}

        self.assertEqual(open_to(values), {53, 9092, 9093, 9094, 443, 9443})
        for url in ["", "file:///mnt/holdfast"]:
            self.assertEqual(open_to(SETS["least"] | {"state": {"url": url}}), {53, 9092, 9093, 9094})

    def test_notes_say_what_is_still_to_do(self):
        self.assertIn("port-forward fraud-holdfast-0 9465", notes(SETS["least"]))
        self.assertIn("Nobody is told when it fails", notes(SETS["least"]))
        self.assertIn("alerts are set up and nothing is scraped", notes(SETS["existing-ruleset"]))
        self.assertIn("rollout restart statefulset/fraud", notes(SETS["existing-ruleset"]))
        self.assertNotIn("Warning", notes(SETS["production"]))

    def test_pods_may_do_nothing_that_they_need_not(self):
        for name, values in SETS.items():
            pod = only(rendered(values), "StatefulSet")["spec"]["template"]["spec"]
            container = pod["containers"][0]
            self.assertTrue(pod["securityContext"]["runAsNonRoot"], name)
            self.assertFalse(pod["automountServiceAccountToken"], name)
            self.assertEqual(
                container["securityContext"],
                {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                name,
            )
            self.assertIn("memory", container["resources"]["limits"], name)

    def test_the_end_has_the_time_that_it_may_take(self):
        stateful = only(rendered(SETS["least"]), "StatefulSet")["spec"]["template"]["spec"]
        with helm.Chart.load(CHART) as chart:
            shutdown = int(chart.values["shutdownTimeout"].removesuffix("s"))
        self.assertGreater(stateful["terminationGracePeriodSeconds"], shutdown)

    def test_alerts_link_to_the_runbook_that_was_given(self):
        rule = only(rendered(SETS["production"]), "PrometheusRule")
        links = [
            one["annotations"]["runbook_url"]
            for group in rule["spec"]["groups"] for one in group["rules"] if "alert" in one
        ]  # fmt: skip
        self.assertGreater(len(links), 10)
        for link in links:
            self.assertTrue(link.startswith("https://docs.example.com/holdfast/runbook.md#"), link)
        for one in of_kind(rendered(SETS["production"]), "ConfigMap"):
            self.assertNotIn("localhost:8000", str(one["data"]))

    def test_a_changed_ruleset_restarts_the_pods(self):
        def mark(values):
            stateful = only(rendered(values), "StatefulSet")
            return stateful["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

        values = SETS["own-ruleset"]
        changed = values | {"ruleset": values["ruleset"].replace(">= 8", ">= 9")}
        self.assertNotEqual(mark(values), mark(changed))

    def test_versions_agree(self):
        manifest = (ROOT / "Cargo.toml").read_text()
        with helm.Chart.load(CHART) as chart:
            version = chart.metadata["appVersion"]
        self.assertIn(f'\nversion = "{version}"\n', manifest)


if __name__ == "__main__":
    unittest.main()
