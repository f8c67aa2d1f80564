//! What goes out about cases: follow-ups to earlier authorizations, and where a case stands.

use crate::decision::{
    Answer, CaseRecord, CaseTarget, CaseTotal, FieldValue, FollowUp, Linked, Outbox, Subject,
    Trigger,
};

use super::{
    Cases,
    case::{Case, Row},
    life::Value,
    member::{CaseNumber, Column, Member, Place, Standing},
};

impl Cases {
    /// An earlier authorization gets an answer.
    pub(super) fn follow_up(
        &mut self,
        place: Place,
        answer: Answer,
        case: CaseNumber,
        trigger: Trigger<'_>,
        ruleset: &str,
        out: &mut impl Outbox,
    ) {
        let (standing, column) = match answer {
            Answer::Release => (Standing::Passed, Column::Released),
            Answer::Cancel => (Standing::Refused, Column::Cancelled),
            Answer::Reverse => (Standing::Reversed, Column::Reversed),
        };
        self.stand(place, standing, column);
        let subject = self.members[&place].subject();
        let case_id = &self.cases[&case].opening.event_id;
        out.follow_up(&FollowUp { subject, answer, case_id, trigger, ruleset });
    }

    /// Writes a record of each case that stands otherwise than in its newest record.
    pub fn report(&mut self, trigger: Trigger<'_>, ruleset: &str, out: &mut impl Outbox) {
        while let Some(number) = self.touched.pop_first() {
            let Some(case) = self.cases.get_mut(&number) else { continue };
            let same =
                |(status, totals): &(_, Vec<Row>)| *status == case.status && *totals == case.totals;
            if case.printed.as_ref().is_some_and(same) {
                continue;
            }
            case.printed = Some((case.status, case.totals.clone()));
            out.case_record(&record(case, trigger, ruleset));
        }
    }

    /// The `event_id` of what opened a case.
    pub fn case_id(&self, number: CaseNumber) -> Option<&str> {
        self.cases.get(&number).map(|case| &*case.opening.event_id)
    }

    /// The members at these places, as a decision links them.
    pub fn linked(&self, places: &[Place]) -> Vec<Linked<'_>> {
        let linked = |place| {
            let member: &Member = self.members.get(place)?;
            Some(Linked { subject: member.subject(), standing: member.standing.name() })
        };
        places.iter().filter_map(linked).collect()
    }
}

impl Member {
    /// It as the output names it.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            event_id: &self.event_id,
            time_ms: self.time_ms,
            clock_ms: self.clock_ms,
            account_id: &self.account_id,
            card_id: self.card_id.as_deref(),
            order_id: self.order_id.as_deref(),
            tender: &self.tender,
            amount_minor: self.amount_minor,
            currency: &self.currency,
        }
    }
}

fn record<'a>(case: &'a Case, trigger: Trigger<'a>, ruleset: &'a str) -> CaseRecord<'a> {
    let value = |value: &'a Value| match value {
        Value::Text(text) => FieldValue::Text(text),
        Value::Int(integer) => FieldValue::Int(*integer),
        Value::Bool(flag) => FieldValue::Bool(*flag),
    };
    let target = match &case.target {
        None => CaseTarget::Event(&case.opening.event_id),
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
            (column.name(), amount.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
        };
        let amounts = Column::ALL.into_iter().map(amount).collect();
        CaseTotal { tender: &row.tender, currency: &row.currency, amounts }
    };
    CaseRecord {
        case_id: &case.opening.event_id,
        account_id: &case.account_id,
        target,
        status: case.status.name(),
        trigger,
        totals: case.totals.iter().map(total).collect(),
        ruleset,
    }
}
