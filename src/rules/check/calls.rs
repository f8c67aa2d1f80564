//! Functions: their arguments, their types, the pattern of `matches`.

use regex::Regex;

use super::{Check, typed};
use crate::rules::schema::{Constant, Type};
use crate::rules::syntax::Syntax;
use crate::rules::typed::{Expr, Function, TextTest, Typed};

impl Check<'_> {
    /// `name(arguments)`, or `on.name(arguments)`.
    pub(super) fn call(
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
