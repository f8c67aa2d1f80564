//! What one ruleset leaves to the next one: cases and graces, and the windows of the counters that
//! have not changed. The others are filled from the log, as far as it reaches.

use std::{ops::Range, sync::Arc};

use super::{Broken, Engine, EngineState, Ruleset, Run};
use crate::{engine::Warming, window::carry::Carried};

impl Run<'_> {
    /// The engine of the ruleset that takes over from another one at the end of `decided`.
    pub(super) fn taken_over(
        &mut self,
        former: Engine,
        ruleset: Arc<Ruleset>,
        decided: Range<i64>,
    ) -> Result<Engine, Broken> {
        let same_counters = ruleset.counts_as(former.ruleset());
        let same_places = ruleset.admitting == former.ruleset().admitting;
        let mut carried = ruleset.carried_from(former.ruleset());
        let mut state = former.snapshot();
        state.cases = state.cases.moved(&ruleset.moved_from(former.ruleset()));
        drop(former);
        if same_counters {
            return Ok(Engine::restore(ruleset, state));
        }
        let from = decided.start.max(self.bounds.start);
        let is_short = from > decided.start;
        if (is_short || !same_places) && carried.fills_places() {
            // Places in the log are counted from another beginning, or over other events.
            carried.fill_all_places();
            state.cases.forget_places();
        }
        let mut engine = Engine::new(ruleset.clone());
        if carried.fills_anything() {
            if is_short {
                self.short = true;
                engine.warm_up();
            }
            self.read_again(&mut engine, from..decided.end)?;
        }
        let EngineState { mut windows, warming, .. } = engine.snapshot();
        drop(engine);
        carried.put(state.windows, &mut windows);
        let filled = warming_of_filled(warming, &ruleset, &carried, state.clock_ms);
        if filled != Warming::No {
            self.remark(format!(
                "counters have changed, and the log begins at offset {from}: decisions say \
                 \"state\":\"warming\" for a while"
            ));
        }
        let warming = longer(state.warming, filled);
        Ok(Engine::restore(ruleset, EngineState { windows, warming, ..state }))
    }
}

/// How long what was filled from a log that is too short knows too little: as long as its own windows
/// reach, not those that stay.
fn warming_of_filled(
    warming: Warming,
    ruleset: &Ruleset,
    carried: &Carried,
    clock_ms: Option<i64>,
) -> Warming {
    let Warming::Until(all_ms) = warming else { return warming };
    let begun_ms = all_ms.saturating_sub(ruleset.longest_ms());
    let reach_ms = carried.filled_reach_ms().saturating_add(ruleset.input.allowed_lateness_ms);
    let until_ms = begun_ms.saturating_add(reach_ms).min(all_ms);
    match clock_ms.is_some_and(|clock_ms| clock_ms >= until_ms) {
        true => Warming::No,
        false => Warming::Until(until_ms),
    }
}

fn longer(one: Warming, other: Warming) -> Warming {
    match (one, other) {
        (Warming::No, warming) | (warming, Warming::No) => warming,
        (Warming::Begins, _) | (_, Warming::Begins) => Warming::Begins,
        (Warming::Until(one), Warming::Until(other)) => Warming::Until(one.max(other)),
    }
}
