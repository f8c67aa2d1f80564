//! The first look at an expression's text: its tokens, its brackets, its limits.
//!
//! It is no parser. It makes the text safe to parse (nothing nested deeper than the parser's stack
//! can bear), names the mistakes of people who write another language's operators, and knows
//! where every token stands, which turns the parser's places into spans.

use std::collections::HashMap;
use std::ops::Range;

use super::error::{Issue, excerpt};

/// The longest expression, in bytes.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// The deepest nesting of brackets.
pub const BRACKETS_MAX: usize = 64;
/// The most signs (`!` or `-`) in front of one operand.
pub const SIGNS_MAX: usize = 64;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Name,
    Number,
    Text,
    Mark,
}

/// A token and where it stands, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) sort: Sort,
    pub(super) at: Range<usize>,
}

/// A scanned text.
#[derive(Debug)]
pub(super) struct Scan<'t> {
    pub(super) text: &'t str,
    /// The text to parse: of repeated signs (`!!x`, `- -x`) only the first is left, with blanks
    /// for the others, because the parser would drop pairs and with them the check of the operand.
    pub(super) plain: String,
    /// The tokens of the plain text.
    pub(super) tokens: Vec<Token>,
    /// For a bracket the token that closes or opens it.
    partners: HashMap<usize, usize>,
    /// By token: how many signs stand there, if more than one.
    repeated: HashMap<usize, usize>,
}

impl<'t> Scan<'t> {
    /// Scans a text; all mistakes of a kind are told at once.
    pub(super) fn of(text: &'t str) -> Result<Self, Vec<Issue>> {
        if text.len() > TEXT_BYTES_MAX {
            let message =
                format!("an expression of {} bytes is beyond {TEXT_BYTES_MAX}", text.len());
            return Err(vec![
                Issue::new(0..text.len(), message)
                    .hint("put values into a table or a list, or split the rule into several"),
            ]);
        }
        let mut lexer = Lexer { text, at: 0, issues: Vec::new() };
        let mut tokens = Vec::new();
        while let Some(token) = lexer.next() {
            tokens.push(token);
        }
        let mut issues = lexer.issues;
        if tokens.is_empty() && issues.is_empty() {
            issues.push(Issue::new(0..text.len(), "there is no expression here"));
        }
        if !issues.is_empty() {
            return Err(issues);
        }
        let mut scan = Scan {
            text,
            plain: text.to_owned(),
            tokens,
            partners: HashMap::new(),
            repeated: HashMap::new(),
        };
        scan.merge_signs(&mut issues);
        scan.pair_brackets(&mut issues);
        if issues.is_empty() { Ok(scan) } else { Err(issues) }
    }

    /// The text of a token; empty beyond the last.
    pub(super) fn token(&self, index: usize) -> &'t str {
        self.tokens.get(index).map_or("", |t| &self.text[t.at.clone()])
    }

    /// The token before, if it is this mark or name.
    pub(super) fn before(&self, index: usize, wanted: &str) -> Option<usize> {
        index.checked_sub(1).filter(|i| self.token(*i) == wanted)
    }

    /// The token that starts here, or else the last one before.
    pub(super) fn token_at(&self, byte: usize) -> usize {
        self.tokens.partition_point(|t| t.at.start <= byte).saturating_sub(1)
    }

    /// The bracket that belongs to this one.
    pub(super) fn partner(&self, index: usize) -> Option<usize> {
        self.partners.get(&index).copied()
    }

    /// How many signs stand at this token.
    pub(super) fn signs(&self, index: usize) -> usize {
        self.repeated.get(&index).copied().unwrap_or(1)
    }

    /// Could an operand end with this token?
    pub(super) fn ends_operand(&self, index: usize) -> bool {
        match self.tokens[index].sort {
            Sort::Name => self.token(index) != "in",
            Sort::Number | Sort::Text => true,
            Sort::Mark => matches!(self.token(index), ")" | "]" | "}"),
        }
    }

    /// Does the `(` here open the arguments of a call?
    pub(super) fn opens_call(&self, index: usize) -> bool {
        index > 0 && self.tokens[index - 1].sort == Sort::Name && self.ends_operand(index - 1)
    }

    fn merge_signs(&mut self, issues: &mut Vec<Issue>) {
        let mut merged: Vec<Token> = Vec::with_capacity(self.tokens.len());
        let mut plain = std::mem::take(&mut self.plain).into_bytes();
        let mut index = 0;
        while index < self.tokens.len() {
            let first = index;
            let sign = self.token(first);
            let prefix =
                sign == "!" || (sign == "-" && (first == 0 || !self.ends_operand(first - 1)));
            index += 1;
            if prefix {
                while index < self.tokens.len() && self.token(index) == sign {
                    plain[self.tokens[index].at.start] = b' ';
                    index += 1;
                }
            }
            let signs = index - first;
            if signs > SIGNS_MAX {
                let span = self.tokens[first].at.start..self.tokens[index - 1].at.end;
                issues.push(Issue::new(span, format!("{signs} signs `{sign}` before one operand")));
            }
            if signs > 1 {
                self.repeated.insert(merged.len(), signs);
            }
            merged.push(self.tokens[first].clone());
        }
        self.tokens = merged;
        // Only whole one-byte characters were replaced, so this is the text still.
        self.plain = String::from_utf8(plain).unwrap_or_else(|_| self.text.to_owned());
    }

    fn pair_brackets(&mut self, issues: &mut Vec<Issue>) {
        let mut open: Vec<usize> = Vec::new();
        for index in 0..self.tokens.len() {
            let (mark, at) = (self.token(index), self.tokens[index].at.clone());
            let opener = match mark {
                "(" | "[" | "{" => {
                    open.push(index);
                    if open.len() > BRACKETS_MAX {
                        let message = format!("brackets are nested deeper than {BRACKETS_MAX}");
                        issues.push(Issue::new(at, message));
                        return;
                    }
                    continue;
                }
                ")" => "(",
                "]" => "[",
                "}" => "{",
                _ => continue,
            };
            match open.pop() {
                Some(other) if self.token(other) == opener => {
                    self.partners.insert(index, other);
                    self.partners.insert(other, index);
                }
                _ => {
                    issues.push(Issue::new(at, format!("`{mark}` closes no `{opener}`")));
                    return;
                }
            }
        }
        if let Some(index) = open.pop() {
            let at = self.tokens[index].at.clone();
            let rest = excerpt(&self.text[at.start..]);
            let mark = self.token(index);
            issues.push(Issue::new(at, format!("`{mark}` is never closed: {rest}")));
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    issues: Vec<Issue>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip(&mut self, accepted: impl Fn(u8) -> bool) {
        let bytes = self.text.as_bytes();
        while self.at < bytes.len() && accepted(bytes[self.at]) {
            self.at += 1;
        }
    }

    fn next(&mut self) -> Option<Token> {
        loop {
            self.skip(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'\x0c'));
            if self.rest().starts_with("//") {
                self.skip(|b| b != b'\n');
                continue;
            }
            let start = self.at;
            let bytes = self.rest().as_bytes();
            let sort = match *bytes.first()? {
                b'"' | b'\'' => self.text_literal(start, false),
                b'A'..=b'Z' | b'a'..=b'z' | b'_' => self.name(),
                b'0'..=b'9' => self.number(),
                b'.' if bytes.get(1).is_some_and(u8::is_ascii_digit) => self.number(),
                _ => match self.mark() {
                    Some(sort) => sort,
                    None => continue,
                },
            };
            return Some(Token { sort, at: start..self.at });
        }
    }

    fn name(&mut self) -> Sort {
        let start = self.at;
        self.skip(|b| b.is_ascii_alphanumeric() || b == b'_');
        let name = &self.text[start..self.at];
        let prefix = matches!(name, "r" | "R" | "b" | "B" | "br" | "bR" | "Br" | "BR");
        if prefix && self.rest().starts_with(['"', '\'']) {
            let raw = name.ends_with(['r', 'R']);
            return self.text_literal(start, raw);
        }
        Sort::Name
    }

    fn number(&mut self) -> Sort {
        if self.rest().starts_with("0x")
            && self.rest().as_bytes().get(2).is_some_and(u8::is_ascii_hexdigit)
        {
            self.at += 2;
            self.skip(|b| b.is_ascii_hexdigit());
        } else {
            self.skip(|b| b.is_ascii_digit());
            let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
            let bytes = self.text.as_bytes();
            if bytes.get(self.at) == Some(&b'.') && digit(bytes.get(self.at + 1)) {
                self.at += 1;
                self.skip(|b| b.is_ascii_digit());
            }
            if matches!(bytes.get(self.at), Some(b'e' | b'E')) {
                let signed = matches!(bytes.get(self.at + 1), Some(b'+' | b'-'));
                let first = self.at + 1 + usize::from(signed);
                if digit(bytes.get(first)) {
                    self.at = first;
                    self.skip(|b| b.is_ascii_digit());
                }
            }
        }
        if self.rest().starts_with(['u', 'U']) {
            self.at += 1;
        }
        Sort::Number
    }

    /// From the opening quote on; `start` is where its prefix stands.
    fn text_literal(&mut self, start: usize, raw: bool) -> Sort {
        let quote = self.text.as_bytes()[self.at];
        let bytes = self.text.as_bytes();
        let triple = bytes[self.at..].starts_with(&[quote; 3]);
        self.at += if triple { 3 } else { 1 };
        loop {
            match bytes.get(self.at) {
                Some(b) if *b == quote && !triple => {
                    self.at += 1;
                    return Sort::Text;
                }
                Some(_) if triple && bytes[self.at..].starts_with(&[quote; 3]) => {
                    self.at += 3;
                    return Sort::Text;
                }
                Some(b'\\') if !raw => self.escape(),
                None | Some(b'\n' | b'\r') if !triple || self.at >= bytes.len() => {
                    let literal = excerpt(&self.text[start..self.at]);
                    let message = format!("the text {literal} has no closing quote");
                    self.issues.push(Issue::new(start..self.at, message));
                    return Sort::Text;
                }
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let digits = |from: usize, count: usize, valid: fn(&u8) -> bool| {
            bytes.get(from..from + count).is_some_and(|d| d.iter().all(valid)).then_some(count)
        };
        let octal: fn(&u8) -> bool = |b| (b'0'..=b'7').contains(b);
        let length = match bytes.get(start + 1) {
            Some(b'a' | b'b' | b'f' | b'n' | b'r' | b't' | b'v') => Some(1),
            Some(b'\\' | b'"' | b'\'' | b'`' | b'?') => Some(1),
            Some(b'0'..=b'3') => digits(start + 2, 2, octal).map(|n| n + 1),
            Some(b'x' | b'X') => digits(start + 2, 2, u8::is_ascii_hexdigit).map(|n| n + 1),
            Some(b'u') => digits(start + 2, 4, u8::is_ascii_hexdigit).map(|n| n + 1),
            Some(b'U') => digits(start + 2, 8, u8::is_ascii_hexdigit).map(|n| n + 1),
            _ => None,
        };
        if let Some(length) = length {
            self.at += 1 + length;
            return;
        }
        let next = self.text[start + 1..].chars().next();
        self.at += 1 + next.filter(|c| !matches!(c, '\n' | '\r')).map_or(0, char::len_utf8);
        let escape = &self.text[start..self.at];
        self.issues.push(
            Issue::new(start..self.at, format!("`{escape}` is no escape that text can hold"))
                .hint(format!("write `\\{escape}`, or a raw text: r'…'")),
        );
    }

    /// A mark; `None` after what is none (the issue is noted).
    fn mark(&mut self) -> Option<Sort> {
        const WRONG: [(&str, &str); 8] = [
            ("!==", "write `!=`"),
            ("===", "write `==`"),
            ("=>", "write `>=`"),
            ("=<", "write `<=`"),
            ("<>", "write `!=`"),
            ("=", "write `==`"),
            ("&", "write `&&`"),
            ("|", "write `||`"),
        ];
        const LONG: [&str; 6] = ["==", "!=", "<=", ">=", "&&", "||"];
        let start = self.at;
        let rest = self.rest();
        let long = LONG.iter().any(|mark| rest.starts_with(mark));
        let wrong =
            WRONG.iter().find(|(mark, _)| rest.starts_with(mark) && (!long || mark.len() > 2));
        if let Some((mark, hint)) = wrong {
            self.at += mark.len();
            let issue = Issue::new(start..self.at, format!("`{mark}` is no operator here"));
            self.issues.push(issue.hint(*hint));
            return None;
        }
        if long {
            self.at += 2;
            return Some(Sort::Mark);
        }
        let next = rest.chars().next()?;
        self.at += next.len_utf8();
        if "()[]{}<>.,-!?:+*/%".contains(next) {
            return Some(Sort::Mark);
        }
        let shown = if next.is_control() || next.is_whitespace() {
            next.escape_default().to_string()
        } else {
            next.to_string()
        };
        let message = format!("the character `{shown}` has no meaning here");
        let issue = Issue::new(start..self.at, message);
        self.issues.push(match next {
            '`' | '‘' | '’' | '“' | '”' => issue.hint("text stands between ' or \""),
            _ => issue,
        });
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<&str> {
        let scan = Scan::of(text).unwrap();
        (0..scan.tokens.len()).map(|i| scan.token(i)).collect()
    }

    #[test]
    fn text_numbers_names_and_marks() {
        assert_eq!(
            tokens("a.b(1.5e-3, 0x1F)\t// tail ) '\n <= r'\\' || \"'\" in b''"),
            [
                "a", ".", "b", "(", "1.5e-3", ",", "0x1F", ")", "<=", "r'\\'", "||", "\"'\"", "in",
                "b''"
            ]
        );
        assert_eq!(tokens("1.size() .5 5.u"), ["1", ".", "size", "(", ")", ".5", "5", ".", "u"]);
        assert_eq!(tokens("'''a'\n''b'''"), ["'''a'\n''b'''"]);
        assert_eq!(tokens("'\\u65e5\\'日'"), ["'\\u65e5\\'日'"]);
    }

    #[test]
    fn repeated_signs_leave_one_and_a_count() {
        let scan = Scan::of("a - - - 5 + !! b - -c").unwrap();
        assert_eq!(scan.plain, "a - -   5 + !  b - -c");
        assert_eq!((scan.signs(1), scan.signs(2), scan.signs(5), scan.signs(8)), (1, 2, 2, 1));
    }

    #[test]
    fn limits_and_mistakes_have_a_sentence() {
        let wrong = |text: &str| Scan::of(text).unwrap_err().remove(0);
        assert!(wrong(&"(".repeat(5000)).message.contains("nested deeper"));
        assert!(wrong(&"!".repeat(5000)).message.contains("5000 signs"));
        assert!(wrong(&" ".repeat(TEXT_BYTES_MAX + 1)).message.contains("beyond"));
        assert!(wrong("").message.contains("no expression"));
        assert!(wrong("(a]").message.contains("`]` closes no `[`"));
        assert!(wrong("size(a").message.contains("never closed"));
        assert!(wrong("a == 'x").message.contains("no closing quote"));
        for (text, hint) in [
            ("a = 1", "=="),
            ("a === 1", "=="),
            ("a !== 1", "!="),
            ("a & b", "&&"),
            ("a | b", "||"),
            ("a <> b", "!="),
            ("a => b", ">="),
            ("'\\d'", "r'"),
            ("‘a’", "'"),
        ] {
            let issue = wrong(text);
            assert!(issue.hint.as_ref().is_some_and(|h| h.contains(hint)), "{text}: {issue:?}");
        }
    }
}
