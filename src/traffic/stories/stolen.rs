//! Cards in the wrong hands: a clone used abroad while its owner shops at home, and a stolen number
//! used for things that are sent to a locker.

use crate::traffic::line::{Authorization, Feedback, Label, Scope};
use crate::traffic::ordinary;
use crate::traffic::people::Card;
use crate::traffic::rhythm::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::traffic::shops::{COUNTRIES, KONBINI, WEB_SHOP};
use crate::traffic::stage::Stage;

/// The owner buys something at home; within the hours after it the card's copy is swiped at tills
/// in another country.
pub(super) fn use_clone(stage: &mut Stage, now_ms: i64) {
    let victim = stage.people.victim(1, now_ms, 3 * DAY_MS, &mut stage.dice);
    let card = stage.people.card(victim, 0);
    let shop = stage.shops.of_kind(KONBINI, &mut stage.dice);
    let mut own = ordinary::at_till(stage, now_ms, victim, shop);
    own.card = Some(card);
    own.label = Label::honest("clone_victim");
    stage.authorize(&own);
    let country = stage.dice.below(COUNTRIES.len());
    let mut at_ms = now_ms + stage.dice.between(30 * MINUTE_MS, 3 * HOUR_MS);
    for _ in 0..stage.dice.between(3, 6) {
        let shop = stage.shops.abroad(country, &mut stage.dice);
        let amount = stage.dice.between(9000, 90_000);
        let mut sale = Authorization::by_card(at_ms, card, shop, amount);
        (sale.terminal, sale.entry_mode) = (Some(1), "magstripe");
        sale.label = Label::fraud("cloned_card");
        stage.authorize(&sale);
        at_ms += stage.dice.between(4 * MINUTE_MS, 35 * MINUTE_MS);
    }
    let answer_ms = at_ms + stage.dice.between(HOUR_MS, 20 * HOUR_MS);
    disown(stage, answer_ms, card, "customer");
}

/// A few large orders from a device that the account does not know, to a locker.
pub(super) fn order_with_stolen_card(stage: &mut Stage, now_ms: i64) {
    let victim = stage.people.victim(1, now_ms, 3 * DAY_MS, &mut stage.dice);
    let card = stage.people.card(victim, 0);
    let session = stage.strange_session();
    let locker = Some(stage.dice.token());
    let mut at_ms = now_ms;
    for _ in 0..stage.dice.between(3, 5) {
        let shop = stage.shops.of_kind(WEB_SHOP, &mut stage.dice);
        let amount = stage.dice.between(18_000, 95_000);
        let mut sale = Authorization::by_card(at_ms, card, shop, amount);
        stage.online(&mut sale, session, 1);
        (sale.delivery, sale.ship_to, sale.bill_to) = (Some("locker"), locker, locker);
        sale.avs = Some(stage.dice.pick(["mismatch", "mismatch", "not_checked"]));
        sale.cvv = Some("match");
        sale.label = Label::fraud("stolen_card");
        stage.authorize(&sale);
        at_ms += stage.dice.between(5 * MINUTE_MS, 40 * MINUTE_MS);
    }
    let answer_ms = at_ms + stage.dice.between(6 * HOUR_MS, 2 * DAY_MS);
    disown(stage, answer_ms, card, "chargeback");
}

fn disown(stage: &mut Stage, time_ms: i64, card: Card, source: &'static str) {
    stage.answer(&Feedback {
        time_ms,
        account: card.account,
        verdict: "fraud",
        source,
        note: None,
        scope: Scope::Card(card),
        suspend_account: false,
    });
}
