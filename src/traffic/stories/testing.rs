//! Stolen card numbers tried out: many tiny amounts within minutes, each way leaving another trace.

use crate::traffic::line::{Authorization, Feedback, Label, Scope};
use crate::traffic::people::{Card, CardLook, Session};
use crate::traffic::rhythm::{HOUR_MS, MINUTE_MS, SECOND_MS};
use crate::traffic::shops::{CHARITY, GIFT_CODES, KONBINI, Sells, WEB_SHOP};
use crate::traffic::stage::Stage;

const TESTER: Label = Label::fraud("card_testing");

/// What the attempts have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Many people's cards from one device at one shop.
    Device,
    /// Numbers counted up from one bin at one shop, by a script that shows no device.
    Bin,
    /// Many people's cards keyed in at one terminal.
    Terminal,
    /// Many cards stored in an account opened for it.
    Account,
    /// One card at many shops.
    OneCard,
}

/// A run of attempts, and some answers of those whose cards were tried.
pub(super) fn test_cards(stage: &mut Stage, now_ms: i64, way: Way) {
    let attempts =
        if way == Way::OneCard { stage.dice.between(8, 14) } else { stage.dice.between(18, 45) };
    let session = match way {
        Way::Bin | Way::Terminal => None,
        Way::Device | Way::Account | Way::OneCard => Some(stage.strange_session()),
    };
    let guest = stage.guest();
    let victim = stage.people.victim(1, now_ms, 0, &mut stage.dice);
    let first = stage.people.card(victim, 0);
    let kind = match way {
        Way::Terminal => KONBINI,
        Way::Account => GIFT_CODES,
        _ => CHARITY,
    };
    let shop = stage.shops.of_kind(kind, &mut stage.dice);
    if let (Way::Account, Some(session)) = (way, session) {
        stage.account_event(now_ms, "login", guest, session, TESTER);
    }
    let mut at_ms = now_ms;
    for n in 0..attempts {
        at_ms += stage.dice.between(3 * SECOND_MS, 25 * SECOND_MS);
        let card = match way {
            Way::Bin => stage.people.card_like(first.look, &mut stage.dice),
            Way::OneCard => first,
            Way::Account => guest_card(stage, guest, n as u8),
            Way::Device | Way::Terminal => {
                let somebody = stage.people.any(&mut stage.dice);
                stage.people.card_of(somebody, &mut stage.dice)
            }
        };
        let shop = match way {
            Way::OneCard => stage.shops.of_kind(WEB_SHOP, &mut stage.dice),
            _ => shop,
        };
        attempt(stage, at_ms, card, shop, session);
        if way != Way::Account && way != Way::OneCard && stage.dice.chance(0.25) {
            let answer_ms = at_ms + stage.dice.between(30 * MINUTE_MS, 12 * HOUR_MS);
            report(stage, answer_ms, card.account, Scope::Card(card), "customer");
        }
    }
    match way {
        Way::Account => {
            report(stage, at_ms + 40 * MINUTE_MS, guest, Scope::Account, "analyst");
        }
        Way::OneCard => {
            report(stage, at_ms + 3 * HOUR_MS, victim, Scope::Card(first), "customer");
        }
        _ => {}
    }
}

fn attempt(stage: &mut Stage, at_ms: i64, card: Card, shop: usize, session: Option<Session>) {
    let amount = stage.dice.spread(&[1, 50, 100, 150, 300]);
    let mut sale = Authorization::by_card(at_ms, card, shop, amount);
    sale.label = TESTER;
    if stage.shops.all[shop].kind.sells == Sells::AtTill {
        (sale.terminal, sale.entry_mode) = (Some(1), "keyed");
    } else {
        let nowhere = Session { device: None, ip: stage.dice.token(), session: 0 };
        stage.online(&mut sale, session.unwrap_or(nowhere), 1);
        sale.cvv = Some(stage.dice.pick(["mismatch", "mismatch", "match", "not_given"]));
        sale.avs = Some("not_checked");
    }
    sale.response = stage.dice.pick(["declined_invalid", "declined_invalid", "approved"]);
    stage.authorize(&sale);
}

fn guest_card(stage: &mut Stage, guest: u32, index: u8) -> Card {
    let dice = &mut stage.dice;
    let (network, bin) = (dice.below(3) as u8, dice.below(4) as u8);
    Card { account: guest, index, look: CardLook { network, tier: 0, bin, debit: false } }
}

fn report(stage: &mut Stage, at_ms: i64, account: u32, scope: Scope, source: &'static str) {
    stage.answer(&Feedback {
        time_ms: at_ms,
        account,
        verdict: "fraud",
        source,
        note: None,
        scope,
        suspend_account: source == "analyst",
    });
}
