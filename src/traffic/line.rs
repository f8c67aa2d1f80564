//! Events written as JSON, straight into a string, in the order of the contract's table.
//!
//! Nothing is escaped: every text is a constant or made of letters, digits and hyphens.

use super::people::{Card, NETWORKS, Session, TIERS};
use super::shops::{Merchant, Sells};

/// Is it part of a fraud, and of which story? Written into the attributes of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) is_fraud: bool,
    pub(super) story: &'static str,
}

impl Label {
    pub(super) const ORDINARY: Label = Label::honest("ordinary");

    pub(super) const fn honest(story: &'static str) -> Label {
        Label { is_fraud: false, story }
    }

    pub(super) const fn fraud(story: &'static str) -> Label {
        Label { is_fraud: true, story }
    }
}

/// The order that an authorization pays for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) id: u64,
    /// The item, where each is authorized by itself.
    pub(super) item_seq: Option<i64>,
    pub(super) item_count: i64,
}

/// An authorization. Absent fields are left out of the line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Authorization {
    pub(super) time_ms: i64,
    pub(super) account: u32,
    pub(super) card: Option<Card>,
    pub(super) amount_minor: i64,
    pub(super) tender: &'static str,
    pub(super) merchant: usize,
    pub(super) terminal: Option<u8>,
    pub(super) order: Option<Order>,
    pub(super) entry_mode: &'static str,
    pub(super) delivery: Option<&'static str>,
    pub(super) session: Option<Session>,
    pub(super) ship_to: Option<u64>,
    pub(super) bill_to: Option<u64>,
    pub(super) avs: Option<&'static str>,
    pub(super) cvv: Option<&'static str>,
    pub(super) threeds: Option<&'static str>,
    pub(super) response: &'static str,
    pub(super) label: Label,
}

/// Something that happens to an account and is no payment.
#[derive(Debug, Clone, Copy)]
pub(super) struct AccountEvent {
    pub(super) time_ms: i64,
    pub(super) kind: &'static str,
    pub(super) account: u32,
    pub(super) card: Option<Card>,
    pub(super) session: Session,
    pub(super) ship_to: Option<u64>,
    pub(super) label: Label,
}

/// What an answer speaks of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope {
    Account,
    /// The account's events from this moment on.
    AccountFrom(i64),
    Card(Card),
}

/// Somebody's answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Feedback {
    pub(super) time_ms: i64,
    pub(super) account: u32,
    pub(super) verdict: &'static str,
    pub(super) source: &'static str,
    pub(super) note: Option<&'static str>,
    pub(super) scope: Scope,
    /// Does it ask to block the whole account?
    pub(super) suspend_account: bool,
}

/// An account's id as events carry it.
pub fn account_id(account: u32) -> String {
    let mut text = String::with_capacity(10);
    push_account(&mut text, account);
    text
}

pub(super) fn authorization(text: &mut String, id: u64, a: &Authorization, at: &Merchant) {
    let mut object = Object::begin(text, id, a.time_ms, "authorization", a.account);
    object.card_id(a.card);
    object.int("amount_minor", a.amount_minor);
    object.text("currency", at.kind.currency);
    object.text("tender", a.tender);
    object.text("merchant_id", &at.id);
    object.text("merchant_group", at.kind.group);
    object.text("mcc", at.kind.mcc);
    object.text("country", at.country);
    if let Some(terminal) = a.terminal {
        object.name("terminal_id").push_str(&at.id);
        object.text.push_str("-T");
        object.digits(i64::from(terminal));
        object.text.push('"');
    }
    if let Some(card) = a.card {
        object.text("network", NETWORKS[usize::from(card.look.network)]);
        object.text("card_tier", TIERS[usize::from(card.look.tier)]);
        object.name("bin").push_str("bin-");
        object.text.push_str(NETWORKS[usize::from(card.look.network)]);
        object.text.push('-');
        object.digits(i64::from(card.look.bin));
        object.text.push('"');
        object.text("funding", if card.look.debit { "debit" } else { "credit" });
    }
    if let Some(order) = a.order {
        object.numbered("order_id", "o-", order.id);
        order.item_seq.into_iter().for_each(|seq| object.int("item_seq", seq));
        object.int("item_count", order.item_count);
    }
    let online = !matches!(at.kind.sells, Sells::AtTill | Sells::Abroad);
    object.text("channel", if online { "ecom" } else { "pos" });
    object.text("entry_mode", a.entry_mode);
    object.some_text("delivery", a.delivery);
    object.session(a.session);
    object.token("ship_to", "h-", a.ship_to);
    object.token("bill_to", "h-", a.bill_to);
    object.some_text("avs", a.avs);
    object.some_text("cvv", a.cvv);
    object.some_text("threeds", a.threeds);
    object.text("response", a.response);
    object.label(a.label);
    object.end();
}

pub(super) fn account_event(text: &mut String, id: u64, e: &AccountEvent) {
    let mut object = Object::begin(text, id, e.time_ms, e.kind, e.account);
    object.card_id(e.card);
    object.text("channel", "ecom");
    object.session(Some(e.session));
    object.token("ship_to", "h-", e.ship_to);
    object.label(e.label);
    object.end();
}

pub(super) fn reversal(text: &mut String, id: u64, time_ms: i64, of: u64, a: &Authorization) {
    let mut object = Object::begin(text, id, time_ms, "reversal", a.account);
    object.card_id(a.card);
    object.int("amount_minor", a.amount_minor);
    object.text("tender", a.tender);
    a.order.into_iter().for_each(|order| object.numbered("order_id", "o-", order.id));
    object.label(a.label);
    object.numbered("ref_event_id", "e-", of);
    object.end();
}

pub(super) fn feedback(text: &mut String, id: u64, f: &Feedback) {
    let mut object = Object::begin(text, id, f.time_ms, "feedback", f.account);
    if let Scope::Card(card) = f.scope {
        object.card_id(Some(card));
    }
    object.text("verdict", f.verdict);
    object.text("source", f.source);
    object.some_text("note", f.note);
    if !matches!(f.scope, Scope::Card(_)) {
        object.text("scope", "account");
    }
    if let Scope::AccountFrom(from_ms) = f.scope {
        object.int("from", from_ms);
    }
    if f.suspend_account {
        object.text("suspend", "account");
    }
    object.end();
}

fn push_account(text: &mut String, account: u32) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(account);
    text.push_str("a-");
    text.push_str(&"000000"[digits.len().min(6)..]);
    text.push_str(digits);
}

/// A JSON object being written.
struct Object<'a> {
    text: &'a mut String,
}

impl<'a> Object<'a> {
    fn begin(text: &'a mut String, id: u64, time_ms: i64, kind: &str, account: u32) -> Object<'a> {
        text.clear();
        text.push('{');
        let mut object = Object { text };
        object.numbered("event_id", "e-", id);
        object.int("event_time", time_ms);
        object.text("type", kind);
        push_account(object.name("account_id"), account);
        object.text.push('"');
        object
    }

    fn key(&mut self, name: &str) {
        self.text.push_str(if self.text.len() > 1 { ",\"" } else { "\"" });
        self.text.push_str(name);
        self.text.push_str("\":");
    }

    /// The name and the quotation mark of a text, whose end is the caller's.
    fn name(&mut self, name: &str) -> &mut String {
        self.key(name);
        self.text.push('"');
        self.text
    }

    fn text(&mut self, name: &str, value: &str) {
        let text = self.name(name);
        text.push_str(value);
        text.push('"');
    }

    fn some_text(&mut self, name: &str, value: Option<&str>) {
        value.into_iter().for_each(|value| self.text(name, value));
    }

    fn int(&mut self, name: &str, value: i64) {
        self.key(name);
        self.digits(value);
    }

    fn digits(&mut self, value: i64) {
        self.text.push_str(itoa::Buffer::new().format(value));
    }

    fn numbered(&mut self, name: &str, prefix: &str, number: u64) {
        let text = self.name(name);
        text.push_str(prefix);
        text.push_str(itoa::Buffer::new().format(number));
        text.push('"');
    }

    /// Ten hexadecimal digits of a token. The prefix's hyphen and the shortness keep it from
    /// ever looking like a card number.
    fn token(&mut self, name: &str, prefix: &str, token: Option<u64>) {
        let Some(token) = token else { return };
        let text = self.name(name);
        text.push_str(prefix);
        for shift in (0..10).rev() {
            text.push(char::from(b"0123456789abcdef"[(token >> (4 * shift) & 15) as usize]));
        }
        text.push('"');
    }

    fn card_id(&mut self, card: Option<Card>) {
        let Some(card) = card else { return };
        self.name("card_id").push_str("c-");
        self.digits(i64::from(card.account));
        self.text.push('-');
        self.digits(i64::from(card.index));
        self.text.push('"');
    }

    fn session(&mut self, session: Option<Session>) {
        let Some(Session { device, ip, session }) = session else { return };
        self.token("device_id", "d-", device);
        self.token("ip", "ip-", Some(ip));
        self.token("session_id", "s-", Some(session));
    }

    fn label(&mut self, label: Label) {
        self.text.push_str(",\"attributes\":{\"is_fraud\":");
        self.text.push_str(if label.is_fraud { "true" } else { "false" });
        if label != Label::ORDINARY {
            self.text("story", label.story);
        }
        self.text.push('}');
    }

    fn end(self) {
        self.text.push('}');
    }
}
