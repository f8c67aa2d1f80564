//! Closures of values: integers, doubles, texts, and what is dynamic or a list.

use std::borrow::Cow;

use super::{Any, Compiler, Double, Int, Scope, Text, any, known, text};
use crate::event::Field;
use crate::rules::schema::{Constant, Type};
use crate::rules::syntax::Operator;
use crate::rules::typed::{Expr, Function, Typed};
use crate::rules::value::{self, Miss, Value, both, double_arithmetic, int_arithmetic};

impl Compiler<'_> {
    /// The entry of a table. Without a key, or with one that is no text, the default.
    pub(super) fn looked_up(
        &mut self,
        index: usize,
        key: &Typed,
    ) -> impl for<'x> Fn(&Scope<'x>) -> Result<&'x Constant, Miss> + Send + Sync + use<> {
        let table = self.table(index);
        let field = match key.expr {
            Expr::Field(field) => Some(field),
            _ => None,
        };
        let key = if field.is_some() { None } else { Some(self.any(key)) };
        move |s| lookup(s, table, field, key.as_ref())
    }

    pub(super) fn int(&mut self, typed: &Typed) -> Int {
        match &typed.expr {
            Expr::Constant(Constant::Int(int)) => {
                let int = *int;
                Box::new(move |_| Ok(int))
            }
            Expr::Field(field) => {
                let field = *field;
                Box::new(move |s| s.int(field))
            }
            Expr::Counter(index) => {
                let index = *index;
                Box::new(move |s| s.int_counter(index))
            }
            Expr::Table(index, key) => {
                let value = self.looked_up(*index, key);
                Box::new(move |s| match value(s)? {
                    Constant::Int(int) => Ok(*int),
                    _ => Err(Miss::Failed),
                })
            }
            Expr::Negate(operand) => {
                let operand = self.int(operand);
                Box::new(move |s| operand(s)?.checked_neg().ok_or(Miss::Failed))
            }
            Expr::Arithmetic(operator, left, right)
                if left.ty == Type::Int && right.ty == Type::Int =>
            {
                let (left, right) = (self.int(left), self.int(right));
                arithmetic(*operator, left, right)
            }
            Expr::If(parts) => {
                let [condition, yes, no] = &**parts;
                let condition = self.test(condition);
                let (yes, no) = (self.int(yes), self.int(no));
                Box::new(move |s| if known(condition(s))? { yes(s) } else { no(s) })
            }
            Expr::Convert(function, operand) => self.int_of(*function, operand),
            _ => {
                let operand = self.any(typed);
                Box::new(move |s| match operand(s)? {
                    Value::Int(int) => Ok(int),
                    _ => Err(Miss::Failed),
                })
            }
        }
    }

    fn int_of(&mut self, function: Function, operand: &Typed) -> Int {
        match (function, &operand.ty) {
            (Function::Size, Type::Text) => {
                let operand = self.text(operand);
                Box::new(move |s| operand(s).map(|text| value::text_size(&text)))
            }
            (Function::Size, _) => {
                let operand = self.any(operand);
                Box::new(move |s| value::size(&operand(s)?))
            }
            (_, Type::Int) => self.int(operand),
            (_, Type::Double) => {
                let operand = self.double(operand);
                Box::new(move |s| value::double_to_int(operand(s)?))
            }
            _ => {
                let operand = self.any(operand);
                Box::new(move |s| value::to_int(&operand(s)?))
            }
        }
    }

    pub(super) fn double(&mut self, typed: &Typed) -> Double {
        match &typed.expr {
            Expr::Constant(Constant::Double(double)) => {
                let double = *double;
                Box::new(move |_| Ok(double))
            }
            Expr::Counter(index) => {
                let index = *index;
                Box::new(move |s| s.double_counter(index))
            }
            Expr::Table(index, key) => {
                let value = self.looked_up(*index, key);
                Box::new(move |s| match value(s)? {
                    Constant::Double(double) => Ok(*double),
                    _ => Err(Miss::Failed),
                })
            }
            Expr::Negate(operand) => {
                let operand = self.double(operand);
                Box::new(move |s| Ok(-operand(s)?))
            }
            Expr::Arithmetic(operator, left, right)
                if left.ty == Type::Double && right.ty == Type::Double =>
            {
                let operator = *operator;
                let (left, right) = (self.double(left), self.double(right));
                Box::new(move |s| {
                    let (left, right) = both(left(s), right(s))?;
                    double_arithmetic(operator, left, right)
                })
            }
            Expr::If(parts) => {
                let [condition, yes, no] = &**parts;
                let condition = self.test(condition);
                let (yes, no) = (self.double(yes), self.double(no));
                Box::new(move |s| if known(condition(s))? { yes(s) } else { no(s) })
            }
            Expr::Convert(_, operand) => match operand.ty {
                Type::Int => {
                    let operand = self.int(operand);
                    Box::new(move |s| Ok(operand(s)? as f64))
                }
                Type::Double => self.double(operand),
                _ => {
                    let operand = self.any(operand);
                    Box::new(move |s| value::to_double(&operand(s)?))
                }
            },
            _ => {
                let operand = self.any(typed);
                Box::new(move |s| match operand(s)? {
                    Value::Double(double) => Ok(double),
                    _ => Err(Miss::Failed),
                })
            }
        }
    }

    /// Text, of a dynamic part too, which must be one.
    pub(super) fn text(&mut self, typed: &Typed) -> Text {
        match &typed.expr {
            Expr::Constant(constant @ Constant::Text(_)) => {
                let index = self.constant(constant);
                text(move |s| match &s.pool.constants[index] {
                    Constant::Text(text) => Ok(Cow::Borrowed(text)),
                    _ => Err(Miss::Failed),
                })
            }
            Expr::Field(field) => {
                let field = *field;
                text(move |s| s.text(field).map(Cow::Borrowed))
            }
            Expr::Table(index, key) if typed.ty == Type::Text => {
                let value = self.looked_up(*index, key);
                text(move |s| match value(s)? {
                    Constant::Text(text) => Ok(Cow::Borrowed(text)),
                    _ => Err(Miss::Failed),
                })
            }
            Expr::Arithmetic(_, left, right) if left.ty == Type::Text && right.ty == Type::Text => {
                let (left, right) = (self.text(left), self.text(right));
                text(move |s| {
                    let (left, right) = both(left(s), right(s))?;
                    Ok(Cow::Owned(value::joined(&left, &right)))
                })
            }
            Expr::If(parts) if typed.ty == Type::Text => {
                let [condition, yes, no] = &**parts;
                let condition = self.test(condition);
                let (yes, no) = (self.text(yes), self.text(no));
                text(move |s| if known(condition(s))? { yes(s) } else { no(s) })
            }
            Expr::Convert(_, operand) => {
                let operand = self.any(operand);
                text(move |s| value::to_text(operand(s)?))
            }
            _ => {
                let operand = self.any(typed);
                text(move |s| match operand(s)? {
                    Value::Text(text) => Ok(text),
                    _ => Err(Miss::Failed),
                })
            }
        }
    }

    /// A value of any type: only for what has no closure of a type, and for its operands.
    pub(super) fn any(&mut self, typed: &Typed) -> Any {
        match (&typed.expr, &typed.ty) {
            (Expr::Attribute(name), _) => {
                let name = name.clone();
                any(move |s| s.event.attribute(&name).map(Value::from).ok_or(Miss::Absent))
            }
            (Expr::List(items, _), _) => {
                let items: Box<[Any]> = items.iter().map(|item| self.any(item)).collect();
                any(move |s| listed(s, &items))
            }
            (Expr::NamedList(index), _) => {
                let items = &self.schema.lists[*index].items;
                let from = self.pool.constants.len();
                self.pool.constants.extend(items.iter().cloned());
                let to = self.pool.constants.len();
                any(move |s| {
                    let items = s.pool.constants[from..to].iter().map(Value::from);
                    Ok(Value::List(items.collect()))
                })
            }
            (Expr::If(parts), Type::Dyn | Type::List(_)) => {
                let [condition, yes, no] = &**parts;
                let condition = self.test(condition);
                let (yes, no) = (self.any(yes), self.any(no));
                any(move |s| if known(condition(s))? { yes(s) } else { no(s) })
            }
            (Expr::Negate(operand), Type::Dyn) => {
                let operand = self.any(operand);
                any(move |s| value::negated(operand(s)?))
            }
            (Expr::Arithmetic(operator, left, right), ty)
                if left.ty != *ty || right.ty != *ty || matches!(ty, Type::Dyn | Type::List(_)) =>
            {
                let operator = *operator;
                let (left, right) = (self.any(left), self.any(right));
                any(move |s| {
                    let (left, right) = both(left(s), right(s))?;
                    value::arithmetic(operator, left, right)
                })
            }
            (_, Type::Int) => {
                let int = self.int(typed);
                any(move |s| int(s).map(Value::Int))
            }
            (_, Type::Double) => {
                let double = self.double(typed);
                any(move |s| double(s).map(Value::Double))
            }
            (_, Type::Text) => {
                let text = self.text(typed);
                any(move |s| text(s).map(Value::Text))
            }
            (_, Type::Bool) => {
                let test = self.test(typed);
                any(move |s| known(test(s)).map(Value::Bool))
            }
            (_, Type::Dyn | Type::List(_)) => unreachable!("no value: {typed:?}"),
        }
    }
}

#[inline]
fn lookup<'x>(
    s: &Scope<'x>,
    table: usize,
    field: Option<Field>,
    key: Option<&Any>,
) -> Result<&'x Constant, Miss> {
    let table = &s.pool.tables[table];
    if let Some(field) = field {
        return Ok(s.event.text(field).map_or(&table.default, |key| table.get(key)));
    }
    match key.map(|key| key(s)) {
        Some(Ok(Value::Text(key))) => Ok(table.get(&key)),
        Some(Err(Miss::Failed)) => Err(Miss::Failed),
        _ => Ok(&table.default),
    }
}

fn listed<'x>(s: &Scope<'x>, items: &[Any]) -> Result<Value<'x>, Miss> {
    let mut values = Vec::with_capacity(items.len());
    let mut miss = None;
    for item in items {
        match item(s) {
            Ok(value) => values.push(value),
            Err(Miss::Failed) => return Err(Miss::Failed),
            Err(Miss::Absent) => miss = Some(Miss::Absent),
        }
    }
    miss.map_or(Ok(Value::List(values)), Err)
}

/// Arithmetic of two integers.
fn arithmetic(operator: Operator, left: Int, right: Int) -> Int {
    macro_rules! with {
        ($operator:path) => {
            Box::new(move |s| {
                let (left, right) = both(left(s), right(s))?;
                int_arithmetic($operator, left, right)
            })
        };
    }
    match operator {
        Operator::Add => with!(Operator::Add),
        Operator::Subtract => with!(Operator::Subtract),
        Operator::Multiply => with!(Operator::Multiply),
        Operator::Divide => with!(Operator::Divide),
        _ => with!(Operator::Remainder),
    }
}
