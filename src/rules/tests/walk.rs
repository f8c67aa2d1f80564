//! What an expression means, as plainly as it can be said: a walk over the syntax tree, in which
//! every value has its type with it and every name is looked up.

use std::cmp::Ordering;

use super::super::syntax::{Kind, Operator, Syntax};
use super::super::value::{compare_int_double, double_text, text_to_double};
use super::*;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plain {
    Text(String),
    Int(i64),
    Double(f64),
    Bool(bool),
    List(Vec<Plain>),
    Absent,
    Failed,
}

use Plain::{Absent, Bool, Double, Failed, Int, List as Items, Text};

pub(super) struct Walk<'a> {
    pub(super) schema: &'a Schema,
    pub(super) facts: Facts<'a>,
}

fn of_constant(constant: &Constant) -> Plain {
    match constant {
        Constant::Text(text) => Text(text.clone()),
        Constant::Int(int) => Int(*int),
        Constant::Double(double) => Double(*double),
        Constant::Bool(bool) => Bool(*bool),
    }
}

fn checked(int: i128) -> Plain {
    i64::try_from(int).map_or(Failed, Int)
}

impl Walk<'_> {
    pub(super) fn truth(&self, syntax: &Syntax) -> Truth {
        match self.value(syntax) {
            Bool(true) => Truth::Holds,
            Bool(false) => Truth::HoldsNot,
            Absent => Truth::Absent,
            _ => Truth::Failed,
        }
    }

    fn read(&self, base: &str, name: &str) -> Plain {
        let event = self.facts.event;
        let counter = self.schema.counters.iter().position(|(n, _)| n == name);
        match (base, Field::named(name.as_bytes()), counter) {
            ("attributes", ..) => match event.attribute(name) {
                Some(Scalar::Text(text)) => Text(text.to_owned()),
                Some(Scalar::Int(int)) => Int(int),
                Some(Scalar::Double(double)) => Double(double),
                Some(Scalar::Bool(bool)) => Bool(bool),
                None => Absent,
            },
            ("list", ..) => {
                let list = self.schema.lists.iter().find(|l| l.name == name).unwrap();
                Items(list.items.iter().map(of_constant).collect())
            }
            ("event" | "", Some(field), _) if field.is_integer() => {
                event.int(field).map_or(Absent, Int)
            }
            ("event" | "", Some(field), _) => {
                event.text(field).map_or(Absent, |text| Text(text.to_owned()))
            }
            ("", ..) if name == "late" => Bool(self.facts.late),
            ("counter" | "", _, Some(index)) => match self.facts.counters[index] {
                Some(Reading::Int(int)) => Int(int),
                Some(Reading::Double(double)) => Double(double),
                None => Absent,
            },
            _ => panic!("{base}.{name}"),
        }
    }

    fn value(&self, syntax: &Syntax) -> Plain {
        match &syntax.kind {
            Kind::Literal(constant) => of_constant(constant),
            Kind::Name(name) => self.read("", name),
            Kind::Select { of, name } => match &of.kind {
                Kind::Name(base) => self.read(base, name),
                _ => panic!("{syntax:?}"),
            },
            Kind::Has { of, name } => match &of.kind {
                Kind::Name(base) => Bool(self.read(base, name) != Absent),
                _ => panic!("{syntax:?}"),
            },
            Kind::Index { of, key } => {
                let Kind::Select { name, .. } = &of.kind else { panic!("{syntax:?}") };
                let table = self.schema.tables.iter().find(|t| t.name == *name).unwrap();
                match self.value(key) {
                    Failed => Failed,
                    Text(key) => of_constant(table.entries.get(&key).unwrap_or(&table.default)),
                    _ => of_constant(&table.default),
                }
            }
            Kind::If(parts) => match self.value(&parts[0]) {
                Bool(true) => self.value(&parts[1]),
                Bool(false) => self.value(&parts[2]),
                Absent => Absent,
                _ => Failed,
            },
            Kind::Binary(operator @ (Operator::And | Operator::Or), ..) => {
                let terms = syntax.terms(*operator).into_iter().map(|term| self.value(term));
                terms.reduce(|left, right| join(*operator == Operator::Or, left, right)).unwrap()
            }
            Kind::Binary(operator, left, right) => {
                self.strict(&[left, right], |values| match values {
                    [left, right] => binary(*operator, left, right),
                    _ => Failed,
                })
            }
            Kind::Not(operand) => self.strict(&[operand], |values| match values {
                [Bool(bool)] => Bool(!bool),
                _ => Failed,
            }),
            Kind::Negate(operand) => self.strict(&[operand], |values| match values {
                [Int(int)] => checked(-i128::from(*int)),
                [Double(double)] => Double(-double),
                _ => Failed,
            }),
            Kind::List(items) => {
                self.strict(&items.iter().collect::<Vec<_>>(), |values| Items(values.to_vec()))
            }
            Kind::Call { name, on, arguments } => {
                let operands: Vec<_> = on.as_deref().into_iter().chain(arguments).collect();
                self.strict(&operands, |values| call(name, values))
            }
            Kind::Foreign { .. } => panic!("{syntax:?}"),
        }
    }

    fn strict(&self, operands: &[&Syntax], result: impl Fn(&[Plain]) -> Plain) -> Plain {
        let values: Vec<_> = operands.iter().map(|operand| self.value(operand)).collect();
        match [Failed, Absent].into_iter().find(|miss| values.contains(miss)) {
            Some(miss) => miss,
            None => result(&values),
        }
    }
}

fn join(winner: bool, left: Plain, right: Plain) -> Plain {
    match (left, right) {
        (Bool(bool), _) | (_, Bool(bool)) if bool == winner => Bool(winner),
        (left, right) if left == Bool(winner) || right == Bool(winner) => Bool(winner),
        (Failed, _) | (_, Failed) => Failed,
        (Absent, _) | (_, Absent) => Absent,
        (Bool(_), Bool(_)) => Bool(!winner),
        _ => Failed,
    }
}

fn order(left: &Plain, right: &Plain) -> Option<Option<Ordering>> {
    Some(match (left, right) {
        (Int(l), Int(r)) => Some(l.cmp(r)),
        (Double(l), Double(r)) => l.partial_cmp(r),
        (Int(l), Double(r)) => compare_int_double(*l, *r),
        (Double(l), Int(r)) => compare_int_double(*r, *l).map(Ordering::reverse),
        (Text(l), Text(r)) => Some(l.chars().cmp(r.chars())),
        (Bool(l), Bool(r)) => Some(l.cmp(r)),
        _ => return None,
    })
}

fn equal(left: &Plain, right: &Plain) -> bool {
    match (left, right) {
        (Items(l), Items(r)) => l.len() == r.len() && l.iter().zip(r).all(|(l, r)| equal(l, r)),
        _ => order(left, right) == Some(Some(Ordering::Equal)),
    }
}

fn binary(operator: Operator, left: &Plain, right: &Plain) -> Plain {
    match operator {
        Operator::Equal => Bool(equal(left, right)),
        Operator::NotEqual => Bool(!equal(left, right)),
        Operator::In => match right {
            Items(items) => Bool(items.iter().any(|item| equal(left, item))),
            _ => Failed,
        },
        Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
            order(left, right).map_or(Failed, |order| Bool(operator.accepts(order)))
        }
        _ => match (left, right) {
            (Int(l), Int(r)) => int(operator, i128::from(*l), i128::from(*r)),
            (Double(l), Double(r)) => match operator {
                Operator::Add => Double(l + r),
                Operator::Subtract => Double(l - r),
                Operator::Multiply => Double(l * r),
                Operator::Divide => Double(l / r),
                _ => Failed,
            },
            (Text(l), Text(r)) if operator == Operator::Add => Text(format!("{l}{r}")),
            (Items(l), Items(r)) if operator == Operator::Add => Items([&l[..], r].concat()),
            _ => Failed,
        },
    }
}

fn int(operator: Operator, left: i128, right: i128) -> Plain {
    match operator {
        Operator::Add => checked(left + right),
        Operator::Subtract => checked(left - right),
        Operator::Multiply => checked(left * right),
        _ if right == 0 => Failed,
        Operator::Divide => checked(left / right),
        _ => checked(left % right),
    }
}

fn call(name: &str, values: &[Plain]) -> Plain {
    const EDGE: f64 = 9_223_372_036_854_775_808.0;
    match (name, values) {
        ("size", [Text(text)]) => Int(text.chars().count() as i64),
        ("size", [Items(items)]) => Int(items.len() as i64),
        ("startsWith", [Text(text), Text(part)]) => Bool(text.starts_with(part)),
        ("endsWith", [Text(text), Text(part)]) => Bool(text.ends_with(part)),
        ("contains", [Text(text), Text(part)]) => Bool(text.contains(part)),
        ("matches", [Text(text), Text(pattern)]) => {
            Bool(regex::Regex::new(pattern).unwrap().is_match(text))
        }
        ("int", [Int(int)]) => Int(*int),
        ("int", [Double(double)]) if -EDGE < *double && *double < EDGE => {
            Int(double.trunc() as i64)
        }
        ("int", [Text(text)]) => text.parse().map_or(Failed, Int),
        ("double", [Int(int)]) => Double(*int as f64),
        ("double", [Double(double)]) => Double(*double),
        ("double", [Text(text)]) => text_to_double(text).map_or(Failed, Double),
        ("string", [Text(text)]) => Text(text.clone()),
        ("string", [Int(int)]) => Text(int.to_string()),
        ("string", [Double(double)]) => Text(double_text(*double)),
        ("string", [Bool(bool)]) => Text(bool.to_string()),
        _ => Failed,
    }
}
