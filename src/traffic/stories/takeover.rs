//! An intruder in a customer's account.

use crate::traffic::line::{Authorization, Feedback, Label, Scope};
use crate::traffic::ordinary;
use crate::traffic::people::{Card, Session};
use crate::traffic::rhythm::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use crate::traffic::shops::{GIFT_CODES, WEB_SHOP};
use crate::traffic::stage::Stage;

const INTRUDER: Label = Label::fraud("account_takeover");
const VICTIM: Label = Label::honest("takeover_victim");

/// The victim's gift card balance, about, in yen.
const BALANCE: (i64, i64) = (45_000, 75_000);
/// What is charged to the stored cards after that, about, in yen.
const CHARGED: (i64, i64) = (30_000, 50_000);

/// The victim orders something; hours later somebody guesses the password, or resets it, and in
/// about an hour turns the gift card balance and then two stored cards into digital codes. The
/// victim notices, answers, and gets the money back.
pub(super) fn take_over(stage: &mut Stage, now_ms: i64) {
    let victim = stage.people.victim(2, now_ms, 14 * DAY_MS, &mut stage.dice);
    let own = stage.people.session(victim, &mut stage.dice);
    let shop = stage.shops.of_kind(WEB_SHOP, &mut stage.dice);
    stage.account_event(now_ms, "login", victim, own, VICTIM);
    ordinary::order(stage, now_ms + 5 * MINUTE_MS, victim, shop, own, VICTIM);

    let start_ms = now_ms + stage.dice.between(HOUR_MS, 4 * HOUR_MS);
    let (session, inside_ms) = break_in(stage, start_ms, victim);
    let (spent_ms, spent) = spend(stage, inside_ms, victim, session);

    // The victim cannot get in any more, then does, sees the mails and calls.
    let noticed_ms = spent_ms + stage.dice.between(10 * MINUTE_MS, 5 * HOUR_MS);
    for n in 0..stage.dice.between(1, 3) {
        let at_ms = noticed_ms + n * 20 * SECOND_MS;
        stage.account_event(at_ms, "login_failed", victim, own, VICTIM);
    }
    stage.account_event(noticed_ms + 2 * MINUTE_MS, "password_reset", victim, own, VICTIM);
    stage.account_event(noticed_ms + 3 * MINUTE_MS, "login", victim, own, VICTIM);
    let mut answer = Feedback {
        time_ms: noticed_ms + stage.dice.between(5 * MINUTE_MS, 40 * MINUTE_MS),
        account: victim,
        verdict: "fraud",
        source: "customer",
        note: Some("these orders are not mine"),
        scope: Scope::AccountFrom(start_ms),
        suspend_account: stage.dice.chance(0.5),
    };
    stage.answer(&answer);
    let mut back_ms = answer.time_ms + stage.dice.between(10 * MINUTE_MS, HOUR_MS);
    for (id, order) in &spent {
        stage.reverse(back_ms, *id, order);
        back_ms += stage.dice.between(SECOND_MS, MINUTE_MS);
    }
    answer.time_ms = back_ms + stage.dice.between(2 * HOUR_MS, 20 * HOUR_MS);
    (answer.verdict, answer.source) = ("restored", "analyst");
    (answer.note, answer.suspend_account) = (Some("password changed, refunded"), false);
    answer.scope = Scope::Account;
    stage.answer(&answer);
}

/// Failed log-ins, perhaps a reset, then a log-in on a device that the account has never seen.
fn break_in(stage: &mut Stage, start_ms: i64, victim: u32) -> (Session, i64) {
    let session = stage.strange_session();
    let mut at_ms = start_ms;
    // Some come with a password that leaked elsewhere.
    for _ in 0..stage.dice.pick([0, 0, 1, 2, 4, 5, 7]) {
        stage.account_event(at_ms, "login_failed", victim, session, INTRUDER);
        at_ms += stage.dice.between(3 * SECOND_MS, 50 * SECOND_MS);
    }
    if stage.dice.chance(0.6) {
        stage.account_event(at_ms, "password_reset", victim, session, INTRUDER);
        at_ms += stage.dice.between(30 * SECOND_MS, 3 * MINUTE_MS);
    }
    stage.account_event(at_ms, "login", victim, session, INTRUDER);
    if stage.dice.chance(0.7) {
        at_ms += stage.dice.between(20 * SECOND_MS, 3 * MINUTE_MS);
        stage.account_event(at_ms, "address_change", victim, session, INTRUDER);
    }
    (session, at_ms)
}

/// Order after order of codes. Returns when it ended, and what was paid.
fn spend(
    stage: &mut Stage,
    start_ms: i64,
    victim: u32,
    session: Session,
) -> (i64, Vec<(u64, Authorization)>) {
    let shop = stage.shops.of_kind(GIFT_CODES, &mut stage.dice);
    let mut balance = stage.dice.between(BALANCE.0, BALANCE.1);
    let mut charge = stage.dice.between(CHARGED.0, CHARGED.1);
    let stored = [stage.people.card(victim, 0), stage.people.card(victim, 1)];
    let (mut at_ms, mut spent) = (start_ms, Vec::new());
    while balance > 0 || charge > 0 {
        at_ms += stage.dice.between(2 * MINUTE_MS, 6 * MINUTE_MS);
        let amount = stage.dice.pick([3000, 5000, 5000, 10_000, 10_000]);
        let card: Card = stored[spent.len() % 2];
        let mut sale = Authorization::by_card(at_ms, card, shop, amount);
        stage.online(&mut sale, session, 1);
        (sale.delivery, sale.label) = (Some("digital_code"), INTRUDER);
        if balance > 0 {
            sale.pay_without_card("gift_card");
            sale.amount_minor = amount.min(balance);
            balance -= amount;
        } else {
            charge -= amount;
            sale.avs = Some(stage.dice.pick(["mismatch", "mismatch", "not_checked"]));
            sale.threeds = stage.dice.pick([None, Some("attempted")]);
        }
        spent.push((stage.authorize(&sale), sale));
    }
    (at_ms, spent)
}
