//! Honest people who look strange: a seller buying stock on personal cards, and a business that
//! spends up to the monthly cap of a shop.

use crate::traffic::line::{Authorization, Feedback, Label, Order, Scope};
use crate::traffic::people::{Card, Session};
use crate::traffic::rhythm::{HOUR_MS, MINUTE_MS, SECOND_MS, local_day, local_month};
use crate::traffic::shops::ONLINE_MALL;
use crate::traffic::stage::Stage;

const SELLER: Label = Label::honest("seller");
const BUSINESS: Label = Label::honest("business");
/// Day 5 after the epoch was a Tuesday: the weekly sale of the big shop.
const SALE_DAY_OF_WEEK: i64 = 5;
/// What the shop lets one customer spend in a calendar month, in yen.
const MONTHLY_CAP: i64 = 1_000_000;

/// Prices of single items, as quantiles.
const STOCK: [i64; 5] = [180, 400, 700, 1200, 2600];
const STOCK_ON_SALE: [i64; 5] = [400, 900, 1500, 2400, 5000];
const BUSINESS_GOODS: [i64; 4] = [6000, 25_000, 45_000, 90_000];

/// What a business has spent in a month.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Budget {
    month: i64,
    spent: i64,
}

/// A day of a seller: some hundred orders a week at the big shop, one authorization an item, on
/// another of four cards each day. On a sale day about JPY 180,000 in three sittings; the issuer
/// rings in vain, and the seller calls back.
pub(super) fn seller_day(stage: &mut Stage, account: u32, now_ms: i64) {
    let day = local_day(now_ms);
    let card = stage.people.card(account, day.rem_euclid(4) as u8);
    let sale = day.rem_euclid(7) == SALE_DAY_OF_WEEK;
    let session = stage.people.session(account, &mut stage.dice);
    let (sittings, orders, prices) = if sale { (3, 15, STOCK_ON_SALE) } else { (4, 3, STOCK) };
    for sitting in 0..sittings {
        let start_ms = now_ms + sitting * 3 * HOUR_MS + stage.dice.between(0, 2 * HOUR_MS);
        stage.account_event(start_ms, "login", account, session, SELLER);
        let mut at_ms = start_ms;
        for _ in 0..stage.dice.between(orders - 2, orders + 2) {
            at_ms += stage.dice.between(MINUTE_MS, 5 * MINUTE_MS);
            let items = stage.dice.pick([1, 1, 2, 2, 3, 4]);
            item_order(stage, at_ms, card, session, &prices, items, SELLER);
        }
    }
    if sale {
        call(stage, account, now_ms + 5 * HOUR_MS);
    }
}

/// A day of a business: some large orders, until the month's cap is about reached.
pub(super) fn business_day(stage: &mut Stage, account: u32, now_ms: i64, budget: &mut Budget) {
    let month = local_month(local_day(now_ms));
    if budget.month != month {
        *budget = Budget { month, spent: 0 };
    }
    let session = stage.people.session(account, &mut stage.dice);
    let card = stage.people.card(account, 0);
    let mut at_ms = now_ms + stage.dice.between(0, HOUR_MS);
    stage.account_event(at_ms, "login", account, session, BUSINESS);
    for _ in 0..stage.dice.between(3, 5) {
        // A little beyond: the shop's own count is a moment behind.
        if budget.spent > MONTHLY_CAP + MONTHLY_CAP / 20 {
            return;
        }
        at_ms += stage.dice.between(20 * MINUTE_MS, 2 * HOUR_MS);
        let items = stage.dice.between(1, 4);
        budget.spent += item_order(stage, at_ms, card, session, &BUSINESS_GOODS, items, BUSINESS);
    }
}

/// An order at the big shop, item by item; returns what it costs, in yen.
fn item_order(
    stage: &mut Stage,
    time_ms: i64,
    card: Card,
    session: Session,
    prices: &[i64],
    item_count: i64,
    label: Label,
) -> i64 {
    let shop = stage.shops.first_of_kind(ONLINE_MALL);
    let home = stage.people.home(card.account);
    let mut sale = Authorization::by_card(time_ms, card, shop, 0);
    stage.online(&mut sale, session, item_count);
    sale.label = label;
    sale.delivery = Some("home");
    (sale.ship_to, sale.bill_to) = (Some(home), Some(home));
    (sale.avs, sale.cvv) = (Some("match"), Some("match"));
    let mut sum = 0;
    for seq in 1..=item_count {
        sale.order = sale.order.map(|order| Order { item_seq: Some(seq), ..order });
        sale.amount_minor = stage.dice.spread(prices);
        sum += sale.amount_minor;
        stage.authorize(&sale);
        sale.time_ms += stage.dice.between(200, 2 * SECOND_MS);
    }
    sum
}

/// Two calls and a mail without an answer, then "it was me".
fn call(stage: &mut Stage, account: u32, from_ms: i64) {
    let mut answer = Feedback {
        time_ms: from_ms,
        account,
        verdict: "no_answer",
        source: "issuer",
        note: None,
        scope: Scope::Account,
        suspend_account: false,
    };
    for note in ["call", "voicemail", "email"] {
        answer.note = Some(note);
        stage.answer(&answer);
        answer.time_ms += stage.dice.between(10 * MINUTE_MS, 40 * MINUTE_MS);
    }
    answer.time_ms += stage.dice.between(20 * MINUTE_MS, 2 * HOUR_MS);
    (answer.verdict, answer.source) = ("legitimate", "customer");
    answer.note = Some("called back");
    stage.answer(&answer);
}
