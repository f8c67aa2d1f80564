//! What goes out about cases: follow-ups to earlier authorizations, and where a case stands.

use crate::decision::{
    Answer, CaseRecord, CaseTarget, CaseTotal, FieldValue, FollowUp, Linked, Outbox, RulesetId,
    Subject, Trigger,
};

use super::{
    Cases,
    case::{Case, Row, Status, Totals},
    life::Value,
    member::{CaseNumber, Column, Member, MemberNumber, Standing},
};

/// A case that may stand otherwise than in its newest record.
#[derive(Debug)]
pub(super) struct Touched {
    /// Which one.
    pub case: CaseNumber,
    /// Its status and totals in that record, if there is one.
    pub before: Option<(Status, Totals)>,
}

impl Cases {
    /// An earlier authorization gets an answer.
    pub(super) fn follow_up(
        &mut self,
        number: MemberNumber,
        answer: Answer,
        case: CaseNumber,
        trigger: Trigger<'_>,
        ruleset: &RulesetId,
        out: &mut impl Outbox,
    ) {
        let (standing, column) = match answer {
            Answer::Release => (Standing::Passed, Column::Released),
            Answer::Cancel => (Standing::Refused, Column::Cancelled),
            Answer::Reverse => (Standing::Reversed, Column::Reversed),
        };
        self.stand(number, standing, column);
        let subject = self.subject(&self.members[number]);
        let case_id = self.case_id(case);
        out.follow_up(&FollowUp { subject, answer, case_id, trigger, ruleset });
    }

    /// A case may come to stand otherwise than in its newest record. To be said before it does.
    pub(super) fn touch(&mut self, number: CaseNumber) {
        let Err(at) = self.touched.binary_search_by_key(&number, |touched| touched.case) else {
            return;
        };
        if let Some(case) = self.cases.get(number) {
            let before = Some((case.status, self.totals(number)));
            self.touched.insert(at, Touched { case: number, before });
        }
    }

    /// Writes a record of each case that stands otherwise than in its newest record.
    #[inline]
    pub fn report(&mut self, trigger: Trigger<'_>, ruleset: &RulesetId, out: &mut impl Outbox) {
        if !self.touched.is_empty() {
            self.report_touched(trigger, ruleset, out);
        }
    }

    #[inline(never)]
    fn report_touched(&mut self, trigger: Trigger<'_>, ruleset: &RulesetId, out: &mut impl Outbox) {
        for Touched { case, before } in &self.touched {
            let case = &self.cases[*case];
            let (status, totals) = (case.status, self.totals_of(case));
            if before.as_ref().is_none_or(|before| (before.0, &before.1) != (status, &totals)) {
                out.case_record(&self.record(case, &totals, trigger, ruleset));
            }
        }
        self.touched.clear();
    }

    /// What the members of a case are worth.
    pub(super) fn totals(&self, number: CaseNumber) -> Totals {
        self.totals_of(&self.cases[number])
    }

    fn totals_of(&self, case: &Case) -> Totals {
        match case.members[..] {
            [only] => case.totals(Some(&self.members[only])),
            _ => case.totals(None),
        }
    }

    /// What a case is worth that has one member only.
    pub(super) fn only_row(&self, number: CaseNumber) -> Option<Row> {
        match self.cases.get(number)?.members[..] {
            [only] => Some(Row::of(&self.members[only])),
            _ => None,
        }
    }

    /// The `event_id` of what opened a case.
    pub fn case_id(&self, number: CaseNumber) -> &str {
        self.opening_id(&self.cases[number])
    }

    /// The members of these numbers, as a decision links them.
    #[inline]
    pub fn linked(&self, numbers: &[MemberNumber]) -> Vec<Linked<'_>> {
        if numbers.is_empty() {
            return Vec::new();
        }
        let linked = |number: &MemberNumber| {
            let member = self.members.get(*number)?;
            Some(Linked { subject: self.subject(member), standing: member.standing.name() })
        };
        numbers.iter().filter_map(linked).collect()
    }

    /// An authorization as the output names it.
    fn subject<'a>(&'a self, member: &'a Member) -> Subject<'a> {
        Subject {
            event_id: member.event_id(),
            time_ms: member.time_ms,
            clock_ms: member.clock_ms,
            account_id: self.accounts[member.account].name(),
            card_id: member.card_id(),
            order_id: member.order_id(),
            tender: member.money.tender(),
            amount_minor: member.amount_minor,
            currency: member.money.currency(),
        }
    }

    fn record<'a>(
        &'a self,
        case: &'a Case,
        totals: &'a Totals,
        trigger: Trigger<'a>,
        ruleset: &'a RulesetId,
    ) -> CaseRecord<'a> {
        let case_id = self.opening_id(case);
        let value = |value: &'a Value| match value {
            Value::Text(text) => FieldValue::Text(text),
            Value::Int(integer) => FieldValue::Int(*integer),
            Value::Bool(flag) => FieldValue::Bool(*flag),
        };
        let target = match case.target() {
            None => CaseTarget::Event(case_id),
            Some(target) => {
                let fields = target.0.iter();
                CaseTarget::Fields(
                    fields.map(|(path, of)| (path.to_string(), of.as_ref().map(value))).collect(),
                )
            }
        };
        let total = |row: &'a Row| {
            let amount = |column: Column| {
                let amount = row.amounts[column as usize];
                amount.clamp(i64::MIN.into(), i64::MAX.into()) as i64
            };
            CaseTotal {
                tender: row.money.tender(),
                currency: row.money.currency(),
                pending: amount(Column::Pending),
                passed: amount(Column::Passed),
                released: amount(Column::Released),
                cancelled: amount(Column::Cancelled),
                reversed: amount(Column::Reversed),
                withdrawn: amount(Column::Withdrawn),
            }
        };
        CaseRecord {
            case_id,
            account_id: self.accounts[case.account].name(),
            target,
            status: case.status.name(),
            trigger,
            totals: totals.iter().map(total).collect(),
            ruleset,
        }
    }
}
