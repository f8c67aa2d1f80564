//! What visits and stories write with: the people, the shops, the dice and the tape.

use super::Settings;
use super::chance::Dice;
use super::line::{self, AccountEvent, Authorization, Feedback, Label, Order};
use super::people::{Card, People, Session};
use super::shops::Shops;
use super::tape::Tape;

/// Everything that a line can be about.
pub(super) struct Stage {
    pub(super) people: People,
    pub(super) shops: Shops,
    pub(super) dice: Dice,
    pub(super) tape: Tape,
    orders: u64,
    guests: u32,
}

impl Stage {
    pub(super) fn new(settings: &Settings, reserved: u32) -> Stage {
        let mut dice = Dice::new(settings.seed);
        let shops = Shops::new(&mut dice);
        let people = People::new(settings.accounts, reserved, settings.seed, &mut dice);
        let end_ms = settings.start_ms + settings.span_ms;
        let tape = Tape::new(settings.delays, settings.first_id, end_ms);
        Stage { people, shops, dice, tape, orders: 0, guests: 0 }
    }

    /// Writes an authorization and returns its id.
    pub(super) fn authorize(&mut self, sale: &Authorization) -> u64 {
        let at = &self.shops.all[sale.merchant];
        self.tape.put(&mut self.dice, sale.time_ms, sale.account, |text, id| {
            line::authorization(text, id, sale, at);
        })
    }

    /// Takes the authorization with this id back: an honest act, whoever paid.
    pub(super) fn reverse(&mut self, time_ms: i64, of: u64, sale: &Authorization) {
        let sale = &Authorization { label: Label { is_fraud: false, ..sale.label }, ..*sale };
        self.tape.put(&mut self.dice, time_ms, sale.account, |text, id| {
            line::reversal(text, id, time_ms, of, sale);
        });
    }

    pub(super) fn account_event(
        &mut self,
        time_ms: i64,
        kind: &'static str,
        account: u32,
        session: Session,
        label: Label,
    ) {
        let card = (kind == "instrument_added").then(|| self.people.card(account, 0));
        let moved = kind == "address_change";
        let ship_to = moved.then(|| self.dice.token());
        let event = AccountEvent { time_ms, kind, account, card, session, ship_to, label };
        self.tape.put(&mut self.dice, time_ms, account, |text, id| {
            line::account_event(text, id, &event);
        });
    }

    pub(super) fn answer(&mut self, answer: &Feedback) {
        self.tape.put(&mut self.dice, answer.time_ms, answer.account, |text, id| {
            line::feedback(text, id, answer);
        });
    }

    /// Makes a sale an order of its own, placed in this session.
    pub(super) fn online(&mut self, sale: &mut Authorization, session: Session, item_count: i64) {
        sale.order = Some(Order { id: self.orders, item_seq: None, item_count });
        self.orders += 1;
        sale.session = Some(session);
        sale.entry_mode = "ecom";
    }

    pub(super) fn price(&mut self, merchant: usize) -> i64 {
        self.dice.spread(&self.shops.all[merchant].kind.prices)
    }

    /// A device and an address that nobody has seen before.
    pub(super) fn strange_session(&mut self) -> Session {
        let dice = &mut self.dice;
        Session { device: Some(dice.token()), ip: dice.token(), session: dice.token() }
    }

    /// The number of an account that has just been opened.
    pub(super) fn guest(&mut self) -> u32 {
        self.guests += 1;
        self.people.count() + self.guests
    }
}

impl Authorization {
    /// An approved payment by card, with nothing else known of it.
    pub(super) fn by_card(
        time_ms: i64,
        card: Card,
        merchant: usize,
        amount_minor: i64,
    ) -> Authorization {
        Authorization {
            time_ms,
            account: card.account,
            card: Some(card),
            amount_minor,
            tender: "card",
            merchant,
            terminal: None,
            order: None,
            entry_mode: "ecom",
            delivery: None,
            session: None,
            ship_to: None,
            bill_to: None,
            avs: None,
            cvv: None,
            threeds: None,
            response: "approved",
            label: Label::ORDINARY,
        }
    }

    /// Pays with the account's balance instead.
    pub(super) fn pay_without_card(&mut self, tender: &'static str) {
        self.tender = tender;
        (self.card, self.bill_to, self.avs, self.cvv, self.threeds) =
            (None, None, None, None, None);
    }
}
