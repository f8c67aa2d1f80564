//! One rule, and how it or the score wants a hold to live.

use crate::{
    cases::life::{Life, OnExpiry, Scope as Holds, WhileSuspended},
    decision::{Action, Category, Effect},
    engine::ruleset::{Hold, Rule},
    event::{Field, Path},
    rules::{Place as Scope, Schema},
};

use super::{
    super::{
        document::{Node, Table},
        problem::nearest,
    },
    Builder, RESERVED_RULES, duration_of, integer, table_text,
};

impl Builder<'_> {
    pub(super) fn rule(
        &mut self,
        table: &Table,
        schema: &Schema,
        cases: Option<&Table>,
        counters: &[Option<&str>],
    ) -> Option<Rule> {
        let before = self.problems.len();
        let id = table.get("id").and_then(|node| {
            let id = node.text()?;
            if RESERVED_RULES.contains(&id) {
                self.wrong(&node.place, format!("`{id}` is reserved: decisions use it")).hint =
                    Some("give the rule another id".into());
            }
            if id.len() > 128 || id.chars().any(char::is_control) {
                self.wrong(&node.place, "an id has up to 128 bytes, and no control character");
            }
            Some(id.to_owned())
        });
        let when = table.get("when").and_then(|node| self.program(node, schema, Scope::Rule));
        let effect = match (table.entry("action"), table.entry("points")) {
            (Some(action), None) => {
                let named = |action: &Action| Some(action.name()) == table_text(table, "action");
                let known = Action::ALL.into_iter().find(named);
                let _ = action;
                known.map(Effect::Act)
            }
            (None, Some(points)) => integer(&points.node).map(Effect::Points),
            (Some(_), Some(points)) => {
                self.wrong(&points.place, "a rule has an `action` or `points`, not both").hint =
                    Some("make it two rules".into());
                None
            }
            (None, None) => {
                let place = table.0.first().map(|entry| entry.place.clone())?;
                let message = "the rule asks for nothing: it has no `action` and no `points`";
                self.wrong(&place, message).hint = Some("action = \"review\"".into());
                None
            }
        };
        let named = |category: &Category| Some(category.name()) == table_text(table, "category");
        let category = Category::ALL.into_iter().find(named);
        let shadow = table_text(table, "mode") == Some("shadow");
        let reason = table_text(table, "reason").map(str::to_owned);
        let hold = self.hold(table, cases, counters);
        if self.problems.len() > before {
            return None;
        }
        Some(Rule { id: id?, when: when?, effect: effect?, shadow, category, reason, hold })
    }

    /// How a rule or the score wants a hold to live; `cases` says it where they do not.
    pub(super) fn hold(
        &mut self,
        table: &Table,
        cases: Option<&Table>,
        counters: &[Option<&str>],
    ) -> Hold {
        const HOUR_MS: i64 = 3_600_000;
        let given = |key: &str| table.get(key).or_else(|| cases?.get(key));
        let length = |key: &str, default: i64| given(key).and_then(duration_of).unwrap_or(default);
        let says = |key: &str, word: &str| given(key).and_then(Node::text) == Some(word);
        let sources = |list: &[Node]| {
            list.iter().filter_map(|source| Some(source.text()?.into())).collect::<Vec<Box<str>>>()
        };
        let life = Life {
            expires_ms: length("expires", 72 * HOUR_MS),
            on_expiry: match says("on_expiry", "release") {
                true => OnExpiry::Release,
                false => OnExpiry::Cancel,
            },
            while_suspended: match table_text(table, "while_suspended") {
                Some("hold") => WhileSuspended::Hold,
                _ => WhileSuspended::Decline,
            },
            answer_by: table.get("answer_by").and_then(Node::list).map(sources),
            grace_ms: length("grace", 30 * 24 * HOUR_MS),
        };
        let scope = match table.get("target").map(|node| (node, node.text())) {
            None | Some((_, Some("event"))) => Holds::Event,
            Some((_, Some("card"))) => Holds::Fields(vec![Path::Field(Field::CardId)]),
            Some((_, Some(_))) => Holds::Fields(Vec::new()),
            Some((node, None)) => {
                let mut fields = self.paths(node);
                fields.retain(|path| *path != Path::Field(Field::AccountId));
                fields.sort_by_key(Path::to_string);
                fields.dedup();
                Holds::Fields(fields)
            }
        };
        let mut reach = Vec::new();
        for node in table.get("reach").and_then(Node::list).unwrap_or(&[]) {
            let Some(name) = node.text() else { continue };
            match counters.iter().position(|counter| *counter == Some(name)) {
                Some(counter) => reach.push(counter),
                None => {
                    let near = nearest(name, counters.iter().copied().flatten());
                    self.wrong(&node.place, format!("unknown counter `{name}`")).hint = near;
                }
            }
        }
        Hold { scope, life, reach }
    }
}
