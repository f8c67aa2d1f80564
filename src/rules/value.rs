//! Values while an expression is evaluated, and what can be done with them when their types are
//! known for an event only.
//!
//! Where the checker knows the types, the compiled closures use the plain functions below and
//! never make a [`Value`].

use std::borrow::Cow;
use std::cmp::Ordering;

use super::schema::Constant;
use super::syntax::Operator;
use crate::event::Scalar;

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Miss {
    /// Something absent was read.
    Absent,
    /// Anything else: an overflow, a division by zero, no such operation.
    Failed,
}

/// A value of any type.
#[derive(Debug, Clone)]
pub(super) enum Value<'x> {
    Text(Cow<'x, str>),
    Int(i64),
    Double(f64),
    Bool(bool),
    List(Vec<Value<'x>>),
}

impl<'x> From<Scalar<'x>> for Value<'x> {
    fn from(scalar: Scalar<'x>) -> Self {
        match scalar {
            Scalar::Text(text) => Value::Text(Cow::Borrowed(text)),
            Scalar::Int(int) => Value::Int(int),
            Scalar::Double(double) => Value::Double(double),
            Scalar::Bool(bool) => Value::Bool(bool),
        }
    }
}

impl<'x> From<&'x Constant> for Value<'x> {
    fn from(constant: &'x Constant) -> Self {
        match constant {
            Constant::Text(text) => Value::Text(Cow::Borrowed(text)),
            Constant::Int(int) => Value::Int(*int),
            Constant::Double(double) => Value::Double(*double),
            Constant::Bool(bool) => Value::Bool(*bool),
        }
    }
}

/// Both values of a strict operator. A failure of either side wins over an absence of the other.
#[inline]
pub(super) fn both<A, B>(left: Result<A, Miss>, right: Result<B, Miss>) -> Result<(A, B), Miss> {
    match (left, right) {
        (Ok(left), Ok(right)) => Ok((left, right)),
        (Err(Miss::Failed), _) | (_, Err(Miss::Failed)) => Err(Miss::Failed),
        _ => Err(Miss::Absent),
    }
}

/// Two to the power of 63, the first double beyond 64-bit integers.
const TWO_63: f64 = 9_223_372_036_854_775_808.0;

/// An integer compared with a double, exactly: neither is rounded. `None` for a NaN.
pub(super) fn compare_int_double(int: i64, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    if double >= TWO_63 {
        return Some(Ordering::Less);
    }
    if double < -TWO_63 {
        return Some(Ordering::Greater);
    }
    // In this range the whole part is an integer, exactly.
    let whole = double.trunc();
    Some(int.cmp(&(whole as i64)).then(whole.partial_cmp(&double)?))
}

/// The integer that a double is, if it is one.
pub(super) fn exact_int(double: f64) -> Option<i64> {
    let whole = (-TWO_63..TWO_63).contains(&double) && double.trunc() == double;
    whole.then_some(double as i64)
}

/// `==`: between unlike types false, between numbers by their value.
pub(super) fn equal(left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| equal(l, r))
        }
        _ => matches!(compare(left, right), Some(Some(Ordering::Equal))),
    }
}

/// How two values compare: `None` if they cannot be compared, `Some(None)` if one is a NaN.
fn compare(left: &Value<'_>, right: &Value<'_>) -> Option<Option<Ordering>> {
    Some(match (left, right) {
        (Value::Int(l), Value::Int(r)) => Some(l.cmp(r)),
        (Value::Double(l), Value::Double(r)) => l.partial_cmp(r),
        (Value::Int(l), Value::Double(r)) => compare_int_double(*l, *r),
        (Value::Double(l), Value::Int(r)) => compare_int_double(*r, *l).map(Ordering::reverse),
        (Value::Text(l), Value::Text(r)) => Some(l.cmp(r)),
        (Value::Bool(l), Value::Bool(r)) => Some(l.cmp(r)),
        _ => return None,
    })
}

/// A comparison of two values.
pub(super) fn test(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> Result<bool, Miss> {
    match operator {
        Operator::Equal => Ok(equal(left, right)),
        Operator::NotEqual => Ok(!equal(left, right)),
        _ => compare(left, right).map(|o| operator.accepts(o)).ok_or(Miss::Failed),
    }
}

/// Arithmetic of two values.
pub(super) fn arithmetic<'x>(
    operator: Operator,
    left: Value<'x>,
    right: Value<'x>,
) -> Result<Value<'x>, Miss> {
    match (left, right) {
        (Value::Int(l), Value::Int(r)) => int_arithmetic(operator, l, r).map(Value::Int),
        (Value::Double(l), Value::Double(r)) => {
            double_arithmetic(operator, l, r).map(Value::Double)
        }
        (Value::Text(l), Value::Text(r)) if operator == Operator::Add => {
            Ok(Value::Text(Cow::Owned(joined(&l, &r))))
        }
        (Value::List(mut l), Value::List(r)) if operator == Operator::Add => {
            l.extend(r);
            Ok(Value::List(l))
        }
        _ => Err(Miss::Failed),
    }
}

/// Two texts, one after the other.
pub(super) fn joined(left: &str, right: &str) -> String {
    let mut text = String::with_capacity(left.len() + right.len());
    text.push_str(left);
    text.push_str(right);
    text
}

/// Integer arithmetic: checked, division truncates towards zero.
#[inline]
pub(super) fn int_arithmetic(operator: Operator, left: i64, right: i64) -> Result<i64, Miss> {
    match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Divide => left.checked_div(right),
        // i64::MIN % -1 is 0, which checked_rem takes for an overflow.
        Operator::Remainder if right == -1 => Some(0),
        Operator::Remainder => left.checked_rem(right),
        _ => None,
    }
    .ok_or(Miss::Failed)
}

/// Arithmetic of doubles by IEEE 754; a remainder they do not have.
#[inline]
pub(super) fn double_arithmetic(operator: Operator, left: f64, right: f64) -> Result<f64, Miss> {
    match operator {
        Operator::Add => Ok(left + right),
        Operator::Subtract => Ok(left - right),
        Operator::Multiply => Ok(left * right),
        Operator::Divide => Ok(left / right),
        _ => Err(Miss::Failed),
    }
}

/// `-x`.
pub(super) fn negated<'x>(value: Value<'x>) -> Result<Value<'x>, Miss> {
    match value {
        Value::Int(int) => int.checked_neg().map(Value::Int).ok_or(Miss::Failed),
        Value::Double(double) => Ok(Value::Double(-double)),
        _ => Err(Miss::Failed),
    }
}

/// `size(x)`: code points of text, elements of a list.
pub(super) fn size(value: &Value<'_>) -> Result<i64, Miss> {
    match value {
        Value::Text(text) => Ok(text_size(text)),
        Value::List(items) => Ok(items.len() as i64),
        _ => Err(Miss::Failed),
    }
}

/// The number of code points.
pub(super) fn text_size(text: &str) -> i64 {
    text.chars().count() as i64
}

/// `int(x)`.
pub(super) fn to_int(value: &Value<'_>) -> Result<i64, Miss> {
    match value {
        Value::Int(int) => Ok(*int),
        Value::Double(double) => double_to_int(*double),
        Value::Text(text) => text_to_int(text),
        _ => Err(Miss::Failed),
    }
}

/// `int(double)`: truncated; outside the open interval (-2^63, 2^63) a failure.
pub(super) fn double_to_int(double: f64) -> Result<i64, Miss> {
    if -TWO_63 < double && double < TWO_63 { Ok(double as i64) } else { Err(Miss::Failed) }
}

/// `int(text)`: an optional sign and decimal digits.
pub(super) fn text_to_int(text: &str) -> Result<i64, Miss> {
    text.parse().map_err(|_| Miss::Failed)
}

/// `double(x)`.
pub(super) fn to_double(value: &Value<'_>) -> Result<f64, Miss> {
    match value {
        Value::Int(int) => Ok(*int as f64),
        Value::Double(double) => Ok(*double),
        Value::Text(text) => text_to_double(text),
        _ => Err(Miss::Failed),
    }
}

/// `double(text)`: decimal or scientific, `inf`, `nan`; blanks around it and single underscores
/// between digits do not count.
pub(super) fn text_to_double(text: &str) -> Result<f64, Miss> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c));
    if !text.contains('_') {
        return text.parse().map_err(|_| Miss::Failed);
    }
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let between = |at: usize| digit(at.checked_sub(1)) && digit(Some(at + 1));
    if !bytes.iter().enumerate().all(|(at, b)| *b != b'_' || between(at)) {
        return Err(Miss::Failed);
    }
    text.replace('_', "").parse().map_err(|_| Miss::Failed)
}

/// `string(x)`.
pub(super) fn to_text(value: Value<'_>) -> Result<Cow<'_, str>, Miss> {
    match value {
        Value::Text(text) => Ok(text),
        Value::Int(int) => Ok(Cow::Owned(int.to_string())),
        Value::Double(double) => Ok(Cow::Owned(double_text(double))),
        Value::Bool(bool) => Ok(Cow::Borrowed(bool_text(bool))),
        Value::List(_) => Err(Miss::Failed),
    }
}

/// `true` or `false`.
pub(super) fn bool_text(bool: bool) -> &'static str {
    if bool { "true" } else { "false" }
}

/// A double as the shortest text that reads back as it: `3.0`, `0.1`, `1e+16`, `1e-05`, `inf`.
/// Plain from 0.0001 up to 10^16, beyond that with an exponent of a sign and two digits.
pub(super) fn double_text(double: f64) -> String {
    if double.is_nan() {
        return "nan".to_owned();
    }
    if double.is_infinite() {
        return if double > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{double:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{double}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}
