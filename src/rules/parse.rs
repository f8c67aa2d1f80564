//! From text to [`Syntax`]: the CEL parser, and its complaints in words for people.
//!
//! The only file that knows the parser. It looks no name up and checks no type.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};
use cel::parser::{ParseError, Parser};

use super::error::{Issue, excerpt};
use super::scan::{Scan, Sort};
use super::schema::Constant;
use super::syntax::{Kind, Operator, Syntax};

/// The deepest tree: no operand stands under more operators than this.
pub const DEPTH_MAX: usize = 250;
/// The stack on which an expression is parsed. The parser calls itself for every operator of a
/// chain; the longest text needs a small part of this, and pages that are not used cost nothing.
const STACK_BYTES: usize = 256 << 20;

/// Parses an expression.
pub(super) fn parse(text: &str) -> Result<Syntax, Vec<Issue>> {
    let scan = Scan::of(text)?;
    let whole = || Issue::new(0..text.len(), format!("{} cannot be parsed", excerpt(text)));
    std::thread::scope(|scope| {
        let parsing = std::thread::Builder::new()
            .name("cel".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || parse_here(&scan));
        match parsing.map(|thread| thread.join()) {
            Ok(Ok(parsed)) => parsed,
            Ok(Err(_)) => Err(vec![whole()]),
            Err(error) => Err(vec![whole().hint(format!("no thread to parse it on: {error}"))]),
        }
    })
}

fn parse_here(scan: &Scan<'_>) -> Result<Syntax, Vec<Issue>> {
    let parsed =
        Parser::new().max_recursion_depth(u16::MAX - 1).parse_with_source_info(&scan.plain);
    let (tree, places) = parsed.map_err(|errors| complaints(scan, &errors.errors))?;
    let mut lowering = Lowering::new(scan, &places);
    let lowered = lowering.lower(&tree, 0);
    if let Some(issue) = lowering.issue {
        return Err(vec![issue]);
    }
    Ok(lowered.syntax)
}

/// The parser's errors for people. After an error of syntax the others are its echo.
fn complaints(scan: &Scan<'_>, errors: &[ParseError]) -> Vec<Issue> {
    if let Some(error) = errors.iter().find(|e| e.msg.starts_with("Syntax error")) {
        return vec![syntax_complaint(scan, byte_of(scan.text, error.pos))];
    }
    let mut issues: Vec<Issue> = Vec::new();
    for error in errors {
        let issue = match byte_of(scan.text, error.pos) {
            Some(byte) => complaint(scan, scan.token_at(byte), &error.msg),
            None => Issue::new(0..scan.text.len(), "this cannot be parsed"),
        };
        if !issues.iter().any(|known| known.span == issue.span) {
            issues.push(issue);
        }
    }
    issues
}

/// The byte of a line and a column, both from 1, in characters; `None` at the end of the text.
fn byte_of(text: &str, (line, column): (isize, isize)) -> Option<usize> {
    let (line, column) = (usize::try_from(line).ok()?, usize::try_from(column).ok()?);
    let start = match line.checked_sub(2) {
        Some(ends) => text.match_indices('\n').nth(ends)?.0 + 1,
        None => 0,
    };
    text[start..].char_indices().nth(column.checked_sub(1)?).map(|(byte, _)| start + byte)
}

fn syntax_complaint(scan: &Scan<'_>, byte: Option<usize>) -> Issue {
    let index = match byte {
        Some(byte) => scan.tokens.partition_point(|t| t.at.end <= byte),
        None => scan.tokens.len(),
    };
    // Words of other languages are names to the parser, which stumbles over them or after them.
    for at in [Some(index), index.checked_sub(1)].into_iter().flatten() {
        if let Some(issue) = foreign_word(scan, at) {
            return issue;
        }
    }
    let Some(token) = scan.tokens.get(index) else {
        let last = scan.tokens.len().saturating_sub(1);
        let span = scan.tokens.get(last).map_or(0..scan.text.len(), |t| t.at.clone());
        let message = format!("the expression ends early: {}", tail(scan.text, span.end));
        return Issue::new(span, message)
            .hint(format!("after `{}` something must follow", scan.token(last)));
    };
    let shown = excerpt(&scan.text[token.at.clone()]);
    let Some(before) = index.checked_sub(1) else {
        return Issue::new(token.at.clone(), format!("an expression cannot begin with {shown}"));
    };
    let message = format!("{shown} cannot follow {}", tail(scan.text, scan.tokens[before].at.end));
    let issue = Issue::new(token.at.clone(), message);
    let operand = |i: usize| scan.tokens[i].sort != Sort::Mark;
    if operand(before) && operand(index) && scan.token(before) != "in" && scan.token(index) != "in"
    {
        return issue.hint("an operator is missing between them");
    }
    issue
}

/// The end of the text up to here, as a message shows it.
fn tail(text: &str, end: usize) -> String {
    const CHARS_MAX: usize = 60;
    let text = text[..end].trim_start();
    match text.char_indices().rev().nth(CHARS_MAX) {
        Some((start, _)) => format!("`…{}`", &text[start..]),
        None => format!("`{text}`"),
    }
}

fn foreign_word(scan: &Scan<'_>, index: usize) -> Option<Issue> {
    const WORDS: [(&str, &str); 9] = [
        ("and", "write `&&`"),
        ("or", "write `||`"),
        ("not", "write `!`: `!(…)`, `!(x in list.L)`"),
        ("is", "write `==`, or has(event.FIELD) for what may be absent"),
        ("then", "write `condition ? value : other value`"),
        ("else", "write `condition ? value : other value`"),
        ("if", "write `condition ? value : other value`"),
        ("like", "write x.matches('…'), x.startsWith('…') or x.contains('…')"),
        ("between", "write `x >= low && x <= high`"),
    ];
    let word = scan.token(index);
    let known = WORDS.iter().find(|(w, _)| word.eq_ignore_ascii_case(w))?;
    let span = scan.tokens[index].at.clone();
    Some(Issue::new(span, format!("`{word}` is no operator here")).hint(known.1))
}

fn complaint(scan: &Scan<'_>, index: usize, message: &str) -> Issue {
    let span = scan.tokens[index].at.clone();
    let token = scan.token(index);
    let shown = excerpt(token);
    if message.starts_with("invalid int") {
        return Issue::new(span, format!("{shown} is no signed 64-bit integer"));
    }
    if message.starts_with("invalid double") {
        return Issue::new(span, format!("{shown} is no finite double"));
    }
    if message.starts_with("invalid string") {
        return Issue::new(span, format!("{shown} holds a character that does not exist"));
    }
    if message.starts_with("reserved identifier") {
        return foreign_word(scan, index).unwrap_or_else(|| {
            Issue::new(span, format!("{shown} is a word that CEL reserves"))
                .hint(format!("a counter of this name is `counter.{token}`"))
        });
    }
    if message.contains("has() macro") {
        return has_complaint(scan, index);
    }
    if message.contains("unsupported syntax") {
        return Issue::new(span, format!("{shown} for optional values is no part of a rule"))
            .hint("ask with has(event.FIELD)");
    }
    Issue::new(span, format!("{shown} cannot be used like this in a rule"))
}

fn has_complaint(scan: &Scan<'_>, index: usize) -> Issue {
    let open = (0..=index).rev().find(|i| scan.token(*i) == "has").map_or(index, |has| has + 1);
    let end = scan.partner(open).unwrap_or(index);
    let span = scan.tokens[open.saturating_sub(1)].at.start..scan.tokens[end].at.end;
    let argument = if open + 2 == end { scan.token(open + 1) } else { "FIELD" };
    let message =
        format!("{} asks for no field, counter or attribute", excerpt(&scan.text[span.clone()]));
    Issue::new(span, message).hint(format!(
        "write has(event.{argument}), has(counter.{argument}) or has(attributes.{argument})"
    ))
}

/// From the parser's tree to ours.
struct Lowering<'s> {
    scan: &'s Scan<'s>,
    places: &'s SourceInfo,
    /// The sign of the operand that comes next, if it has made a node of its own.
    used_sign: Option<usize>,
    issue: Option<Issue>,
}

/// A part with its first and last token, parentheses included.
struct Lowered {
    syntax: Syntax,
    first: usize,
    last: usize,
}

impl<'s> Lowering<'s> {
    fn new(scan: &'s Scan<'s>, places: &'s SourceInfo) -> Self {
        Lowering { scan, places, used_sign: None, issue: None }
    }

    /// The token that a node of the parser's tree points to.
    fn token(&self, node: &IdedExpr) -> usize {
        let byte = self.places.offset_for(node.id).map_or(0, |(start, _)| start as usize);
        self.scan.token_at(byte)
    }

    fn lower(&mut self, node: &IdedExpr, depth: usize) -> Lowered {
        let at = self.token(node);
        if depth > DEPTH_MAX {
            let span = self.scan.tokens[at].at.clone();
            let message = format!("operators are nested deeper than {DEPTH_MAX}");
            self.issue.get_or_insert(Issue::new(span, message));
            let foreign = Kind::Foreign { what: "", hint: "" };
            return self.made(foreign, at, at);
        }
        match &node.expr {
            Expr::Literal(literal) => self.literal(literal, at),
            Expr::Ident(name) => {
                let first = if name.starts_with('.') { at.saturating_sub(1) } else { at };
                self.made(Kind::Name(name.clone()), first, at)
            }
            Expr::Select(select) => {
                let of = self.lower(&select.operand, depth + 1);
                let (first, name) = (of.first, select.field.clone());
                let of = Box::new(of.syntax);
                if select.test {
                    let close = self.close(at);
                    self.made(Kind::Has { of, name }, at.saturating_sub(1), close)
                } else {
                    self.made(Kind::Select { of, name }, first, at + 1)
                }
            }
            Expr::List(list) => {
                let items = list.elements.iter().map(|e| self.lower(e, depth + 1).syntax).collect();
                let close = self.close(at);
                self.made(Kind::List(items), at, close)
            }
            Expr::Call(call) => self.call(call, at, depth),
            Expr::Map(_) => self.foreign(at, "a map", "put the values into a table: table.T[key]"),
            Expr::Struct(_) => self.foreign(at, "a message", "rules know no messages"),
            Expr::Comprehension(_) => self.foreign(
                at,
                "a macro over a list",
                "of macros only has() is part of a rule; ask `x in [..]` or write the terms out",
            ),
            Expr::Unspecified => self.foreign(at, "this", "it is no part of a rule"),
        }
    }

    /// The bracket that closes the one here, or here if it is none.
    fn close(&self, open: usize) -> usize {
        self.scan.partner(open).unwrap_or(open)
    }

    fn foreign(&self, at: usize, what: &'static str, hint: &'static str) -> Lowered {
        let close = self.close(at);
        let named = self.scan.token(at) == "(" && self.scan.opens_call(at);
        self.made(Kind::Foreign { what, hint }, at - usize::from(named), close)
    }

    /// A part between these tokens, widened by the parentheses around it.
    fn made(&self, kind: Kind, first: usize, last: usize) -> Lowered {
        let last = last.min(self.scan.tokens.len() - 1).max(first);
        let span = |first: usize, last: usize| {
            self.scan.tokens[first].at.start..self.scan.tokens[last].at.end
        };
        let (mut outer_first, mut outer_last) = (first, last);
        while let Some(open) = self.scan.before(outer_first, "(") {
            if self.scan.partner(open) != Some(outer_last + 1) || self.scan.opens_call(open) {
                break;
            }
            (outer_first, outer_last) = (open, outer_last + 1);
        }
        let syntax =
            Syntax { span: span(first, last), grouped: span(outer_first, outer_last), kind };
        Lowered { syntax, first: outer_first, last: outer_last }
    }

    fn literal(&mut self, literal: &LiteralValue, at: usize) -> Lowered {
        let constant = match literal {
            LiteralValue::Boolean(bool) => Constant::Bool(*bool.inner()),
            LiteralValue::Double(double) => Constant::Double(*double.inner()),
            LiteralValue::Int(int) => Constant::Int(*int.inner()),
            LiteralValue::String(text) => Constant::Text(text.inner().to_owned()),
            LiteralValue::Bytes(_) => {
                return self.foreign(at, "a literal of bytes", "write text: '…'");
            }
            LiteralValue::UInt(_) => {
                return self.foreign(at, "an unsigned integer", "write it without the `u`");
            }
            LiteralValue::Null => {
                return self.foreign(
                    at,
                    "null",
                    "what may be absent is asked with has(event.FIELD)",
                );
            }
        };
        let number = matches!(constant, Constant::Int(_) | Constant::Double(_));
        let literal = Kind::Literal(constant);
        let sign = self.scan.before(at, "-").filter(|sign| self.is_prefix(*sign));
        match sign {
            Some(sign) if number && self.used_sign != Some(sign) => {
                // The parser has taken one sign into the literal; the others are operators.
                let made = self.made(literal, sign, at);
                self.signed(made, Kind::Negate, sign, self.scan.signs(sign) - 1)
            }
            _ => self.made(literal, at, at),
        }
    }

    fn is_prefix(&self, sign: usize) -> bool {
        sign == 0 || !self.scan.ends_operand(sign - 1)
    }

    /// An operand under as many signs.
    fn signed(
        &self,
        operand: Lowered,
        kind: fn(Box<Syntax>) -> Kind,
        sign: usize,
        count: usize,
    ) -> Lowered {
        (0..count).fold(operand, |operand, _| {
            self.made(kind(Box::new(operand.syntax)), sign.min(operand.first), operand.last)
        })
    }

    fn call(&mut self, call: &CallExpr, at: usize, depth: usize) -> Lowered {
        let depth = depth + 1;
        match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
            (operators::NEGATE, None, [operand]) => {
                self.used_sign = Some(at);
                let signs = self.scan.signs(at);
                let operand = self.lower(operand, depth + signs);
                self.signed(operand, Kind::Negate, at, signs)
            }
            (operators::LOGICAL_NOT, None, [operand]) => {
                let signs = self.scan.signs(at);
                let operand = self.lower(operand, depth + signs);
                self.signed(operand, Kind::Not, at, signs)
            }
            (operators::CONDITIONAL, None, [condition, yes, no]) => {
                let condition = self.lower(condition, depth);
                let (yes, no) = (self.lower(yes, depth), self.lower(no, depth));
                let (first, last) = (condition.first, no.last);
                let kind = Kind::If(Box::new([condition.syntax, yes.syntax, no.syntax]));
                self.made(kind, first, last)
            }
            (operators::INDEX, None, [of, key]) => {
                let of = self.lower(of, depth);
                let key = Box::new(self.lower(key, depth).syntax);
                let (first, close) = (of.first, self.close(at));
                self.made(Kind::Index { of: Box::new(of.syntax), key }, first, close)
            }
            (name, None, [left, right]) if operator(name).is_some() => {
                let (left, right) = (self.lower(left, depth), self.lower(right, depth));
                let (first, last) = (left.first, right.last);
                let operator = operator(name).unwrap_or(Operator::Equal);
                let kind = Kind::Binary(operator, Box::new(left.syntax), Box::new(right.syntax));
                self.made(kind, first, last)
            }
            (name, target, arguments) => {
                let on = target.map(|target| self.lower(target, depth));
                let first = on.as_ref().map_or(at.saturating_sub(1), |on| on.first);
                let arguments = arguments.iter().map(|a| self.lower(a, depth).syntax).collect();
                let on = on.map(|on| Box::new(on.syntax));
                let close = self.close(at);
                self.made(Kind::Call { name: name.to_owned(), on, arguments }, first, close)
            }
        }
    }
}

/// The operator that the parser calls `_+_`, `@in`.
fn operator(name: &str) -> Option<Operator> {
    match name {
        operators::IN => Some(Operator::In),
        _ => Operator::of_sign(name.strip_prefix('_')?.strip_suffix('_')?),
    }
}
