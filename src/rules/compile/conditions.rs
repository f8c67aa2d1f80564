//! Closures of conditions: comparisons, membership, `&&`, `||` and `!`.

use std::borrow::Cow;

use super::{Any, Compiler, Scope, Test, known, truth};
use crate::rules::Truth;
use crate::rules::schema::{Constant, Type};
use crate::rules::syntax::Operator;
use crate::rules::typed::{Expr, Typed};
use crate::rules::value::{self, Miss, Value, both, compare_int_double};

impl Compiler<'_> {
    /// The closure of a part that is a bool, or dynamic and must be one.
    pub(super) fn test(&mut self, typed: &Typed) -> Test {
        if typed.ty == Type::Dyn {
            let operand = self.any(typed);
            return Box::new(move |s| match operand(s) {
                Ok(Value::Bool(bool)) => truth(Ok(bool)),
                Ok(_) => Truth::Failed,
                Err(miss) => truth(Err(miss)),
            });
        }
        match &typed.expr {
            Expr::Constant(Constant::Bool(bool)) => {
                let constant = truth(Ok(*bool));
                Box::new(move |_| constant)
            }
            Expr::Late => Box::new(|s| truth(Ok(s.late))),
            Expr::HasField(field) => {
                let field = *field;
                if field.is_text() {
                    Box::new(move |s| truth(Ok(s.event.text(field).is_some())))
                } else {
                    Box::new(move |s| truth(Ok(s.event.int(field).is_some())))
                }
            }
            Expr::HasAttribute(name) => {
                let name = name.clone();
                Box::new(move |s| truth(Ok(s.event.attribute(&name).is_some())))
            }
            Expr::HasCounter(index) => {
                let index = *index;
                Box::new(move |s| truth(Ok(s.counter(index).is_some())))
            }
            Expr::Not(operand) => self.not(operand),
            Expr::Compare(operator, left, right) => self.compare(*operator, left, right),
            Expr::In(item, list) => self.member(item, list),
            Expr::Join(operator, terms) => self.join(*operator, terms),
            Expr::If(parts) => {
                let [condition, yes, no] = &**parts;
                let condition = self.test(condition);
                let (yes, no) = (self.test(yes), self.test(no));
                Box::new(move |s| match condition(s) {
                    Truth::Holds => yes(s),
                    Truth::HoldsNot => no(s),
                    miss => miss,
                })
            }
            Expr::TextTest(test, of, part) => {
                let test = *test;
                if let Expr::Constant(Constant::Text(part)) = &part.expr {
                    let (of, part) = (self.text(of), part.clone());
                    return Box::new(move |s| truth(of(s).map(|text| test.holds(&text, &part))));
                }
                let (of, part) = (self.text(of), self.text(part));
                Box::new(move |s| truth(both(of(s), part(s)).map(|(t, p)| test.holds(&t, &p))))
            }
            Expr::Matches(of, pattern) => {
                let (of, pattern) = (self.text(of), pattern.clone());
                Box::new(move |s| truth(of(s).map(|text| pattern.is_match(&text))))
            }
            Expr::Table(index, key) => {
                let value = self.looked_up(*index, key);
                Box::new(move |s| match value(s) {
                    Ok(Constant::Bool(bool)) => truth(Ok(*bool)),
                    Ok(_) => Truth::Failed,
                    Err(miss) => truth(Err(miss)),
                })
            }
            _ => unreachable!("no bool: {typed:?}"),
        }
    }

    /// `!` of a bool; of a dynamic value too, which must be one.
    fn not(&mut self, operand: &Typed) -> Test {
        let operand = self.test(operand);
        Box::new(move |s| match operand(s) {
            Truth::Holds => Truth::HoldsNot,
            Truth::HoldsNot => Truth::Holds,
            miss => miss,
        })
    }

    /// `&&` and `||`: a side that decides wins over the others, whatever became of them, and a failure
    /// over an absence. So the order of the sides is nothing to the result, and what costs least and
    /// mostly decides is asked first.
    fn join(&mut self, operator: Operator, terms: &[Typed]) -> Test {
        if terms.iter().any(|term| term.ty == Type::Dyn) {
            return self.join_any(operator, terms);
        }
        let mut terms: Vec<&Typed> = terms.iter().collect();
        terms.sort_by_key(|term| cost(term));
        let tests: Vec<Test> = terms.into_iter().map(|term| self.test(term)).collect();
        match (operator, <[Test; 2]>::try_from(tests)) {
            (Operator::And, Ok([left, right])) => Box::new(move |s| match left(s) {
                Truth::HoldsNot => Truth::HoldsNot,
                left => and(left, right(s)),
            }),
            (_, Ok([left, right])) => Box::new(move |s| match left(s) {
                Truth::Holds => Truth::Holds,
                left => or(left, right(s)),
            }),
            (Operator::And, Err(tests)) => {
                let tests = tests.into_boxed_slice();
                Box::new(move |s| {
                    let mut result = Truth::Holds;
                    for test in &tests {
                        result = and(result, test(s));
                        if result == Truth::HoldsNot {
                            break;
                        }
                    }
                    result
                })
            }
            (_, Err(tests)) => {
                let tests = tests.into_boxed_slice();
                Box::new(move |s| {
                    let mut result = Truth::HoldsNot;
                    for test in &tests {
                        result = or(result, test(s));
                        if result == Truth::Holds {
                            break;
                        }
                    }
                    result
                })
            }
        }
    }

    /// The same where a term may turn out to be no bool: a failure, but only once the absence or
    /// failure of the other side has had its say.
    fn join_any(&mut self, operator: Operator, terms: &[Typed]) -> Test {
        let Some((first, terms)) = terms.split_first() else { unreachable!("no terms") };
        let first = self.any(first);
        let terms: Box<[Any]> = terms.iter().map(|term| self.any(term)).collect();
        let winner = operator == Operator::Or;
        let bool = |value: Result<Value<'_>, Miss>| match value {
            Ok(Value::Bool(bool)) => Ok(Some(bool)),
            Ok(_) => Ok(None),
            Err(miss) => Err(miss),
        };
        Box::new(move |s| {
            let mut result = bool(first(s));
            for term in &terms {
                if result == Ok(Some(winner)) {
                    break;
                }
                let term = bool(term(s));
                result = if term == Ok(Some(winner)) {
                    term
                } else {
                    match both(result, term) {
                        Ok((Some(_), Some(_))) => Ok(Some(!winner)),
                        Ok(_) => Err(Miss::Failed),
                        Err(miss) => Err(miss),
                    }
                };
            }
            truth(result.and_then(|bool| bool.ok_or(Miss::Failed)))
        })
    }

    fn compare(&mut self, operator: Operator, left: &Typed, right: &Typed) -> Test {
        let constant = |side: &Typed| matches!(side.expr, Expr::Constant(_));
        if left.ty == right.ty && constant(left) && !constant(right) {
            return self.compare(operator.swapped(), right, left);
        }
        match (&left.ty, &right.ty) {
            (Type::Int, Type::Int) => {
                if let Expr::Constant(Constant::Int(limit)) = right.expr {
                    let limit = move |_: &Scope<'_>| Ok(limit);
                    return match left.expr {
                        Expr::Field(f) => ordered(operator, move |s: &Scope<'_>| s.int(f), limit),
                        Expr::Counter(i) => {
                            ordered(operator, move |s: &Scope<'_>| s.int_counter(i), limit)
                        }
                        _ => ordered(operator, self.int(left), limit),
                    };
                }
                let limit = self.int(right);
                match left.expr {
                    Expr::Counter(i) => {
                        ordered(operator, move |s: &Scope<'_>| s.int_counter(i), limit)
                    }
                    _ => ordered(operator, self.int(left), limit),
                }
            }
            (Type::Double, Type::Double) => {
                ordered(operator, self.double(left), self.double(right))
            }
            (Type::Int, Type::Double) => {
                let (left, right) = (self.int(left), self.double(right));
                Box::new(move |s| {
                    let sides = both(left(s), right(s));
                    truth(sides.map(|(l, r)| operator.accepts(compare_int_double(l, r))))
                })
            }
            (Type::Double, Type::Int) => self.compare(operator.swapped(), right, left),
            (Type::Text, Type::Text) => self.compare_texts(operator, left, right),
            (Type::Bool, Type::Bool) => {
                let (left, right) = (self.test(left), self.test(right));
                ordered(
                    operator,
                    move |s: &Scope<'_>| known(left(s)),
                    move |s: &Scope<'_>| known(right(s)),
                )
            }
            _ => {
                let (left, right) = (self.any(left), self.any(right));
                Box::new(move |s| {
                    let sides = both(left(s), right(s));
                    truth(sides.and_then(|(l, r)| value::test(operator, &l, &r)))
                })
            }
        }
    }

    fn compare_texts(&mut self, operator: Operator, left: &Typed, right: &Typed) -> Test {
        match (operator, &left.expr, &right.expr) {
            (Operator::Equal, Expr::Field(field), Expr::Constant(Constant::Text(literal))) => {
                let (field, literal) = (*field, literal.clone());
                Box::new(move |s| truth(s.text(field).map(|text| text == literal)))
            }
            (Operator::NotEqual, Expr::Field(field), Expr::Constant(Constant::Text(literal))) => {
                let (field, literal) = (*field, literal.clone());
                Box::new(move |s| truth(s.text(field).map(|text| text != literal)))
            }
            _ => {
                let (left, right) = (self.text(left), self.text(right));
                Box::new(move |s| {
                    let order = |(l, r): (Cow<'_, str>, Cow<'_, str>)| l.cmp(&r);
                    truth(both(left(s), right(s)).map(|sides| operator.accepts(Some(order(sides)))))
                })
            }
        }
    }

    fn member(&mut self, item: &Typed, list: &Typed) -> Test {
        let members = match &list.expr {
            Expr::NamedList(index) => Some(self.schema.lists[*index].members()),
            Expr::List(_, members) => members.clone(),
            _ => None,
        };
        let Some(members) = members else {
            let (item, list) = (self.any(item), self.any(list));
            return Box::new(move |s| match both(item(s), list(s)) {
                Ok((item, Value::List(list))) => {
                    truth(Ok(list.iter().any(|l| value::equal(&item, l))))
                }
                Ok(_) => Truth::Failed,
                Err(miss) => truth(Err(miss)),
            });
        };
        match (&item.ty, &item.expr) {
            (_, Expr::Field(field)) if field.is_text() => {
                let field = *field;
                Box::new(move |s| truth(s.text(field).map(|text| members.has_text(text))))
            }
            (Type::Int, _) => {
                let item = self.int(item);
                Box::new(move |s| truth(item(s).map(|int| members.has_int(int))))
            }
            _ => {
                let item = self.any(item);
                Box::new(move |s| {
                    truth(item(s).map(|item| match item {
                        Value::Text(text) => members.has_text(&text),
                        Value::Int(int) => members.has_int(int),
                        Value::Double(double) => members.has_double(double),
                        Value::Bool(bool) => members.has_bool(bool),
                        Value::List(_) => false,
                    }))
                })
            }
        }
    }
}

/// How much a condition costs, and how rarely it decides a rule: counters seldom reach their limits.
fn cost(typed: &Typed) -> usize {
    let is_constant = |side: &Typed| matches!(side.expr, Expr::Constant(_));
    match &typed.expr {
        Expr::Compare(_, left, right) => match (&left.expr, &right.expr) {
            (Expr::Counter(_), _) if is_constant(right) => 0,
            (Expr::Field(_), _) if is_constant(right) => 2,
            _ => 3,
        },
        Expr::Constant(_)
        | Expr::Late
        | Expr::HasField(_)
        | Expr::HasAttribute(_)
        | Expr::HasCounter(_) => 1,
        Expr::Not(operand) => cost(operand),
        Expr::In(..) => 4,
        _ => 5,
    }
}

/// `&&` of two sides, each of which may have no value.
#[inline]
fn and(left: Truth, right: Truth) -> Truth {
    match (left, right) {
        (Truth::HoldsNot, _) | (_, Truth::HoldsNot) => Truth::HoldsNot,
        (Truth::Failed, _) | (_, Truth::Failed) => Truth::Failed,
        (Truth::Absent, _) | (_, Truth::Absent) => Truth::Absent,
        (Truth::Holds, Truth::Holds) => Truth::Holds,
    }
}

/// `||` of two sides, each of which may have no value.
#[inline]
fn or(left: Truth, right: Truth) -> Truth {
    match (left, right) {
        (Truth::Holds, _) | (_, Truth::Holds) => Truth::Holds,
        (Truth::Failed, _) | (_, Truth::Failed) => Truth::Failed,
        (Truth::Absent, _) | (_, Truth::Absent) => Truth::Absent,
        (Truth::HoldsNot, Truth::HoldsNot) => Truth::HoldsNot,
    }
}

/// A comparison of two values of one type.
fn ordered<T, L, R>(operator: Operator, left: L, right: R) -> Test
where
    T: PartialOrd,
    L: Fn(&Scope<'_>) -> Result<T, Miss> + Send + Sync + 'static,
    R: Fn(&Scope<'_>) -> Result<T, Miss> + Send + Sync + 'static,
{
    macro_rules! with {
        ($sign:tt) => {
            Box::new(move |s| truth(both(left(s), right(s)).map(|(l, r)| l $sign r)))
        };
    }
    match operator {
        Operator::Equal => with!(==),
        Operator::NotEqual => with!(!=),
        Operator::Less => with!(<),
        Operator::LessEqual => with!(<=),
        Operator::Greater => with!(>),
        Operator::GreaterEqual => with!(>=),
        _ => unreachable!("no comparison: {operator:?}"),
    }
}
