//! Operators between two operands: which types they take, and how to write what they do not take.

use super::types::{arithmetic, comparable, comparison, ordered, plural};
use super::{Check, typed};
use crate::rules::schema::Type;
use crate::rules::syntax::{Operator, Syntax};
use crate::rules::typed::{Expr, Typed};

impl Check<'_> {
    /// `&&` and `||`.
    pub(super) fn join(&mut self, operator: Operator, terms: &[&Syntax]) -> Option<Typed> {
        let checked: Vec<Option<Typed>> = terms
            .iter()
            .map(|term| {
                let checked = self.part(term);
                self.condition(term, checked, operator.sign())
            })
            .collect();
        joined(operator, checked.into_iter().collect::<Option<_>>()?)
    }

    /// An operator between two operands.
    pub(super) fn binary(
        &mut self,
        syntax: &Syntax,
        operator: Operator,
        left: &Syntax,
        right: &Syntax,
    ) -> Option<Typed> {
        if matches!(operator, Operator::And | Operator::Or) {
            return self.join(operator, &syntax.terms(operator));
        }
        let (l, r) = (self.part(left), self.part(right));
        let (l, r) = (l?, r?);
        let result = match operator {
            Operator::In => match &r.ty {
                Type::List(element) if comparable(&l.ty, element) => Ok(Type::Bool),
                Type::Dyn => Ok(Type::Bool),
                Type::List(element) => Err(format!(
                    "{} is {}, and {} holds {}",
                    self.shown(left),
                    l.ty,
                    self.shown(right),
                    plural(element)
                )),
                other => Err(format!("{} is {other}, and `in` asks a list", self.shown(right))),
            },
            Operator::Equal | Operator::NotEqual if comparable(&l.ty, &r.ty) => Ok(Type::Bool),
            Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual
                if comparable(&l.ty, &r.ty) && ordered(&l.ty) && ordered(&r.ty) =>
            {
                Ok(Type::Bool)
            }
            _ => arithmetic(operator, &l.ty, &r.ty).ok_or_else(|| {
                let (left, right) = (self.shown(left), self.shown(right));
                let verb = match operator {
                    Operator::Equal | Operator::NotEqual => "cannot compare",
                    _ if comparison(operator) => "cannot order",
                    _ => "cannot take",
                };
                format!(
                    "{left} is {} and {right} is {}: `{}` {verb} them",
                    l.ty,
                    r.ty,
                    operator.sign()
                )
            }),
        };
        let (l, r) = (Box::new(l), Box::new(r));
        match result {
            Ok(ty) if operator == Operator::In => typed(ty, Expr::In(l, r)),
            Ok(ty) if comparison(operator) => typed(ty, Expr::Compare(operator, l, r)),
            Ok(ty) => typed(ty, Expr::Arithmetic(operator, l, r)),
            Err(message) => {
                let hint = self.binary_hint(operator, (left, &l), (right, &r));
                self.wrong(&syntax.span, message, hint)
            }
        }
    }

    /// How to write an operation whose operands do not fit.
    fn binary_hint(
        &self,
        operator: Operator,
        (left, l): (&Syntax, &Typed),
        (right, r): (&Syntax, &Typed),
    ) -> Option<String> {
        let sign = operator.sign();
        let grouped = |part: &Syntax| self.text[part.grouped.clone()].to_owned();
        let wrap = |name: &str, part: &Syntax| format!("{name}({})", self.source(part));
        let quoted = |part: &Syntax| format!("'{}'", self.source(part));
        let write = |left: String, right: String| Some(format!("write `{left} {sign} {right}`"));
        let texts = operator == Operator::Add || comparison(operator);
        match (&l.ty, &r.ty) {
            (Type::Int | Type::Double, Type::Int | Type::Double)
                if operator == Operator::Remainder =>
            {
                let int = |part: &Syntax, ty: &Type| {
                    if *ty == Type::Int { grouped(part) } else { wrap("int", part) }
                };
                write(int(left, &l.ty), int(right, &r.ty))
            }
            (Type::Int, Type::Double) => write(wrap("double", left), grouped(right)),
            (Type::Double, Type::Int) => write(grouped(left), wrap("double", right)),
            (Type::Text, Type::Int | Type::Double | Type::Bool) if texts => match r.expr {
                Expr::Constant(_) => write(grouped(left), quoted(right)),
                _ => write(grouped(left), wrap("string", right)),
            },
            (Type::Int | Type::Double | Type::Bool, Type::Text) if texts => match l.expr {
                Expr::Constant(_) => write(quoted(left), grouped(right)),
                _ => write(wrap("string", left), grouped(right)),
            },
            (_, Type::Text) if operator == Operator::In => {
                Some(format!("write `{}.contains({})`", grouped(right), self.source(left)))
            }
            _ => None,
        }
    }
}

/// Terms in one chain, those of the same operator in parentheses too. Where one may turn out to be
/// no bool, only the first may lose its parentheses: in such a chain the order in which sides meet
/// decides between an absence and a failure.
fn joined(operator: Operator, terms: Vec<Typed>) -> Option<Typed> {
    let same = |term: &Typed| matches!(&term.expr, Expr::Join(o, _) if *o == operator);
    let dynamic = terms.iter().any(|term| match &term.expr {
        Expr::Join(_, inner) if same(term) => inner.iter().any(may_be_no_bool),
        _ => may_be_no_bool(term),
    });
    let mut chain = Vec::with_capacity(terms.len());
    for term in terms {
        match term.expr {
            Expr::Join(o, inner) if o == operator && (!dynamic || chain.is_empty()) => {
                chain.extend(inner);
            }
            expr => chain.push(Typed { ty: term.ty, expr }),
        }
    }
    typed(Type::Bool, Expr::Join(operator, chain))
}

/// A dynamic term, or a chain that holds one.
fn may_be_no_bool(term: &Typed) -> bool {
    match &term.expr {
        Expr::Join(_, terms) => terms.iter().any(may_be_no_bool),
        _ => term.ty == Type::Dyn,
    }
}
