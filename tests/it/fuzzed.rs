//! The bodies of the fuzz targets, on seeded mutations of their seeds: what `cargo fuzz` looks for
//! without end, looked for briefly (see `tests/fuzz/README.md`).

use crate::support::{
    binary::repository,
    dice::{Dice, for_seeds},
};

#[path = "../fuzz/bodies/configuration.rs"]
mod configuration;
#[path = "../fuzz/bodies/decode.rs"]
mod decode;

/// What mutations put in.
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ",",
    ":",
    "\n",
    "null",
    "true",
    "-0",
    "1e309",
    "0.1",
    "\\u0000",
    "\\ud800",
    "9223372036854775808",
    "é",
    "\u{feff}",
    "event_id",
    "card_id",
    "attributes",
    "tick",
    "(",
    ")",
    "!",
    "&&",
    "||",
    "? 1 : 2",
    "==",
    "in",
    "has(",
    "event.",
    "counter.",
    "table.t[",
    "list.l",
    "size(",
    ".matches('",
    "int(",
    "'",
    "\"\"\"",
    "=",
    "[[rule]]",
    "[table.t]",
    "window",
    "\"day\"",
    "where",
    "when",
    "0x7f",
    "1_000",
    "#",
    "//",
    "-9223372036854775808",
    "amount_minor",
];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = repository("tests/fuzz/corpus").join(target);
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn mutated(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.pick(seeds);
    for _ in 0..1 + dice.below(6) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + dice.below(12)).min(bytes.len());
        match dice.below(6) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..at, dice.pick(WORDS).bytes())),
            2 => drop(bytes.splice(at..end, dice.pick(WORDS).bytes())),
            3 => {
                let part = bytes[at..end].repeat(1 + dice.below(40));
                drop(bytes.splice(at..at, part));
            }
            4 => {
                let other = dice.pick(seeds);
                let from = dice.below(other.len() + 1);
                let to = (from + dice.below(80)).min(other.len());
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = dice.bits() as u8;
                }
            }
        }
    }
    bytes
}

/// Runs a body on its seeds, then on mutations of them.
fn search(name: &str, target: &str, cases: u64, body: fn(&[u8])) {
    let seeds = seeds(target);
    seeds.iter().for_each(|seed| body(seed));
    for_seeds(name, cases, |seed| body(&mutated(&seeds, &mut Dice::new(seed))));
}

#[test]
fn lines_of_any_kind_are_decoded_or_refused() {
    search("lines_of_any_kind_are_decoded_or_refused", "decode", 6000, decode::holds);
}

#[test]
fn configurations_of_any_kind_are_read_or_refused() {
    let name = "configurations_of_any_kind_are_read_or_refused";
    search(name, "configuration", 3000, configuration::holds);
}
