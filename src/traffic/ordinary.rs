//! Ordinary visits: what most people do most of the time, its everyday accidents included.

use super::Stage;
use super::line::{Authorization, Label, Order};
use super::people::Session;
use super::rhythm::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use super::shops::{COUNTRIES, GIFT_CODES, KINDS, ONLINE_MALL, Sells};

/// One visit of somebody, somewhere. Everything it writes happens at this time or later.
pub(super) fn visit(stage: &mut Stage, time_ms: i64) {
    let account = stage.people.any(&mut stage.dice);
    let (country, from_ms, to_ms) = stage.people.of(account).journey;
    if time_ms < to_ms {
        return abroad(stage, time_ms, account, country, from_ms, to_ms);
    }
    let chore = stage.dice.unit();
    if chore < 0.06 {
        log_in(stage, time_ms, account);
    } else if chore < 0.067 {
        upkeep(stage, time_ms, account);
    } else if chore < 0.069 {
        depart(stage, time_ms, account);
    } else {
        let merchant = stage.shops.any(&mut stage.dice);
        shop(stage, time_ms, account, merchant);
    }
}

/// A purchase at this merchant as its kind sells.
fn shop(stage: &mut Stage, time_ms: i64, account: u32, merchant: usize) {
    match stage.shops.all[merchant].kind.sells {
        Sells::AtTill | Sells::Abroad => {
            let sale = at_till(stage, time_ms, account, merchant);
            stage.authorize(&sale);
        }
        Sells::Goods | Sells::Codes => {
            let (session, start_ms) = log_in(stage, time_ms, account);
            let start_ms = start_ms + stage.dice.between(MINUTE_MS, 9 * MINUTE_MS);
            order(stage, start_ms, account, merchant, session, Label::ORDINARY);
        }
        Sells::Subscription => {
            let card = stage.people.card(account, 0);
            let amount_minor = stage.price(merchant);
            let mut charge = Authorization::by_card(time_ms, card, merchant, amount_minor);
            charge.entry_mode = "credential_on_file";
            stage.authorize(&charge);
        }
    }
}

/// A purchase at a terminal, not written yet.
pub(super) fn at_till(
    stage: &mut Stage,
    time_ms: i64,
    account: u32,
    merchant: usize,
) -> Authorization {
    let card = stage.people.card_of(account, &mut stage.dice);
    let amount_minor = stage.price(merchant);
    let terminals = usize::from(stage.shops.all[merchant].terminals);
    let mut sale = Authorization::by_card(time_ms, card, merchant, amount_minor);
    sale.terminal = Some(1 + stage.dice.below(terminals) as u8);
    sale.entry_mode = stage.dice.pick(["contactless", "contactless", "contactless", "chip"]);
    if stage.dice.chance(0.05) {
        (sale.tender, sale.entry_mode) = ("wallet", "contactless");
    }
    if stage.dice.chance(0.012) {
        sale.response = "declined_funds";
    }
    sale
}

/// An order online on the owner's device. Where the shop asks item by item, each item is an
/// authorization of its own.
pub(super) fn order(
    stage: &mut Stage,
    time_ms: i64,
    account: u32,
    merchant: usize,
    session: Session,
    label: Label,
) {
    let card = stage.people.card_of(account, &mut stage.dice);
    let codes = stage.shops.all[merchant].kind.sells == Sells::Codes;
    let by_item = stage.shops.all[merchant].kind.group == KINDS[ONLINE_MALL].group;
    let item_count = match codes {
        true => stage.dice.pick([1, 1, 1, 2]),
        false => stage.dice.pick([1, 1, 1, 1, 1, 2, 2, 2, 3, 4, 6]),
    };
    let amount_minor = stage.price(merchant);
    let mut sale = Authorization::by_card(time_ms, card, merchant, amount_minor);
    let home = stage.people.home(card.account);
    stage.online(&mut sale, session, item_count);
    sale.label = label;
    sale.delivery = Some(if codes {
        "digital_code"
    } else if stage.dice.chance(0.06) {
        "locker"
    } else {
        "home"
    });
    sale.ship_to = (!codes).then_some(home);
    match stage.dice.below(100) {
        0..3 => sale.pay_without_card("gift_card"),
        3..6 => sale.pay_without_card("points"),
        6..10 => sale.tender = "wallet",
        _ => sale.bill_to = Some(home),
    }
    if sale.card.is_some() {
        // A typing mistake now and then, and somebody who has moved.
        sale.avs = Some(if stage.dice.chance(0.0015) { "mismatch" } else { "match" });
        sale.cvv = Some(if stage.dice.chance(0.004) { "mismatch" } else { "match" });
        sale.threeds = stage.dice.pick([None, Some("frictionless"), Some("challenge_passed")]);
        if stage.dice.chance(0.015) {
            sale.response = "declined_funds";
        }
    }
    if !by_item {
        let id = stage.authorize(&sale);
        if stage.dice.chance(0.015) {
            let back_ms = sale.time_ms + stage.dice.between(10 * MINUTE_MS, 12 * HOUR_MS);
            stage.reverse(back_ms, id, &sale);
        }
        return;
    }
    for seq in 1..=item_count {
        sale.order = sale.order.map(|order| Order { item_seq: Some(seq), ..order });
        sale.amount_minor = stage.price(merchant);
        stage.authorize(&sale);
        sale.time_ms += stage.dice.between(200, 2 * SECOND_MS);
    }
}

/// A log-in of the owner, mistyped passwords before it now and then. Returns when it succeeded.
pub(super) fn log_in(stage: &mut Stage, time_ms: i64, account: u32) -> (Session, i64) {
    let session = stage.people.session(account, &mut stage.dice);
    let mistypes = match stage.dice.below(1000) {
        0..6 => 3,
        6..25 => 2,
        25..90 => 1,
        _ => 0,
    };
    let mut at_ms = time_ms;
    for _ in 0..mistypes {
        stage.account_event(at_ms, "login_failed", account, session, Label::ORDINARY);
        at_ms += stage.dice.between(4 * SECOND_MS, 40 * SECOND_MS);
    }
    stage.account_event(at_ms, "login", account, session, Label::ORDINARY);
    (session, at_ms)
}

/// A forgotten password, a move to another flat, a new card stored.
fn upkeep(stage: &mut Stage, time_ms: i64, account: u32) {
    let session = stage.people.session(account, &mut stage.dice);
    let later_ms = time_ms + stage.dice.between(MINUTE_MS, 4 * MINUTE_MS);
    match stage.dice.below(5) {
        0 | 1 => {
            for n in 0..stage.dice.between(1, 4) {
                let at_ms = time_ms + n * 9 * SECOND_MS;
                stage.account_event(at_ms, "login_failed", account, session, Label::ORDINARY);
            }
            stage.account_event(later_ms, "password_reset", account, session, Label::ORDINARY);
            stage.account_event(later_ms + 9000, "login", account, session, Label::ORDINARY);
        }
        2 => {
            stage.account_event(time_ms, "login", account, session, Label::ORDINARY);
            stage.account_event(later_ms, "address_change", account, session, Label::ORDINARY);
        }
        3 => {
            stage.account_event(time_ms, "login", account, session, Label::ORDINARY);
            stage.account_event(later_ms, "instrument_added", account, session, Label::ORDINARY);
        }
        _ => stage.account_event(time_ms, "mfa_change", account, session, Label::ORDINARY),
    }
    // A gift for somebody, soon after: the honest twin of what an intruder does.
    if stage.dice.chance(0.1) {
        let shop = stage.shops.of_kind(GIFT_CODES, &mut stage.dice);
        order(stage, later_ms + 5 * MINUTE_MS, account, shop, session, Label::ORDINARY);
    }
}

/// Off to another country for some days.
fn depart(stage: &mut Stage, time_ms: i64, account: u32) {
    let country = stage.dice.below(COUNTRIES.len()) as u8;
    let back_ms = time_ms + stage.dice.between(2 * DAY_MS, 7 * DAY_MS);
    stage.people.of_mut(account).journey = (country, time_ms, back_ms);
}

/// On a journey: nothing at a till while in the air, then tills of that country.
fn abroad(stage: &mut Stage, at_ms: i64, account: u32, country: u8, from_ms: i64, to_ms: i64) {
    const FLIGHT_MS: i64 = 10 * HOUR_MS;
    if at_ms < from_ms + FLIGHT_MS || at_ms > to_ms - FLIGHT_MS || stage.dice.chance(0.3) {
        log_in(stage, at_ms, account);
        return;
    }
    let merchant = stage.shops.abroad(usize::from(country), &mut stage.dice);
    let mut sale = at_till(stage, at_ms, account, merchant);
    sale.label = Label::honest("traveller");
    stage.authorize(&sale);
}
