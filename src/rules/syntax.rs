//! An expression as it is written: names not yet looked up, types not yet known.
//!
//! Only what a rule can say has a shape of its own here; the rest of CEL is [`Kind::Foreign`] and
//! the checker refuses it.

use std::cmp::Ordering;
use std::ops::Range;

use super::schema::Constant;

/// A part of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Syntax {
    /// Where it stands, in bytes, without the parentheses around it.
    pub(super) span: Range<usize>,
    /// The same with the parentheses around it.
    pub(super) grouped: Range<usize>,
    pub(super) kind: Kind,
}

impl Syntax {
    /// The terms that this operator joins, in their order; those in parentheses stay whole.
    pub(super) fn terms(&self, operator: Operator) -> Vec<&Syntax> {
        let mut terms = Vec::new();
        self.add_terms(operator, true, &mut terms);
        terms
    }

    fn add_terms<'s>(&'s self, operator: Operator, top: bool, terms: &mut Vec<&'s Syntax>) {
        match &self.kind {
            Kind::Binary(same, left, right)
                if *same == operator && (top || self.grouped == self.span) =>
            {
                left.add_terms(operator, false, terms);
                right.add_terms(operator, false, terms);
            }
            _ => terms.push(self),
        }
    }
}

/// What a part of an expression is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Literal(Constant),
    Name(String),
    /// `of.name`
    Select {
        of: Box<Syntax>,
        name: String,
    },
    /// `has(of.name)`
    Has {
        of: Box<Syntax>,
        name: String,
    },
    Not(Box<Syntax>),
    Negate(Box<Syntax>),
    Binary(Operator, Box<Syntax>, Box<Syntax>),
    If(Box<[Syntax; 3]>),
    /// `of[key]`
    Index {
        of: Box<Syntax>,
        key: Box<Syntax>,
    },
    List(Vec<Syntax>),
    /// `name(arguments)`, or `on.name(arguments)`
    Call {
        name: String,
        on: Option<Box<Syntax>>,
        arguments: Vec<Syntax>,
    },
    /// What CEL has and rules have not: what it is, and what to write instead.
    Foreign {
        what: &'static str,
        hint: &'static str,
    },
}

/// An operator between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    const SIGNS: [(Operator, &'static str); 14] = [
        (Operator::Or, "||"),
        (Operator::And, "&&"),
        (Operator::Equal, "=="),
        (Operator::NotEqual, "!="),
        (Operator::Less, "<"),
        (Operator::LessEqual, "<="),
        (Operator::Greater, ">"),
        (Operator::GreaterEqual, ">="),
        (Operator::In, "in"),
        (Operator::Add, "+"),
        (Operator::Subtract, "-"),
        (Operator::Multiply, "*"),
        (Operator::Divide, "/"),
        (Operator::Remainder, "%"),
    ];

    /// The operator of this sign.
    pub(super) fn of_sign(sign: &str) -> Option<Operator> {
        Self::SIGNS.iter().find(|(_, s)| *s == sign).map(|(operator, _)| *operator)
    }

    /// How it is written.
    pub(super) fn sign(self) -> &'static str {
        Self::SIGNS[self as usize].1
    }

    /// Is a comparison with this operator true of operands in this order (`None`: of a NaN)?
    pub(super) fn accepts(self, order: Option<Ordering>) -> bool {
        match self {
            Operator::Equal => order == Some(Ordering::Equal),
            Operator::NotEqual => order != Some(Ordering::Equal),
            Operator::Less => order == Some(Ordering::Less),
            Operator::LessEqual => order.is_some_and(Ordering::is_le),
            Operator::Greater => order == Some(Ordering::Greater),
            Operator::GreaterEqual => order.is_some_and(Ordering::is_ge),
            _ => false,
        }
    }

    /// The same comparison with its operands swapped.
    pub(super) fn swapped(self) -> Operator {
        match self {
            Operator::Less => Operator::Greater,
            Operator::LessEqual => Operator::GreaterEqual,
            Operator::Greater => Operator::Less,
            Operator::GreaterEqual => Operator::LessEqual,
            same => same,
        }
    }
}
