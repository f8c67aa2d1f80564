"""Decisions: what is decided, which rules say so, what waits, and was it right?"""

from parts import bars, dashboard, heatmap, row, series, stat, table, top

MADE = 'action=~"allow|review|verify|hold|decline"'
ALL = f"sum(rate(holdfast_decisions_total{{, {MADE}}}[]))"


def share(action, window="$__range", shift=""):
    """Of all decisions."""
    asked = f'sum(increase(holdfast_decisions_total{{, action="{action}"}}[{window}]{shift}))'
    return f"{asked} / (sum(increase(holdfast_decisions_total{{, {MADE}}}[{window}]{shift})) > 0)"


def share_stat(action, says, limits=None):
    runbook = "HoldfastHoldRateHigh" if action in ("verify", "hold", "decline") else None
    return stat(action.capitalize(), f"{says}: its share of all decisions in the range that is looked at.", share(action), "percentunit", limits=limits, runbook=runbook, decimals=2)


UNCERTAIN = (
    '(sum(increase(holdfast_decision_states_total{, state!="complete"}[$__range])) or vector(0))'
    " / (sum(increase(holdfast_decision_states_total{}[$__range])) > 0)"
)

WHAT = row(
    "What is decided?",
    stat("Decisions", "In the range that is looked at.", f"sum(increase(holdfast_decisions_total{{, {MADE}}}[$__range]))"),
    share_stat("review", "Let pass, to be looked at"),
    share_stat("verify", "The customer is asked"),
    share_stat("hold", "Somebody decides first"),
    share_stat("decline", "Refused"),
    stat("Uncertain", "The share of decisions whose counters are not complete: late, warming or degraded.", UNCERTAIN, "percentunit", limits=[0.01, 0.05], runbook="HoldfastDecisionsUncertain", decimals=2),
    series("Decisions", "By action.", [(f"sum by (action) (rate(holdfast_decisions_total{{, {MADE}}}[]))", "{{action}}")], "cps", width=12, stacked=True),
    series("What is not simply allowed", "The share of each action.", [(f'sum by (action) (rate(holdfast_decisions_total{{, action=~"review|verify|hold|decline"}}[])) / on () group_left () {ALL}', "{{action}}")], "percentunit", width=12, runbook="HoldfastHoldRateHigh"),
)

AS_USUAL = row(
    "Is that as usual?",
    series("Stopped: now and a day ago", "Verify, hold and decline together, as a share of all decisions.", [(f'sum(rate(holdfast_decisions_total{{, action=~"verify|hold|decline"}}[]{shift})) / sum(rate(holdfast_decisions_total{{, {MADE}}}[]{shift}))', name) for shift, name in [("", "now"), (" offset 1d", "a day ago")]], "percentunit", width=8, runbook="HoldfastHoldRateZero"),
    series("Decisions: now and a day ago", "As many as usual?", [(f"sum(rate(holdfast_decisions_total{{, {MADE}}}[]{shift}))", name) for shift, name in [("", "now"), (" offset 1d", "a day ago")]], "cps", width=8),
    heatmap("Scores", "Decisions by their score. A hill that moves is a change of traffic, or of points.", "holdfast_score", "none"),
)

WHICH_RULES = row(
    "Which rules say so?",
    bars("Live rules", "How often each held in the range that is looked at.", 'sum by (rule) (increase(holdfast_rule_hits_total{, mode="live"}[$__range]))', "{{rule}}", width=8),
    bars("Rules in shadow", "The same of rules that are only watched.", 'sum by (rule) (increase(holdfast_rule_hits_total{, mode="shadow"}[$__range]))', "{{rule}}", width=8),
    bars("What shadow rules would change", "Authorizations that they would have treated more strictly than they were decided.", "sum by (rule) (increase(holdfast_shadow_stricter_total{}[$__range]))", "{{rule}}", width=8),
    series("Hits by rule", "Live rules; the ten that hold most in the range that is looked at.", [(top(10, "holdfast_rule_hits_total", "rule", 'mode="live"'), "{{rule}}")], "cps", width=12),
    series("Hits by rule, in shadow", "The ten that hold most in the range that is looked at.", [(top(10, "holdfast_rule_hits_total", "rule", 'mode="shadow"'), "{{rule}}")], "cps", width=12),
)

WAITS = row(
    "What waits for an answer?",
    stat("Open cases", "Nobody has answered yet.", 'sum(holdfast_cases{, status="open"})', width=6),
    stat("Oldest open case", "How long its customer has waited, by the time of day. Yellow after a day, red after the three for which the default ruleset waits.", 'max(holdfast_case_oldest_age_seconds{, status="open"})', "s", width=6, limits=[86400, 3 * 86400]),
    stat("Suspended targets", "Cards, devices and accounts that are refused until somebody answers, or for good.", "sum(holdfast_suspended_targets{})", width=6),
    stat("Ended by a deadline", "The share of follow-ups that nobody's answer made. High, the question reaches nobody.", 'sum(increase(holdfast_follow_ups_total{, trigger="expiry"}[$__range])) / (sum(increase(holdfast_follow_ups_total{}[$__range])) > 0)', "percentunit", width=6, limits=[0.5, 0.8]),
    series("Cases", "Alive, by status.", [("sum by (status) (holdfast_cases{})", "{{status}}")], stacked=True),
    series("Age of the oldest case", "By status.", [("max by (status) (holdfast_case_oldest_age_seconds{})", "{{status}}")], "s"),
    series("Changes of cases", "Case records by the status that they say.", [("sum by (status) (rate(holdfast_case_changes_total{}[]))", "{{status}}")], "cps"),
)

ANSWERS = row(
    "What became of it?",
    series("Follow-ups", "What waited is released, cancelled or reversed, by an answer or by a deadline.", [("sum by (action, trigger) (rate(holdfast_follow_ups_total{}[]))", "{{action}} by {{trigger}}")], "cps", width=12, stacked=True),
    series("Answers", "Feedback by verdict and by who gave it.", [("sum by (verdict, source) (rate(holdfast_feedback_total{}[]))", "{{verdict}}, {{source}}")], "cps", width=12, stacked=True),
)

WERE_WE_RIGHT = row(
    "Were we right?",
    bars("False positives by rule", "The share of a rule's answered authorizations that were legitimate, in the range that is looked at.", 'sum by (rule) (increase(holdfast_rule_answers_total{, verdict="legitimate"}[$__range])) / (sum by (rule) (increase(holdfast_rule_answers_total{}[$__range])) > 0)', "{{rule}}", "percentunit", width=8, limits=[0.5, 0.9], most=1),
    bars("Answers by rule", "How many answers that rests on.", "sum by (rule) (increase(holdfast_rule_answers_total{}[$__range]))", "{{rule}}", width=8),
    table("Rules", "What they ask for, and what they count towards.", [("count by (rule, mode, action, category) (holdfast_rule_info{})", "")], {"rule": "Rule", "mode": "Mode", "action": "Asks for", "category": "Category", "Value": "Instances"}, width=8, height=10),
)

COMPLETE = row(
    "Is what it knows complete?",
    series("Decisions by state", "Late: behind their time, without their counters. Warming: after a start without a snapshot. Degraded: a limit on memory cut a window.", [('sum by (state) (rate(holdfast_decision_states_total{, state!="complete"}[]))', "{{state}}")], "cps", width=12, stacked=True, runbook="HoldfastDecisionsUncertain"),
    series("Complete", "The share of decisions whose counters are exact.", [('sum(rate(holdfast_decision_states_total{, state="complete"}[])) / sum(rate(holdfast_decision_states_total{}[]))', "complete")], "percentunit", width=12, limits=[0.95, 0.9], runbook="HoldfastDecisionsUncertain", most=1),
    series("Rules that fail", "A division by zero or an overflow: the rule did not hold.", [("sum by (rule) (rate(holdfast_rule_errors_total{}[])) > 0 or 0 * sum(rate(holdfast_rule_errors_total{}[]))", "{{rule}}")], "cps", width=12, runbook="HoldfastRuleErrors"),
    series("Limits that cut in", "Declined because as many as pending_per_account wait of the account; cases that reached back to more than linked_events and linked the newest.", [("sum(rate(holdfast_limited_authorizations_total{}[]))", "declined"), ("sum(rate(holdfast_truncated_links_total{}[]))", "links cut")], "cps", width=12),
)

DASHBOARD = dashboard(
    "decisions",
    "Decisions",
    "Does it decide sensibly? Actions, scores, rules live and in shadow, cases, answers.",
    [WHAT, AS_USUAL, WHICH_RULES, WAITS, ANSWERS, WERE_WE_RIGHT, COMPLETE],
    since="now-24h",
)
