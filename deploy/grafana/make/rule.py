"""Rule: one rule, its hits, its answers, and what it would change."""

from parts import dashboard, row, series, stat, table, variable

DECISIONS = 'sum(rate(holdfast_decisions_total{, action=~"allow|review|verify|hold|decline"}[]))'
HITS = 'sum(rate(holdfast_rule_hits_total{, rule="$rule"}[]))'


def in_range(metric, labels=""):
    return f'sum(increase({metric}{{, rule="$rule"{labels}}}[$__range]))'


WHAT = row(
    "What is it?",
    table("$rule", "What it asks for, live or in shadow. Its condition is in the ruleset, under this id.", [('count by (rule, mode, action, category) (holdfast_rule_info{, rule="$rule"})', "")], {"rule": "Rule", "mode": "Mode", "action": "Asks for", "category": "Category", "Value": "Instances"}, width=12, height=4),
    stat("Hits", "In the range that is looked at.", in_range("holdfast_rule_hits_total")),
    stat("Answers", "To authorizations that wait, where it had a say.", in_range("holdfast_rule_answers_total")),
    stat("Failures", "Times that it had no value and did not hold: a division by zero, an overflow.", in_range("holdfast_rule_errors_total"), limits=[1], runbook="HoldfastRuleErrors"),
)

HOW_OFTEN = row(
    "How often does it hold?",
    series("Hits", "Live and in shadow.", [('sum by (mode) (rate(holdfast_rule_hits_total{, rule="$rule"}[]))', "{{mode}}")], "cps"),
    series("Its share of decisions", "Of a hundred authorizations, so many.", [(f"{HITS} / {DECISIONS}", "share")], "percentunit", runbook="HoldfastHoldRateHigh"),
    series("Its share of all hits", "Among all rules, live and in shadow.", [(f"{HITS} / sum(rate(holdfast_rule_hits_total{{}}[]))", "share")], "percentunit", most=1),
    series("Now and a day ago", "As often as usual?", [(f'sum(rate(holdfast_rule_hits_total{{, rule="$rule"}}[]{shift}))', name) for shift, name in [("", "now"), (" offset 1d", "a day ago")]], "cps", width=12),
    series("By instance", "Accounts are spread over instances: one alone is one account, or one instance with another ruleset.", [('sum by (instance) (rate(holdfast_rule_hits_total{, rule="$rule"}[]))', "{{instance}}")], "cps", width=12, runbook="HoldfastRulesetsDiffer"),
)

RIGHT = row(
    "Was it right?",
    stat("Precision", "The share of its answered authorizations that were not legitimate, in the range that is looked at.", f"""1 - {in_range("holdfast_rule_answers_total", ', verdict="legitimate"')} / ({in_range("holdfast_rule_answers_total")} > 0)""", "percentunit", width=6, limits=[0.5, 0.1]),
    series("Precision over time", "Over the hour before.", [('1 - sum(increase(holdfast_rule_answers_total{, rule="$rule", verdict="legitimate"}[1h])) / (sum(increase(holdfast_rule_answers_total{, rule="$rule"}[1h])) > 0)', "precision")], "percentunit", width=9, most=1),
    series("Answers", "By verdict.", [('sum by (verdict) (rate(holdfast_rule_answers_total{, rule="$rule"}[]))', "{{verdict}}")], "cps", width=9, stacked=True),
)

SHADOW = row(
    "What would it change? (of a rule in shadow)",
    stat("Would be stricter", "Authorizations in the range that is looked at which it would have treated more strictly than they were decided.", in_range("holdfast_shadow_stricter_total"), width=6),
    series("Stricter", "Authorizations that it would have treated more strictly. Nothing here of a live rule.", [('sum(rate(holdfast_shadow_stricter_total{, rule="$rule"}[]))', "stricter")], "cps", width=9),
    series("Of its hits", "The share of its hits that would change a decision; the rest is caught already.", [('sum(rate(holdfast_shadow_stricter_total{, rule="$rule"}[])) / (sum(rate(holdfast_rule_hits_total{, rule="$rule", mode="shadow"}[])) > 0)', "share")], "percentunit", width=9, most=1),
)

DASHBOARD = dashboard(
    "rule",
    "Rule",
    "One rule: how often it holds, whether it is right, what it would change.",
    [WHAT, HOW_OFTEN, RIGHT, SHADOW],
    [variable("rule", 'holdfast_rule_info{job=~"$job", instance=~"$instance"}', several=False)],
    since="now-24h",
)
