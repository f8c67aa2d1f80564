//! Names and types: from [`Syntax`] to a [`Typed`] tree, or all that is wrong with it.
//!
//! A part with a mistake has no type; what is made of it is not checked against anything, so that
//! one mistake is told once. What a type cannot decide (an attribute is dynamic) is left to the
//! evaluation.

use std::ops::Range;
use std::sync::Arc;

use regex::Regex;

use super::error::{Issue, excerpt};
use super::names::{Named, Names};
use super::schema::{Constant, Members, Place, Schema, Type};
use super::syntax::{Kind, Operator, Syntax};
use super::typed::{Expr, Function, TextTest, Typed};

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

    fn binary(
        &mut self,
        syntax: &Syntax,
        operator: Operator,
        left: &Syntax,
        right: &Syntax,
    ) -> Option<Typed> {
        let (l, r) = (self.part(left), self.part(right));
        if matches!(operator, Operator::And | Operator::Or) {
            let l = self.condition(left, l, operator.sign());
            let r = self.condition(right, r, operator.sign());
            return joined(operator, l?, r?);
        }
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
            (Type::Text, Type::Int | Type::Double | Type::Bool) if operator != Operator::In => {
                match r.expr {
                    Expr::Constant(_) => write(grouped(left), quoted(right)),
                    _ => write(grouped(left), wrap("string", right)),
                }
            }
            (Type::Int | Type::Double | Type::Bool, Type::Text) if operator != Operator::In => {
                match l.expr {
                    Expr::Constant(_) => write(quoted(left), grouped(right)),
                    _ => write(wrap("string", left), grouped(right)),
                }
            }
            (_, Type::Text) if operator == Operator::In => {
                Some(format!("write `{}.contains({})`", grouped(right), self.source(left)))
            }
            _ => None,
        }
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

    fn call(
        &mut self,
        syntax: &Syntax,
        name: &str,
        on: Option<&Syntax>,
        arguments: &[Syntax],
    ) -> Option<Typed> {
        let operands: Vec<&Syntax> = on.into_iter().chain(arguments).collect();
        let checked: Vec<Option<Typed>> = operands.iter().map(|part| self.part(part)).collect();
        let function = Function::NAMES.iter().find(|(n, _)| *n == name).map(|(_, f)| *f);
        let test = TextTest::NAMES.iter().find(|(n, _)| *n == name).map(|(_, t)| *t);
        if let Some(function) = function
            && (on.is_none() || function == Function::Size)
        {
            let ([part], [operand]) = (&operands[..], &checked[..]) else {
                return self.arity(syntax, name, &format!("{name}(x)"));
            };
            return self.convert(syntax, function, part, operand.clone()?);
        }
        if function.is_some() {
            let message = format!("`{name}` is no function of a value");
            let hint =
                operands.first().map(|part| format!("write `{name}({})`", self.source(part)));
            return self.wrong(&syntax.span, message, hint);
        }
        if test.is_none() && name != "matches" {
            let (message, hint) = self.names.function(name);
            return self.wrong(&syntax.span, message, hint);
        }
        let (Some(_), [text, part], [t, p]) = (on, &operands[..], &checked[..]) else {
            return self.arity(syntax, name, &format!("x.{name}(y)"));
        };
        let t = self.text_operand(name, text, t.clone());
        let p = self.text_operand(name, part, p.clone());
        let (t, p) = (Box::new(t?), Box::new(p?));
        if let Some(test) = test {
            return typed(Type::Bool, Expr::TextTest(test, t, p));
        }
        let Expr::Constant(Constant::Text(pattern)) = &p.expr else {
            let message = format!(
                "{} is no literal, and the pattern of `matches` must be one",
                self.shown(part)
            );
            return self.wrong(&part.span, message, None);
        };
        match Regex::new(pattern) {
            Ok(regex) => typed(Type::Bool, Expr::Matches(t, regex)),
            Err(error) => {
                let reason = error.to_string();
                let reason =
                    reason.lines().last().unwrap_or("").trim().trim_start_matches("error: ");
                let message = format!("{} is no pattern: {reason}", self.shown(part));
                self.wrong(&part.span, message, None)
            }
        }
    }

    fn arity(&mut self, syntax: &Syntax, name: &str, form: &str) -> Option<Typed> {
        let message = format!("{} is no call of `{name}`", self.shown(syntax));
        self.wrong(&syntax.span, message, Some(format!("write `{form}`")))
    }

    fn convert(
        &mut self,
        syntax: &Syntax,
        function: Function,
        part: &Syntax,
        operand: Typed,
    ) -> Option<Typed> {
        let (result, takes) = match function {
            Function::Size => (Type::Int, "text or a list"),
            Function::Int => (Type::Int, "a number or text"),
            Function::Double => (Type::Double, "a number or text"),
            Function::Text => (Type::Text, "a number, text or a bool"),
        };
        let fits = match (&operand.ty, function) {
            (Type::Dyn | Type::Text, _) => true,
            (Type::List(_), _) => function == Function::Size,
            (Type::Int | Type::Double, _) => function != Function::Size,
            (Type::Bool, _) => function == Function::Text,
        };
        if !fits {
            let name = function.name();
            let message =
                format!("{} is {}, and `{name}` takes {takes}", self.shown(part), operand.ty);
            return self.wrong(&syntax.span, message, None);
        }
        typed(result, Expr::Convert(function, Box::new(operand)))
    }

    fn text_operand(&mut self, name: &str, part: &Syntax, checked: Option<Typed>) -> Option<Typed> {
        let checked = checked?;
        if matches!(checked.ty, Type::Text | Type::Dyn) {
            return Some(checked);
        }
        let message = format!("{} is {}, and `{name}` takes text", self.shown(part), checked.ty);
        let hint = match checked.ty {
            Type::List(_) if name == "contains" => "write `x in list`".to_owned(),
            Type::List(_) => return self.wrong(&part.span, message, None),
            _ => format!("write `string({})`", self.source(part)),
        };
        self.wrong(&part.span, message, Some(hint))
    }
}

/// Two terms in one chain.
fn joined(operator: Operator, left: Typed, right: Typed) -> Option<Typed> {
    let mut terms = Vec::new();
    for side in [left, right] {
        match side.expr {
            Expr::Join(same, inner) if same == operator => terms.extend(inner),
            expr => terms.push(Typed { ty: side.ty, expr }),
        }
    }
    typed(Type::Bool, Expr::Join(operator, terms))
}

fn comparison(operator: Operator) -> bool {
    use Operator::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
    matches!(operator, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual)
}

/// Can values of these types be equal?
fn comparable(left: &Type, right: &Type) -> bool {
    match (left, right) {
        (Type::Dyn, _) | (_, Type::Dyn) => true,
        (Type::List(left), Type::List(right)) => comparable(left, right),
        _ => left == right || (left.is_number() && right.is_number()),
    }
}

fn ordered(ty: &Type) -> bool {
    !matches!(ty, Type::List(_))
}

/// The type of arithmetic over these types; of a dynamic operand the other decides.
fn arithmetic(operator: Operator, left: &Type, right: &Type) -> Option<Type> {
    use Operator::{Add, Divide, Multiply, Remainder, Subtract};
    if !matches!(operator, Add | Subtract | Multiply | Divide | Remainder) {
        return None;
    }
    let ty = match (left, right) {
        (Type::Dyn, other) | (other, Type::Dyn) => other.clone(),
        (Type::List(_), Type::List(_)) => united(left, right).unwrap_or(list_of_any()),
        _ if left == right => left.clone(),
        _ => return None,
    };
    let exists = match ty {
        Type::Int | Type::Dyn => true,
        Type::Double => operator != Remainder,
        Type::Text | Type::List(_) => operator == Add,
        Type::Bool => false,
    };
    // The elements that a dynamic operand brings are of any type.
    let mixed = matches!(ty, Type::List(_)) && left != right;
    exists.then_some(if mixed { list_of_any() } else { ty })
}

fn list_of_any() -> Type {
    Type::List(Box::new(Type::Dyn))
}

/// The type of a value that is of the one or the other type.
fn united(left: &Type, right: &Type) -> Option<Type> {
    match (left, right) {
        _ if left == right => Some(left.clone()),
        (Type::Dyn, _) | (_, Type::Dyn) => Some(Type::Dyn),
        (Type::List(left), Type::List(right)) => {
            united(left, right).map(|element| Type::List(Box::new(element)))
        }
        _ => None,
    }
}

fn plural(ty: &Type) -> &'static str {
    match ty {
        Type::Int => "integers",
        Type::Double => "doubles",
        Type::Bool => "bools",
        Type::Text => "texts",
        Type::Dyn => "values",
        Type::List(_) => "lists",
    }
}
