//! What types have to do with each other.

use crate::rules::schema::Type;
use crate::rules::syntax::Operator;

/// Is it a comparison?
pub(super) fn comparison(operator: Operator) -> bool {
    use Operator::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
    matches!(operator, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual)
}

/// Can values of these types be equal?
pub(super) fn comparable(left: &Type, right: &Type) -> bool {
    match (left, right) {
        (Type::Dyn, _) | (_, Type::Dyn) => true,
        (Type::List(left), Type::List(right)) => comparable(left, right),
        _ => left == right || (left.is_number() && right.is_number()),
    }
}

/// Is there an order among values of this type?
pub(super) fn ordered(ty: &Type) -> bool {
    !matches!(ty, Type::List(_))
}

/// The type of arithmetic over these types; of a dynamic operand the other decides.
pub(super) fn arithmetic(operator: Operator, left: &Type, right: &Type) -> Option<Type> {
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
pub(super) fn united(left: &Type, right: &Type) -> Option<Type> {
    match (left, right) {
        _ if left == right => Some(left.clone()),
        (Type::Dyn, _) | (_, Type::Dyn) => Some(Type::Dyn),
        (Type::List(left), Type::List(right)) => {
            united(left, right).map(|element| Type::List(Box::new(element)))
        }
        _ => None,
    }
}

pub(super) fn plural(ty: &Type) -> &'static str {
    match ty {
        Type::Int => "integers",
        Type::Double => "doubles",
        Type::Bool => "bools",
        Type::Text => "texts",
        Type::Dyn => "values",
        Type::List(_) => "lists",
    }
}
