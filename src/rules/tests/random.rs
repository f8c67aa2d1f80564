//! Compiled programs against the walk, over expressions and facts at random; and texts made of
//! tokens at random, which may be wrong but never harmful.

use proptest::prelude::*;

use super::super::parse::parse;
use super::walk::Walk;
use super::*;

/// Choices, taken one by one: when none are left, always the first (which shrinks well).
struct Choices<'a>(std::slice::Iter<'a, u32>);

impl Choices<'_> {
    fn below(&mut self, count: usize) -> usize {
        self.0.next().map_or(0, |choice| *choice as usize % count)
    }

    fn of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn one(&mut self, of: &[&str]) -> String {
        self.of(of).to_owned()
    }

    /// A well-typed expression: most of the choices are leaves when there is no depth left.
    fn bool(&mut self, depth: usize) -> String {
        let leaf = depth == 0;
        let d = depth.saturating_sub(1);
        match self.below(if leaf { 8 } else { 26 }) {
            0 => self.one(&["true", "false", "late", "!late"]),
            1 => self.one(&["has(event.country)", "has(event.item_seq)", "has(attributes.a)"]),
            2 => self.one(&["has(counter.counter_n)", "has(counter.mean_amount)"]),
            3 => format!("{} {} {}", self.counter(), self.order(), self.one(&["0", "1", "5"])),
            4 => format!("{} == {}", self.text_field(), self.text_literal()),
            5 => self.one(&["attributes.a", "attributes.b", "table.vip[card_tier]"]),
            6 => format!("{} != {}", self.text_field(), self.text_literal()),
            7 => {
                format!("{} in list.{}", self.text_field(), self.one(&["watched", "mixed", "none"]))
            }
            8..=11 => format!("({} && {})", self.bool(d), self.bool(d)),
            12..=15 => format!("({} || {})", self.bool(d), self.bool(d)),
            16 => format!("{} && {} && {}", self.bool(0), self.bool(0), self.bool(0)),
            17 => format!("!({})", self.bool(d)),
            18 => format!("({} ? {} : {})", self.bool(d), self.bool(d), self.bool(d)),
            19 => {
                let numbers = [self.int(d), self.double(d), self.dynamic(d)];
                format!("({} {} {})", self.of(&numbers), self.order(), self.of(&numbers))
            }
            20 => format!("({} {} {})", self.int(d), self.order(), self.int(d)),
            21 => format!("({} {} {})", self.text(d), self.order(), self.text(d)),
            22 => {
                let test = self.one(&["startsWith", "endsWith", "contains"]);
                format!("{}.{test}({})", self.text(d), self.text(d))
            }
            23 => {
                let item = [self.int(d), self.double(d), self.text(d), self.dynamic(d)];
                let item = self.of(&item);
                format!("({item} in [{}, {}] + [attributes.a])", self.dynamic(d), self.dynamic(d))
            }
            24 => {
                let list = self.one(&["[1, 5, 1000]", "list.numbers", "[5.0, 2.5]"]);
                format!("({} in {list})", self.int(d))
            }
            _ => match self.below(4) {
                0 => format!("{}.matches('^[a-z]+1?$')", self.text(d)),
                1 => format!("({} == {})", self.bool(d), self.bool(d)),
                2 => format!("([{}] == [{}])", self.int(d), self.double(d)),
                _ => format!("({} in [{}])", self.text(d), self.text(d)),
            },
        }
    }

    fn order(&mut self) -> String {
        self.one(&["==", "!=", "<", "<=", ">", ">="])
    }

    fn counter(&mut self) -> String {
        self.one(&["card_orders_1h", "spent_1d", "counter.counter_n"])
    }

    fn text_field(&mut self) -> String {
        self.one(&["country", "card_tier", "merchant_id", "event.note"])
    }

    fn text_literal(&mut self) -> String {
        self.one(&["'JP'", "'gold'", "''", "'日本'", "'1'", "'2.5'", "'M-1'", "'default'"])
    }

    fn int(&mut self, depth: usize) -> String {
        let d = depth.saturating_sub(1);
        match self.below(if depth == 0 { 3 } else { 12 }) {
            0 => self.one(&[
                "0",
                "1",
                "-1",
                "2",
                "5",
                "1000",
                "9223372036854775807",
                "-9223372036854775808",
            ]),
            1 => self.one(&["amount_minor", "item_seq", "from", "event.to"]),
            2 => self.counter(),
            3..=6 => {
                let operator = self.one(&["+", "-", "*", "/", "%"]);
                format!("({} {operator} {})", self.int(d), self.int(d))
            }
            7 => format!("-{}{}", self.one(&["", "-", " - "]), self.int(d)),
            8 => format!("size({})", self.text(d)),
            9 => {
                let of = [self.int(d), self.double(d), self.text(d), self.dynamic(d)];
                format!("int({})", self.of(&of))
            }
            10 => format!("({} ? {} : {})", self.bool(d), self.int(d), self.int(d)),
            _ => {
                let key = [self.text_field(), self.text(d), self.dynamic(d)];
                format!("table.limit[{}]", self.of(&key))
            }
        }
    }

    fn double(&mut self, depth: usize) -> String {
        let d = depth.saturating_sub(1);
        match self.below(if depth == 0 { 2 } else { 7 }) {
            0 => self.one(&["0.0", "1.0", "-2.5", "1e300", "9223372036854775808.0", "0.1"]),
            1 => "mean_amount".to_owned(),
            2 | 3 => {
                let operator = self.one(&["+", "-", "*", "/"]);
                format!("({} {operator} {})", self.double(d), self.double(d))
            }
            4 => format!("table.rate[{}]", self.text(d)),
            5 => {
                let of = [self.int(d), self.double(d), self.text(d), self.dynamic(d)];
                format!("double({})", self.of(&of))
            }
            _ => format!("-({} ? {} : {})", self.bool(d), self.double(d), self.double(d)),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        let d = depth.saturating_sub(1);
        match self.below(if depth == 0 { 2 } else { 6 }) {
            0 => self.text_literal(),
            1 => self.text_field(),
            2 => format!("({} + {})", self.text(d), self.text(d)),
            3 => format!("table.home[{}]", self.text(d)),
            4 => {
                let of = [self.int(d), self.double(d), self.text(d), self.dynamic(d), self.bool(d)];
                format!("string({})", self.of(&of))
            }
            _ => format!("({} ? {} : {})", self.bool(d), self.text(d), self.text(d)),
        }
    }

    fn dynamic(&mut self, depth: usize) -> String {
        let d = depth.saturating_sub(1);
        match self.below(if depth == 0 { 2 } else { 5 }) {
            0 | 1 => self.one(&["attributes.a", "attributes.b", "attributes.c"]),
            2 => format!("({} ? {} : {})", self.bool(d), self.dynamic(d), self.text(d)),
            3 => {
                let operator = self.one(&["+", "-", "*", "/", "%"]);
                format!("({} {operator} {})", self.dynamic(d), self.dynamic(d))
            }
            _ => format!("-{}", self.dynamic(d)),
        }
    }

    fn scalar(&mut self) -> Scalar<'static> {
        match self.below(4) {
            0 => Scalar::Bool(self.of(&[true, false])),
            1 => Scalar::Int(self.of(&[0, 1, 5, -7, i64::MAX, i64::MIN])),
            2 => Scalar::Double(self.of(&[0.0, 1.0, 2.5, -1e300, 5.0])),
            _ => Scalar::Text(self.of(&["gold", "", "7", "日本", "default"])),
        }
    }

    fn facts(&mut self) -> Random {
        let mut event = Event::new(EventType::Authorization, 1);
        for field in [Field::Country, Field::CardTier, Field::MerchantId, Field::Note] {
            match self.of(&[Some("JP"), None, Some("gold"), Some("日本"), Some(""), Some("M-1")])
            {
                Some(text) => event.set_text(field, text),
                None => event.clear_text(field),
            }
        }
        for field in [Field::AmountMinor, Field::ItemSeq, Field::From, Field::To] {
            if let Some(int) = self.of(&[Some(1000), None, Some(0), Some(i64::MIN), Some(i64::MAX)])
            {
                event.set_int(field, int);
            }
        }
        let ints = [Some(5), None, Some(0), Some(1), Some(i64::MAX)];
        let mut counters = [(); 4].map(|()| self.of(&ints).map(Reading::Int));
        counters[2] = self.of(&[Some(2.5), None, Some(0.0), Some(1e18)]).map(Reading::Double);
        let mut attributes = Vec::new();
        for name in ["a", "b", "c"] {
            if self.below(4) > 0 {
                attributes.push((name, self.scalar()));
            }
        }
        Random { event, counters, attributes, late: self.below(2) == 1 }
    }
}

struct Random {
    event: Event<'static>,
    counters: [Option<Reading>; 4],
    attributes: Vec<(&'static str, Scalar<'static>)>,
    late: bool,
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn a_program_means_what_its_tree_means(
        shape in proptest::collection::vec(any::<u32>(), 1..120),
        values in proptest::collection::vec(any::<u32>(), 4 * 30),
    ) {
        let text = Choices(shape.iter()).bool(4);
        let schema = schema();
        let Ok(program) = compile(&text, &schema, Place::Rule) else {
            // What the static types refuse has no meaning to compare.
            let issues = issues(&text, Place::Rule);
            prop_assert!(issues.iter().all(|i| text.get(i.span.clone()).is_some()));
            return Ok(());
        };
        let syntax = parse(&text).unwrap();
        let again = compile(program.canonical(), &schema, Place::Rule).unwrap();
        prop_assert_eq!(again.canonical(), program.canonical());
        let mut values = Choices(values.iter());
        for _ in 0..4 {
            let random = values.facts();
            let mut event = random.event;
            event.attributes = &random.attributes;
            let facts = Facts { event: &event, counters: &random.counters, late: random.late };
            let expected = Walk { schema: &schema, facts }.truth(&syntax);
            prop_assert_eq!(program.holds(&facts), expected, "{} of {:?}", text, facts);
            prop_assert_eq!(again.holds(&facts), expected, "{}", program.canonical());
        }
    }

    #[test]
    fn no_text_does_harm(tokens in proptest::collection::vec(0..TOKENS.len(), 0..24), glue in 0..3u8) {
        let glue = ["", " ", "\n"][usize::from(glue)];
        let text = tokens.iter().map(|t| TOKENS[*t]).collect::<Vec<_>>().join(glue);
        match compile(&text, &schema(), Place::Rule) {
            Ok(program) => {
                program.holds(&Facts { event: &event(), counters: &READINGS, late: true });
            }
            Err(issues) => {
                prop_assert!(!issues.is_empty());
                for issue in issues {
                    prop_assert!(text.get(issue.span.clone()).is_some(), "{:?}", issue);
                    prop_assert!(!issue.message.is_empty() && !issue.message.contains("expecting"));
                    prop_assert!(!issue.message.contains("cannot be parsed"), "{:?} {:?}", text, issue);
                }
            }
        }
    }

    #[test]
    fn no_characters_do_harm(text in "\\PC{0,40}") {
        let _ = compile(&text, &schema(), Place::Filter);
    }
}

const TOKENS: &[&str] = &[
    "country",
    "amount_minor",
    "late",
    "spent_1d",
    "mean_amount",
    "event",
    "counter",
    "attributes",
    "table",
    "list",
    ".",
    ".n",
    ".limit",
    ".watched",
    "has",
    "size",
    "int",
    "matches",
    "exists",
    "in",
    "and",
    "true",
    "null",
    "1",
    "2.5",
    "5u",
    "0x",
    "'a'",
    "\"日\"",
    "r'\\'",
    "b'x'",
    "'''",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    ",",
    "?",
    ":",
    "+",
    "-",
    "*",
    "/",
    "%",
    "!",
    "<",
    "==",
    ">=",
    "&&",
    "||",
    "=",
    "`x`",
    "日",
    "//",
    "\\",
    "_",
    "e5",
    "9223372036854775808",
    "1e999",
    "country == 'JP'",
    "&& late",
    "|| (",
    "table.limit[",
    "has(event.",
    ".size()",
    ".?",
    "[?",
];
