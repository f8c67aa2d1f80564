//! Names and types: from [`Syntax`] to a [`Typed`] tree, or all that is wrong with it.
//!
//! A part with a mistake has no type; what is made of it is not checked against anything, so that
//! one mistake is told once. What a type cannot decide (an attribute is dynamic) is left to the
//! evaluation.

mod calls;
mod operators;
mod types;

use std::ops::Range;
use std::sync::Arc;

use super::error::{Issue, excerpt};
use super::names::{Named, Names};
use super::schema::{Constant, Members, Place, Schema, Type};
use super::syntax::{Kind, Syntax};
use super::typed::{Expr, Typed};
use types::united;

/// A checked expression, and the counters that it names in the order of their first appearance.
pub(super) struct Checked {
    pub(super) typed: Typed,
    pub(super) counters: Vec<usize>,
}

/// Checks an expression.
pub(super) fn check(
    text: &str,
    syntax: &Syntax,
    schema: &Schema,
    place: Place,
) -> Result<Checked, Vec<Issue>> {
    let names = Names { schema, place };
    let mut check = Check { text, names, counters: Vec::new(), issues: Vec::new() };
    let typed = check.part(syntax);
    if let Some(typed) = &typed
        && !matches!(typed.ty, Type::Bool | Type::Dyn)
    {
        let what = if place == Place::Rule { "a rule" } else { "a filter" };
        let message = format!("{} is {}, and {what} must be a bool", check.shown(syntax), typed.ty);
        let hint = match typed.ty {
            Type::Int | Type::Double => Some(format!("compare it: `{} > 0`", check.source(syntax))),
            _ => None,
        };
        check.issues.push(Issue { span: syntax.span.clone(), message, hint });
    }
    match typed {
        Some(typed) if check.issues.is_empty() => Ok(Checked { typed, counters: check.counters }),
        _ => Err(check.issues),
    }
}

struct Check<'a> {
    text: &'a str,
    names: Names<'a>,
    counters: Vec<usize>,
    issues: Vec<Issue>,
}

fn typed(ty: Type, expr: Expr) -> Option<Typed> {
    Some(Typed { ty, expr })
}

impl Check<'_> {
    /// The text of a part, without the parentheses around it.
    fn source(&self, part: &Syntax) -> &str {
        &self.text[part.span.clone()]
    }

    fn shown(&self, part: &Syntax) -> String {
        excerpt(self.source(part))
    }

    fn wrong(
        &mut self,
        span: &Range<usize>,
        message: String,
        hint: Option<String>,
    ) -> Option<Typed> {
        self.issues.push(Issue { span: span.clone(), message, hint });
        None
    }

    /// Checks a part; `None` if something is wrong in it, which is noted.
    fn part(&mut self, syntax: &Syntax) -> Option<Typed> {
        match &syntax.kind {
            Kind::Literal(constant) => {
                typed(constant.value_type(), Expr::Constant(constant.clone()))
            }
            Kind::Foreign { what, hint } => {
                let message =
                    format!("{} is {what}, which is no part of a rule", self.shown(syntax));
                self.wrong(&syntax.span, message, Some((*hint).to_owned()))
            }
            Kind::Name(name) => self.named(syntax, self.names.bare(name)),
            Kind::Select { of, name } => match &of.kind {
                Kind::Name(base) => self.named(syntax, self.names.member(base, name)),
                _ => {
                    self.part(of)?;
                    let message = format!("{} has no part `{name}`", self.shown(of));
                    self.wrong(&syntax.span, message, None)
                }
            },
            Kind::Has { of, name } => self.has(syntax, of, name),
            Kind::Not(operand) => {
                let checked = self.part(operand)?;
                self.condition(operand, Some(checked), "!")
                    .and_then(|operand| typed(Type::Bool, Expr::Not(Box::new(operand))))
            }
            Kind::Negate(operand) => self.negate(syntax, operand),
            Kind::Binary(operator, left, right) => self.binary(syntax, *operator, left, right),
            Kind::If(parts) => self.choice(syntax, parts),
            Kind::Index { of, key } => self.index(syntax, of, key),
            Kind::List(items) => self.list(items),
            Kind::Call { name, on, arguments } => self.call(syntax, name, on.as_deref(), arguments),
        }
    }

    /// What a name turned out to be.
    fn named(
        &mut self,
        syntax: &Syntax,
        named: Result<Named, (String, Option<String>)>,
    ) -> Option<Typed> {
        let (ty, expr) = match named {
            Ok(Named::Field(field)) => {
                let ty = if field.is_text() { Type::Text } else { Type::Int };
                (ty, Expr::Field(field))
            }
            Ok(Named::Late) => (Type::Bool, Expr::Late),
            Ok(Named::Counter(index)) => {
                self.note_counter(index);
                (self.names.schema.counters[index].1.clone(), Expr::Counter(index))
            }
            Ok(Named::Attribute(name)) => (Type::Dyn, Expr::Attribute(name)),
            Ok(Named::List(index)) => {
                let ty = self.names.schema.lists[index].element_type();
                (Type::List(Box::new(ty)), Expr::NamedList(index))
            }
            Ok(Named::Table(index)) => {
                let name = &self.names.schema.tables[index].name;
                let message = format!("`table.{name}` is a table, not a value");
                let hint = format!("look a key up: `table.{name}[FIELD]`");
                return self.wrong(&syntax.span, message, Some(hint));
            }
            Err((message, hint)) => return self.wrong(&syntax.span, message, hint),
        };
        typed(ty, expr)
    }

    fn note_counter(&mut self, index: usize) {
        if !self.counters.contains(&index) {
            self.counters.push(index);
        }
    }

    fn has(&mut self, syntax: &Syntax, of: &Syntax, name: &str) -> Option<Typed> {
        let named = match &of.kind {
            Kind::Name(base) if matches!(&**base, "event" | "counter" | "attributes") => {
                self.names.member(base, name)
            }
            _ => {
                let message =
                    format!("{} asks for no field, counter or attribute", self.shown(syntax));
                let hint = format!(
                    "write has(event.{name}), has(counter.{name}) or has(attributes.{name})"
                );
                return self.wrong(&syntax.span, message, Some(hint));
            }
        };
        let expr = match self.named(syntax, named)?.expr {
            Expr::Field(field) => Expr::HasField(field),
            Expr::Counter(index) => Expr::HasCounter(index),
            Expr::Attribute(name) => Expr::HasAttribute(name),
            other => other,
        };
        typed(Type::Bool, expr)
    }

    /// An operand that must be a bool.
    fn condition(&mut self, part: &Syntax, checked: Option<Typed>, sign: &str) -> Option<Typed> {
        let checked = checked?;
        if matches!(checked.ty, Type::Bool | Type::Dyn) {
            return Some(checked);
        }
        let message = format!("{} is {}, and `{sign}` takes a bool", self.shown(part), checked.ty);
        let hint = match checked.ty {
            Type::Int | Type::Double => Some(format!("compare it: `{} > 0`", self.source(part))),
            Type::Text => Some(format!("compare it: `{} == '…'`", self.source(part))),
            _ => None,
        };
        self.wrong(&part.span, message, hint)
    }

    fn negate(&mut self, syntax: &Syntax, part: &Syntax) -> Option<Typed> {
        let operand = self.part(part)?;
        // `-(5)` and `-5` are one expression.
        match &operand.expr {
            Expr::Constant(Constant::Int(int)) if *int != i64::MIN => {
                return typed(Type::Int, Expr::Constant(Constant::Int(-int)));
            }
            Expr::Constant(Constant::Double(double)) => {
                return typed(Type::Double, Expr::Constant(Constant::Double(-double)));
            }
            _ => {}
        }
        if !operand.ty.is_number() && operand.ty != Type::Dyn {
            let message = format!("{} is {}, and `-` takes a number", self.shown(part), operand.ty);
            return self.wrong(&syntax.span, message, None);
        }
        typed(operand.ty.clone(), Expr::Negate(Box::new(operand)))
    }

    fn choice(&mut self, syntax: &Syntax, parts: &[Syntax; 3]) -> Option<Typed> {
        let [condition, yes, no] = parts;
        let checked = self.part(condition);
        let checked = self.condition(condition, checked, "?");
        let (y, n) = (self.part(yes), self.part(no));
        let (checked, y, n) = (checked?, y?, n?);
        let Some(ty) = united(&y.ty, &n.ty) else {
            let message = format!(
                "{} is {} and {} is {}: both sides of `:` must be of one type",
                self.shown(yes),
                y.ty,
                self.shown(no),
                n.ty
            );
            let integer = match (&y.ty, &n.ty) {
                (Type::Int, Type::Double) => Some(yes),
                (Type::Double, Type::Int) => Some(no),
                _ => None,
            };
            let hint = integer.map(|part| format!("write `double({})`", self.source(part)));
            return self.wrong(&syntax.span, message, hint);
        };
        typed(ty, Expr::If(Box::new([checked, y, n])))
    }

    fn index(&mut self, syntax: &Syntax, of: &Syntax, key: &Syntax) -> Option<Typed> {
        let checked = self.part(key);
        let table = match &of.kind {
            Kind::Select { of: base, name } if base.kind == Kind::Name("table".to_owned()) => {
                match self.names.member("table", name) {
                    Ok(Named::Table(index)) => index,
                    other => return self.named(of, other),
                }
            }
            Kind::Name(base) if matches!(&**base, "attributes" | "event" | "counter" | "table") => {
                let message = format!("{} cannot be read with [..]", self.shown(of));
                let hint = match base.as_str() {
                    "table" => "write `table.NAME[FIELD]`".to_owned(),
                    _ => format!("write `{base}.NAME`"),
                };
                return self.wrong(&syntax.span, message, Some(hint));
            }
            _ => {
                self.part(of)?;
                let message =
                    format!("{} is no table, and only a table is read with [..]", self.shown(of));
                return self.wrong(&syntax.span, message, None);
            }
        };
        let checked = checked?;
        let schema = &self.names.schema.tables[table];
        if !matches!(checked.ty, Type::Text | Type::Dyn) {
            let message =
                format!("{} is {}, and a table's key is text", self.shown(key), checked.ty);
            let hint = format!("write `table.{}[string({})]`", schema.name, self.source(key));
            return self.wrong(&key.span, message, Some(hint));
        }
        typed(schema.value_type.clone(), Expr::Table(table, Box::new(checked)))
    }

    fn list(&mut self, items: &[Syntax]) -> Option<Typed> {
        let checked: Vec<Option<Typed>> = items.iter().map(|item| self.part(item)).collect();
        let checked: Vec<Typed> = checked.into_iter().collect::<Option<_>>()?;
        let mut types = checked.iter().map(|item| &item.ty);
        let element = match types.next() {
            Some(first) if types.all(|t| t == first) => first.clone(),
            _ => Type::Dyn,
        };
        let constants: Option<Vec<Constant>> = checked
            .iter()
            .map(|item| match &item.expr {
                Expr::Constant(constant) => Some(constant.clone()),
                _ => None,
            })
            .collect();
        let members = constants.map(|constants| Arc::new(Members::of(&constants)));
        typed(Type::List(Box::new(element)), Expr::List(checked, members))
    }
}
