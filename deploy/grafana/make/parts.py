"""What the dashboards are made of: panels, rows, variables, links.

Queries are written short: {} stands for the matchers of job and instance, which every query has, and
[] for the range of a rate.
"""

import itertools
import json
import re

# Where the compose file serves it; deploy/README.md says how to put another address in its place.
RUNBOOK = "http://localhost:8000/runbook.md"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SELECTED = 'job=~"$job", instance=~"$instance"'
# All jobs are every job that Prometheus has: what others have too is asked for by the job's name.
OWN = 'job=~"holdfast(/.*)?"'
WIDTH = 24


def promql(short):
    """The query in full."""
    with_labels = short.replace("{}", "{" + SELECTED + "}").replace("{,", "{" + SELECTED + ",")
    with_labels = re.sub(r"\b(up|process_\w+)\{" + re.escape(SELECTED), rf"\g<0>, {OWN}", with_labels)
    return " ".join(with_labels.replace("[]", "[$__rate_interval]").split())


def quantile(q, metric, by=""):
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{{}}[])))"


def mean(metric, by=""):
    by = f" by ({by})" if by else ""
    return f"sum{by} (rate({metric}_sum{{}}[])) / sum{by} (rate({metric}_count{{}}[]))"


def targets(queries, **more):
    """Queries with their legends."""
    return [
        {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": promql(expr), "legendFormat": legend, **more}
        for at, (expr, legend) in enumerate(queries)
    ]


def steps(limits):
    """Green, then yellow and red from these values on; or the other way round, where more is better."""
    colours = ["green", "yellow", "red"] if limits == sorted(limits) else ["red", "yellow", "green"]
    values = sorted(limits)
    if len(values) == 1:
        colours = [colours[0], colours[2]]
    return [{"color": colour, "value": value} for colour, value in zip(colours, [None, *values])]


def panel(kind, title, description, queries, unit, width, height, limits=None, runbook=None, query=None, **more):
    """What all panels have."""
    defaults = {"unit": unit, "custom": {}}
    defaults["thresholds"] = {"mode": "absolute", "steps": steps(limits or []) or [{"color": "green", "value": None}]}
    if not limits:
        defaults["thresholds"]["steps"] = [{"color": "blue", "value": None}]
    made = {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "gridPos": {"w": width, "h": height},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {},
        "targets": targets(queries, **(query or {})),
        **more,
    }
    if runbook:
        made["links"] = [{"title": "What to do", "url": f"{RUNBOOK}#{runbook.lower()}", "targetBlank": True}]
    return made


def series(title, description, queries, unit="short", width=8, limits=None, runbook=None, stacked=False, low=0, most=None):
    """Over time."""
    made = panel("timeseries", title, description, queries, unit, width, 7, limits, runbook)
    defaults = made["fieldConfig"]["defaults"]
    if low is not None:
        defaults["min"] = low
    if most is not None:
        defaults["max"] = most
    defaults["color"] = {"mode": "palette-classic"}
    defaults["custom"] = {
        "lineWidth": 1,
        "fillOpacity": 40 if stacked else 5,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if limits else "off"},
    }
    many = len(queries) > 1 or "{{" in queries[0][1]
    made["options"] = {
        "legend": {"displayMode": "table" if many else "hidden", "placement": "bottom", "showLegend": many, "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return made


def stat(title, description, expr, unit="short", width=4, limits=None, runbook=None, decimals=None):
    """One number, as it is at the end of the range that is looked at. Asked for at that instant: the
    last value of a range would stay when nobody answers any more."""
    query = {"instant": True, "range": False}
    made = panel("stat", title, description, [(expr, "")], unit, width, 4, limits, runbook, query)
    if decimals is not None:
        made["fieldConfig"]["defaults"]["decimals"] = decimals
    made["options"] = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value" if not limits else "background_solid",
        "graphMode": "none",
        "textMode": "value",
    }
    return made


def bars(title, description, expr, legend, unit="short", width=8, limits=None, runbook=None, most=None):
    """One bar each, longest first, over the range that is looked at."""
    made = panel("bargauge", title, description, [(f"sort_desc({expr})", legend)], unit, width, 10, limits, runbook, {"instant": True, "range": False})
    made["fieldConfig"]["defaults"]["min"] = 0
    if most is not None:
        made["fieldConfig"]["defaults"]["max"] = most
    made["options"] = {
        "orientation": "horizontal",
        "displayMode": "basic",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return made


def heatmap(title, description, metric, unit, width=8):
    """A histogram over time."""
    expr = f"sum by (le) (increase({metric}_bucket{{}}[]))"
    made = panel("heatmap", title, description, [(expr, "{{le}}")], unit, width, 7, query={"format": "heatmap"})
    made["options"] = {
        "calculate": False,
        "color": {"mode": "scheme", "scheme": "Blues", "exponent": 0.5},
        "yAxis": {"unit": unit},
        "cellGap": 1,
        "tooltip": {"mode": "single", "yHistogram": True},
    }
    return made


def table(title, description, queries, names, unit="short", width=12, height=7, hidden=(), runbook=None):
    """One line for each set of labels; `names` says which columns there are, and what they are called."""
    made = panel("table", title, description, queries, unit, width, height, None, runbook, {"instant": True, "range": False, "format": "table"})
    made["options"] = {"cellHeight": "sm", "showHeader": True}
    organised = {
        "excludeByName": {"Time": True, "__name__": True} | dict.fromkeys(hidden, True),
        "indexByName": {name: at for at, name in enumerate(names)},
        "renameByName": names,
    }
    made["transformations"] = [{"id": "merge", "options": {}}, {"id": "organize", "options": organised}]
    return made


def row(question, *panels):
    """A row that asks something, and the panels that answer."""
    return {"type": "row", "title": question, "collapsed": False, "panels": []}, panels


def laid_out(rows):
    """Panels from left to right, rows from top to bottom."""
    placed, ids, y = [], itertools.count(1), 0
    for head, panels in rows:
        placed.append(head | {"id": next(ids), "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}})
        x, y, tallest = 0, y + 1, 0
        for one in panels:
            size = one["gridPos"]
            if x + size["w"] > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            placed.append(one | {"id": next(ids), "gridPos": {"x": x, "y": y, **size}})
            x, tallest = x + size["w"], max(tallest, size["h"])
        y += tallest
    return placed


def variable(name, metric, label=None, several=True):
    """Values of a label of a metric, read anew when the time range changes."""
    made = {
        "name": name,
        "label": (label or name).capitalize(),
        "type": "query",
        "datasource": SOURCE,
        "query": f"label_values({metric}, {name})",
        "definition": f"label_values({metric}, {name})",
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
    }
    if several:
        made |= {"allValue": ".+", "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}
    return made


def annotation(name, colour, expr, title, text, **more):
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": True,
        "iconColor": colour,
        "expr": promql(expr),
        "step": "30s",
        "titleFormat": title,
        "textFormat": text,
        **more,
    }


def top(most, metric, by, labels=""):
    """The rates of those that have most over the whole range, so that lines do not come and go."""
    selected = f"{metric}{{, {labels}}}"
    there = f"topk({most}, sum by ({by}) (increase({selected}[$__range] @ end())))"
    return f"sum by ({by}) (rate({selected}[])) and on ({by}) {there}"


def new(metric, label):
    """A value of a label that was not there five minutes ago or, if nothing was, in the day before."""
    now = f"count by ({label}) ({metric}{{}})"
    before = f"count by ({label}) ({metric}{{}} offset 5m)"
    last = f"count by ({label}) (last_over_time({metric}{{}}[1d] offset 5m)) unless on () count({metric}{{}} offset 5m)"
    return f"{now} unless ({before} or ({last}))"


def dashboard(name, title, description, rows, variables=(), since="now-6h"):
    """The dashboard as Grafana reads it."""
    return {
        "uid": f"holdfast-{name}",
        "title": f"Holdfast / {title}",
        "description": description,
        "tags": ["holdfast"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": since, "to": "now"},
        "timezone": "browser",
        "links": [
            {"type": "dashboards", "title": "Holdfast", "tags": ["holdfast"], "asDropdown": False, "includeVars": True, "keepTime": True},
            {"type": "link", "title": "Runbook", "url": RUNBOOK, "icon": "doc", "targetBlank": True},
        ],
        "annotations": {
            "list": [
                annotation("Starts", "blue", "process_start_time_seconds{} * 1000", "Start", "{{instance}}", useValueForTime=True),
                annotation("Deployments", "purple", new("holdfast_build_info", "version"), "Version {{version}}", ""),
                annotation("Rulesets", "orange", new("holdfast_ruleset_info", "ruleset"), "Ruleset", "{{ruleset}}"),
            ]
        },
        "templating": {
            "list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1, "hide": 0},
                variable("job", "holdfast_build_info"),
                variable("instance", 'holdfast_build_info{job=~"$job"}'),
                *variables,
            ]
        },
        "panels": laid_out(rows),
    }


def written(made):
    """Its file."""
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"
