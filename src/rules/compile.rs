//! From a checked expression to native closures over slots.
//!
//! A closure exists for every part whose type is known, and gives its value as that type: nothing
//! is boxed, looked up by name or allocated while an ordinary rule is evaluated (an attribute is
//! searched among the few of its event). Only parts that are dynamic, or lists, go through
//! [`Value`]. The shapes of which most rules are made have closures of their own.

use std::borrow::Cow;

use super::schema::{Constant, Schema, Table, Type};
use super::syntax::Operator;
use super::typed::{Expr, Function, Typed};
use super::value::{
    self, Miss, Value, both, compare_int_double, double_arithmetic, int_arithmetic,
};
use super::{Facts, Truth};
use crate::event::{Event, Field};
use crate::window::spec::Reading;

/// What the closures read: the facts of an event, and what the program itself lends.
pub(super) struct Scope<'x> {
    event: &'x Event<'x>,
    counters: &'x [Option<Reading>],
    late: bool,
    pool: &'x Pool,
}

impl<'x> Scope<'x> {
    pub(super) fn new(facts: &Facts<'x>, pool: &'x Pool) -> Self {
        Scope { event: facts.event, counters: facts.counters, late: facts.late, pool }
    }

    #[inline]
    fn text(&self, field: Field) -> Result<&'x str, Miss> {
        self.event.text(field).ok_or(Miss::Absent)
    }

    #[inline]
    fn int(&self, field: Field) -> Result<i64, Miss> {
        self.event.int(field).ok_or(Miss::Absent)
    }

    #[inline]
    fn counter(&self, index: usize) -> Option<Reading> {
        self.counters.get(index).copied().flatten()
    }

    #[inline]
    fn int_counter(&self, index: usize) -> Result<i64, Miss> {
        match self.counter(index) {
            Some(Reading::Int(int)) => Ok(int),
            Some(Reading::Double(_)) => Err(Miss::Failed),
            None => Err(Miss::Absent),
        }
    }

    fn double_counter(&self, index: usize) -> Result<f64, Miss> {
        match self.counter(index) {
            Some(Reading::Double(double)) => Ok(double),
            Some(Reading::Int(_)) => Err(Miss::Failed),
            None => Err(Miss::Absent),
        }
    }
}

/// What the closures borrow from their program.
#[derive(Debug, Default)]
pub(super) struct Pool {
    constants: Vec<Constant>,
    tables: Vec<Table>,
}

pub(super) type Test = Box<dyn Fn(&Scope<'_>) -> Truth + Send + Sync>;
type Int = Box<dyn Fn(&Scope<'_>) -> Result<i64, Miss> + Send + Sync>;
type Double = Box<dyn Fn(&Scope<'_>) -> Result<f64, Miss> + Send + Sync>;
type Text = Box<dyn for<'x> Fn(&Scope<'x>) -> Result<Cow<'x, str>, Miss> + Send + Sync>;
type Any = Box<dyn for<'x> Fn(&Scope<'x>) -> Result<Value<'x>, Miss> + Send + Sync>;

fn text<F>(f: F) -> Text
where
    F: for<'x> Fn(&Scope<'x>) -> Result<Cow<'x, str>, Miss> + Send + Sync + 'static,
{
    Box::new(f)
}

fn any<F>(f: F) -> Any
where
    F: for<'x> Fn(&Scope<'x>) -> Result<Value<'x>, Miss> + Send + Sync + 'static,
{
    Box::new(f)
}

/// The truth of a value that there may be.
#[inline]
fn truth(value: Result<bool, Miss>) -> Truth {
    match value {
        Ok(true) => Truth::Holds,
        Ok(false) => Truth::HoldsNot,
        Err(Miss::Absent) => Truth::Absent,
        Err(Miss::Failed) => Truth::Failed,
    }
}

#[inline]
fn known(truth: Truth) -> Result<bool, Miss> {
    match truth {
        Truth::Holds => Ok(true),
        Truth::HoldsNot => Ok(false),
        Truth::Absent => Err(Miss::Absent),
        Truth::Failed => Err(Miss::Failed),
    }
}

/// Compiles a checked expression, of type bool or dynamic.
pub(super) fn compile(typed: &Typed, schema: &Schema) -> (Test, Pool) {
    let mut compiler = Compiler { schema, pool: Pool::default() };
    let test = compiler.test(typed);
    (test, compiler.pool)
}

struct Compiler<'s> {
    schema: &'s Schema,
    pool: Pool,
}

impl Compiler<'_> {
    fn constant(&mut self, constant: &Constant) -> usize {
        self.pool.constants.push(constant.clone());
        self.pool.constants.len() - 1
    }

    fn table(&mut self, index: usize) -> usize {
        self.pool.tables.push(self.schema.tables[index].clone());
        self.pool.tables.len() - 1
    }

    fn test(&mut self, typed: &Typed) -> Test {
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

    /// `&&` and `||`: a side that decides wins over the others, whatever became of them.
    fn join(&mut self, operator: Operator, terms: &[Typed]) -> Test {
        if terms.iter().any(|term| term.ty == Type::Dyn) {
            return self.join_any(operator, terms);
        }
        let mut tests: Vec<Test> = terms.iter().map(|term| self.test(term)).collect();
        let two = |tests: &mut Vec<Test>| Some((tests.pop()?, tests.pop()?));
        match (operator, tests.len()) {
            (Operator::And, 2) => match two(&mut tests) {
                Some((right, left)) => Box::new(move |s| match left(s) {
                    Truth::HoldsNot => Truth::HoldsNot,
                    left => and(left, right(s)),
                }),
                None => unreachable!("two terms"),
            },
            (Operator::Or, 2) => match two(&mut tests) {
                Some((right, left)) => Box::new(move |s| match left(s) {
                    Truth::Holds => Truth::Holds,
                    left => or(left, right(s)),
                }),
                None => unreachable!("two terms"),
            },
            (Operator::And, _) => {
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
            _ => {
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
        let terms: Box<[Any]> = terms.iter().map(|term| self.any(term)).collect();
        let winner = operator == Operator::Or;
        let bool = |value: Result<Value<'_>, Miss>| match value {
            Ok(Value::Bool(bool)) => Ok(Some(bool)),
            Ok(_) => Ok(None),
            Err(miss) => Err(miss),
        };
        Box::new(move |s| {
            let mut result = Ok(Some(!winner));
            for term in &terms {
                let term = bool(term(s));
                if term == Ok(Some(winner)) {
                    return truth(Ok(winner));
                }
                result = match both(result, term) {
                    Ok((Some(_), Some(_))) => Ok(Some(!winner)),
                    Ok(_) => Err(Miss::Failed),
                    Err(miss) => Err(miss),
                };
            }
            truth(result.and_then(|bool| bool.ok_or(Miss::Failed)))
        })
    }

    fn compare(&mut self, operator: Operator, left: &Typed, right: &Typed) -> Test {
        if matches!(left.expr, Expr::Constant(_)) && !matches!(right.expr, Expr::Constant(_)) {
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

    /// The entry of a table. Without a key, or with one that is no text, the default.
    fn looked_up(
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

    fn int(&mut self, typed: &Typed) -> Int {
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

    fn double(&mut self, typed: &Typed) -> Double {
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
    fn text(&mut self, typed: &Typed) -> Text {
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
    fn any(&mut self, typed: &Typed) -> Any {
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
