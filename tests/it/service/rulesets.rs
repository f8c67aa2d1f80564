//! Another ruleset at a restart: it decides from the committed offset on, over counters that know
//! what came before.

use super::{REST, seeded, size, turn};
use crate::support::{
    kafka::{
        feed::{Event, produce, traffic},
        shared,
    },
    service::{Deployment, Instance},
};

/// Without cases: a later stretch is due as if its ruleset had seen the log from its beginning.
const FIRST: &str = r#"
[[counter]]
name = "card_count_24h"
key = ["card_id"]
count = true
window = "24h"
[[counter]]
name = "account_sum_7d"
key = ["account_id"]
sum = "amount_minor"
currency = "any"
window = "7d"
[[rule]]
id = "many"
when = "card_count_24h >= 3"
points = 10
[[rule]]
id = "much"
when = "account_sum_7d > 50000"
action = "decline"
[output]
emit = "all"
"#;

/// Other rules over the same counters.
fn other_rules() -> String {
    FIRST.replace("card_count_24h >= 3", "card_count_24h >= 2")
}

/// A counter more, and another with another window.
fn other_counters() -> String {
    let more = "[[counter]]\nname = \"merchants_30d\"\nkey = [\"account_id\"]\n\
        distinct = \"merchant_id\"\nwindow = \"30d\"\n[[rule]]\nid = \"wide\"\n\
        when = \"merchants_30d >= 4\"\naction = \"decline\"\n";
    format!("{more}{}", FIRST.replace("window = \"24h\"", "window = \"48h\""))
}

#[test]
fn a_ruleset_that_changes_at_a_restart_takes_over_where_the_other_ended() {
    let _turn = turn();
    let (seed, mut dice) = seeded("a_ruleset_that_changes_at_a_restart");
    let partitions = 3;
    let mut deployment = Deployment::new(&shared(), partitions, FIRST);
    let rulesets = [FIRST.to_owned(), other_rules(), other_counters(), FIRST.to_owned()];
    let part = size(4_000, 50_000);
    let mut events: Vec<Event> = traffic(seed, part * rulesets.len() as u64).collect();
    for (round, ruleset) in rulesets.iter().enumerate() {
        if round > 0 {
            deployment.change_ruleset(ruleset);
        }
        let rest = events.split_off(events.len().min(part as usize));
        produce(&deployment.input, std::mem::replace(&mut events, rest));
        let mut instances = [deployment.start(0)];
        deployment.wait_until_done(REST, &mut instances);
        // A restart under the same one in between is no change.
        if dice.percent(50) {
            let [instance] = instances;
            instance.kill();
            instances = [deployment.start(0)];
            instances[0].wait_until_ready();
        }
        instances.into_iter().for_each(Instance::terminate);
    }
    let report = deployment.must_be_exact();
    assert_eq!(report.changes, partitions as usize * (rulesets.len() - 1));
}
