//! A checked expression: every name is a slot, every part has a type.

use std::sync::Arc;

use regex::Regex;

use super::schema::{Constant, Members, Schema, Type};
use super::syntax::Operator;
use super::value::double_text;
use crate::event::Field;

/// A part of a checked expression.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    pub(super) ty: Type,
    pub(super) expr: Expr,
}

/// What a part of a checked expression is. Counters, tables and lists by their index.
#[derive(Debug, Clone)]
pub(super) enum Expr {
    Constant(Constant),
    Field(Field),
    Attribute(Box<str>),
    Counter(usize),
    Late,
    HasField(Field),
    HasAttribute(Box<str>),
    HasCounter(usize),
    /// A literal list; its members too, if every item is a constant.
    List(Vec<Typed>, Option<Arc<Members>>),
    NamedList(usize),
    Table(usize, Box<Typed>),
    Not(Box<Typed>),
    Negate(Box<Typed>),
    Arithmetic(Operator, Box<Typed>, Box<Typed>),
    Compare(Operator, Box<Typed>, Box<Typed>),
    In(Box<Typed>, Box<Typed>),
    /// Terms joined by `&&` or `||`, none of which is joined by the same.
    Join(Operator, Vec<Typed>),
    If(Box<[Typed; 3]>),
    Convert(Function, Box<Typed>),
    TextTest(TextTest, Box<Typed>, Box<Typed>),
    Matches(Box<Typed>, Regex),
}

/// A function of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Int,
    Double,
    Text,
}

impl Function {
    pub(super) const NAMES: [(&'static str, Function); 4] = [
        ("size", Function::Size),
        ("int", Function::Int),
        ("double", Function::Double),
        ("string", Function::Text),
    ];

    pub(super) fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// A question about two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

impl TextTest {
    pub(super) const NAMES: [(&'static str, TextTest); 3] = [
        ("startsWith", TextTest::StartsWith),
        ("endsWith", TextTest::EndsWith),
        ("contains", TextTest::Contains),
    ];

    pub(super) fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }

    pub(super) fn holds(self, text: &str, part: &str) -> bool {
        match self {
            TextTest::StartsWith => text.starts_with(part),
            TextTest::EndsWith => text.ends_with(part),
            TextTest::Contains => text.contains(part),
        }
    }
}

/// An expression in its canonical form: names as the schema writes them, every operation in
/// parentheses, chains of `&&` and of `||` in one.
pub(super) fn canonical(typed: &Typed, schema: &Schema) -> String {
    let mut text = String::new();
    write(&mut text, typed, schema);
    text
}

fn write(out: &mut String, typed: &Typed, schema: &Schema) {
    match &typed.expr {
        Expr::Constant(constant) => write_constant(out, constant),
        Expr::Field(field) => out.push_str(field.name()),
        Expr::Attribute(name) => write_all(out, &["attributes.", name]),
        Expr::Counter(index) => out.push_str(&schema.counters[*index].0),
        Expr::Late => out.push_str("late"),
        Expr::HasField(field) => write_all(out, &["has(event.", field.name(), ")"]),
        Expr::HasAttribute(name) => write_all(out, &["has(attributes.", name, ")"]),
        Expr::HasCounter(index) => {
            write_all(out, &["has(counter.", &schema.counters[*index].0, ")"]);
        }
        Expr::List(items, _) => write_joined(out, schema, "[", items, ", ", "]"),
        Expr::NamedList(index) => write_all(out, &["list.", &schema.lists[*index].name]),
        Expr::Table(index, key) => {
            write_all(out, &["table.", &schema.tables[*index].name]);
            write_joined(out, schema, "[", [&**key], "", "]");
        }
        Expr::Not(operand) => write_joined(out, schema, "!(", [&**operand], "", ")"),
        Expr::Negate(operand) => write_joined(out, schema, "-(", [&**operand], "", ")"),
        Expr::Arithmetic(operator, left, right) | Expr::Compare(operator, left, right) => {
            let sign = format!(" {} ", operator.sign());
            write_joined(out, schema, "(", [&**left, right], &sign, ")");
        }
        Expr::In(item, list) => write_joined(out, schema, "(", [&**item, list], " in ", ")"),
        Expr::Join(operator, terms) => {
            write_joined(out, schema, "(", terms, &format!(" {} ", operator.sign()), ")");
        }
        Expr::If(parts) => {
            let [condition, yes, no] = &**parts;
            write_joined(out, schema, "(", [condition], "", " ? ");
            write_joined(out, schema, "", [yes, no], " : ", ")");
        }
        Expr::Convert(function, operand) => {
            out.push_str(function.name());
            write_joined(out, schema, "(", [&**operand], "", ")");
        }
        Expr::TextTest(test, text, part) => {
            write(out, text, schema);
            write_all(out, &[".", test.name()]);
            write_joined(out, schema, "(", [&**part], "", ")");
        }
        Expr::Matches(text, pattern) => {
            write(out, text, schema);
            out.push_str(".matches(");
            write_text(out, pattern.as_str());
            out.push(')');
        }
    }
}

fn write_all(out: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| out.push_str(part));
}

fn write_joined<'a>(
    out: &mut String,
    schema: &Schema,
    open: &str,
    parts: impl IntoIterator<Item = &'a Typed>,
    between: &str,
    close: &str,
) {
    out.push_str(open);
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            out.push_str(between);
        }
        write(out, part, schema);
    }
    out.push_str(close);
}

fn write_constant(out: &mut String, constant: &Constant) {
    match constant {
        Constant::Text(text) => write_text(out, text),
        Constant::Int(int) => out.push_str(&int.to_string()),
        Constant::Double(double) => out.push_str(&double_text(*double)),
        Constant::Bool(bool) => out.push_str(super::value::bool_text(*bool)),
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('\'');
}
