//! Who paid what: every authorization with what became of it, and the sums by instrument.
//!
//! Money is *paid* when an authorization passed: allowed, looked at, or released after it waited.
//! It has *come back* when the acceptor's own `reversal` says so. That Holdfast called it back is
//! an order and no refund: until the reversal is in the log, the money is still out.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Entry, integer, local, text};
use crate::event::Field;

/// What has become of an authorization by the end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It passed, and the money is out.
    Paid,
    /// It passed, and was called back; no reversal says that it came back.
    CalledBack,
    /// It passed, and a reversal took it back.
    Returned,
    /// It waits for an answer.
    Pending,
    /// It waited, and a reversal took it back: never paid.
    Withdrawn,
    /// It waited, and was cancelled: never paid.
    Cancelled,
    /// It was declined: never paid.
    Declined,
    /// It was let through, and the issuer's own response refused it: never paid.
    IssuerDeclined,
}

/// One authorization, from the asking to the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    /// `event_id`
    pub event_id: String,
    /// `event_time`, in epoch ms
    pub time: i64,
    /// The same in the time zone of the report.
    pub local_time: String,
    /// `tender`
    pub tender: String,
    /// `card_id`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_id: Option<String>,
    /// `network`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// `order_id`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// `merchant_id`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant_id: Option<String>,
    /// `amount_minor`
    pub amount_minor: i64,
    /// `currency`
    pub currency: String,
    /// What was decided at first.
    pub action: String,
    /// How it stands at the end of the log.
    pub standing: Standing,
    /// The feedback that released, cancelled or called it back; `expiry` of a deadline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// The reversal that took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reversed_by: Option<String>,
    /// Until when an answer is waited for, in the clock's epoch ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// The payments of one instrument in one currency, summed up in minor units.
///
/// `asked = paid + pending + not_paid`, `paid = returned + still_out`, and `called_back` is a part
/// of `still_out`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// `tender`
    pub tender: String,
    /// `card_id`; none in the sum of a tender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_id: Option<String>,
    /// `network`, as first given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// `currency`
    pub currency: String,
    /// How many authorizations.
    pub payments: u64,
    /// All that was asked for.
    pub asked: i64,
    /// What passed.
    pub paid: i64,
    /// Of that, what a reversal took back.
    pub returned: i64,
    /// Of what was paid, what has not come back.
    pub still_out: i64,
    /// Of that, what was called back.
    pub called_back: i64,
    /// What waits for an answer.
    pub pending: i64,
    /// What was declined, cancelled, withdrawn or declined by the issuer.
    pub not_paid: i64,
}

impl Payment {
    fn of(decision: &Value, entry: &Entry, zone: &TimeZone) -> Payment {
        let word = |name: &str| text(decision, name).unwrap_or("").to_owned();
        let field = |field: Field| entry.text(field).map(str::to_owned);
        let time = integer(decision, "event_time").unwrap_or(0);
        let action = word("action");
        let passed = match entry.text(Field::Response) {
            Some(response) if is_refusal(response) => Standing::IssuerDeclined,
            _ => Standing::Paid,
        };
        let standing = match action.as_str() {
            "decline" => Standing::Declined,
            "verify" | "hold" => Standing::Pending,
            _ => passed,
        };
        Payment {
            event_id: word("event_id"),
            time,
            local_time: local(time, zone),
            tender: word("tender"),
            card_id: field(Field::CardId),
            network: field(Field::Network),
            order_id: field(Field::OrderId),
            merchant_id: field(Field::MerchantId),
            amount_minor: integer(decision, "amount_minor").unwrap_or(0),
            currency: word("currency"),
            action,
            standing,
            answered_by: None,
            reversed_by: None,
            expires_at: integer(decision, "expires_at"),
        }
    }

    /// A follow-up speaks of it.
    fn follow(&mut self, follow_up: &Value) {
        self.standing = match (text(follow_up, "action"), self.standing) {
            (Some("release"), Standing::Pending) => Standing::Paid,
            (Some("cancel"), Standing::Pending) => Standing::Cancelled,
            (Some("reverse"), Standing::Paid) => Standing::CalledBack,
            (_, standing) => standing,
        };
        let trigger = follow_up.get("trigger");
        let by = trigger.and_then(|t| text(t, "event_id").or_else(|| text(t, "type")));
        self.answered_by = by.map(str::to_owned);
    }

    /// A reversal names it. It takes back the whole.
    fn reverse(&mut self, reversal: &str) {
        let standing = match self.standing {
            Standing::Paid | Standing::CalledBack => Standing::Returned,
            Standing::Pending => Standing::Withdrawn,
            _ => return,
        };
        self.standing = standing;
        self.reversed_by = Some(reversal.to_owned());
    }
}

/// Does the issuer's response, whose words nobody prescribes, refuse? `declined_funds` and `Do not
/// honour` do, and so does an ISO 8583 code other than those that approve.
fn is_refusal(response: &str) -> bool {
    /// Anywhere in it.
    const WORDS: [&str; 10] = [
        "declin",
        "denied",
        "refus",
        "reject",
        "insufficient",
        "not_hono",
        "not_permitted",
        "exceed",
        "restricted",
        "blocked",
    ];
    /// At its beginning.
    const BEGINNINGS: [&str; 10] = [
        "fail",
        "lost",
        "stolen",
        "expired",
        "invalid",
        "pick_up",
        "pickup",
        "no_funds",
        "suspected",
        "not_allowed",
    ];
    const APPROVALS: [&str; 6] = ["00", "08", "10", "11", "16", "85"];
    let response = response.to_ascii_lowercase().replace([' ', '-'], "_");
    let code = response.len() == 2 && response.bytes().all(|b| b.is_ascii_alphanumeric());
    let code = code && response.bytes().any(|b| b.is_ascii_digit());
    WORDS.iter().any(|word| response.contains(word))
        || BEGINNINGS.iter().any(|word| response.starts_with(word))
        || code && !APPROVALS.contains(&response.as_str())
}

/// The authorizations of a log with what became of them, and the reversals of none of them.
pub(super) fn payments(log: &[Entry], zone: &TimeZone) -> (Vec<Payment>, Vec<String>) {
    let mut payments: Vec<Payment> = Vec::new();
    // Of one id, the newest is meant.
    let mut newest: HashMap<String, usize> = HashMap::new();
    let mut unmatched: Vec<(String, String)> = Vec::new();
    for entry in log {
        for follow_up in &entry.follow_ups {
            let at = text(follow_up, "event_id").and_then(|id| newest.get(id));
            if let Some(at) = at {
                payments[*at].follow(follow_up);
            }
        }
        if let Some(decision) = &entry.decision {
            let mut payment = Payment::of(decision, entry, zone);
            // A reversal that came before what it reverses.
            if let Some(early) = unmatched.iter().position(|(_, id)| *id == payment.event_id) {
                payment.reverse(&unmatched.remove(early).0);
            }
            newest.insert(payment.event_id.clone(), payments.len());
            payments.push(payment);
        }
        if entry.kind == "reversal" && entry.is_accepted() {
            let id = entry.text(Field::EventId).unwrap_or("");
            let Some(named) = entry.text(Field::RefEventId) else { continue };
            match newest.get(named) {
                Some(at) => payments[*at].reverse(id),
                None => unmatched.push((id.to_owned(), named.to_owned())),
            }
        }
    }
    (payments, unmatched.into_iter().map(|(id, _)| id).collect())
}

/// The sums by tender and currency, and by card if asked for, as they first occur.
pub(super) fn rows(payments: &[Payment], by_card: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for payment in payments {
        let card_id = payment.card_id.clone().filter(|_| by_card);
        let same = |row: &Row| {
            row.tender == payment.tender
                && row.currency == payment.currency
                && row.card_id == card_id
        };
        let at = rows.iter().position(same).unwrap_or_else(|| {
            let (tender, currency) = (payment.tender.clone(), payment.currency.clone());
            rows.push(Row { tender, currency, card_id, ..Row::default() });
            rows.len() - 1
        });
        if by_card && rows[at].network.is_none() {
            rows[at].network = payment.network.clone();
        }
        rows[at].add(payment);
    }
    rows
}

impl Row {
    fn add(&mut self, payment: &Payment) {
        let add = |sum: &mut i64| *sum = sum.saturating_add(payment.amount_minor);
        self.payments += 1;
        add(&mut self.asked);
        match payment.standing {
            Standing::Paid | Standing::CalledBack | Standing::Returned => add(&mut self.paid),
            Standing::Pending => add(&mut self.pending),
            _ => add(&mut self.not_paid),
        }
        match payment.standing {
            Standing::Returned => add(&mut self.returned),
            Standing::Paid => add(&mut self.still_out),
            Standing::CalledBack => {
                add(&mut self.still_out);
                add(&mut self.called_back);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_refusal;

    #[test]
    fn responses_refuse_in_many_words() {
        let refusals = "declined_funds DECLINED|Do not honor|do_not_honour|soft-decline|05|51|N7|\
                        Insufficient funds|card blocked|Lost card|expired_card|Pick up card|\
                        Exceeds limit|REFUSED|Transaction not permitted|Restricted card";
        for refusal in refusals.split('|') {
            assert!(is_refusal(refusal), "{refusal}");
        }
        for approval in ["", "approved", "00", "10", "ok", "Approved: 4F2A", "partial", "honored"] {
            assert!(!is_refusal(approval), "{approval}");
        }
    }
}
