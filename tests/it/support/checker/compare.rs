//! What was put out against what was due, for one partition of the input: pure functions over
//! lists of bytes, so that the checker itself is checked by breaking a correct output.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// One output as it was found, of one partition of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Put {
    /// The partition of the output that it stands in.
    pub(crate) partition: i32,
    /// The offset of the input record that made it, as its header says.
    pub(crate) origin: i64,
    pub(crate) payload: Vec<u8>,
}

/// What is wrong: the outputs concerned, of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Due, and not there.
    pub(crate) missing: Vec<String>,
    /// There more often than due.
    pub(crate) doubled: Vec<String>,
    /// There with other bytes than due, or not due at all.
    pub(crate) different: Vec<String>,
    /// Behind one that is due later, in the same partition of the output.
    pub(crate) out_of_order: Vec<String>,
    /// With a header or a key that cannot be right.
    pub(crate) misplaced: Vec<String>,
}

/// Compares the outputs that were found, in their order within each partition of the output, with
/// those that were due, in order.
pub(crate) fn compare(due: &[Vec<u8>], found: &[Put]) -> Findings {
    let mut findings = Findings::default();
    let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (at, payload) in due.iter().enumerate().rev() {
        places.entry(payload).or_default().push(at);
    }
    let (mut strangers, mut origins) = (Vec::new(), vec![None; due.len()]);
    let mut reached: HashMap<i32, usize> = HashMap::new();
    for put in found {
        match places.get_mut(&*put.payload).map(Vec::pop) {
            None => strangers.push(put),
            Some(None) => findings.doubled.push(shown(&put.payload)),
            Some(Some(at)) => {
                origins[at] = Some(put.origin);
                let reached = reached.entry(put.partition).or_default();
                if at < *reached {
                    findings.out_of_order.push(shown(&put.payload));
                }
                *reached = at.max(*reached);
            }
        }
    }
    findings.tell_apart(due, &strangers, &origins);
    findings.origins(due, &origins);
    findings
}

impl Findings {
    /// What is missing may be there with other bytes.
    fn tell_apart(&mut self, due: &[Vec<u8>], strangers: &[&Put], origins: &[Option<i64>]) {
        let known: HashSet<String> = strangers.iter().map(|put| identity(&put.payload)).collect();
        self.different.extend(strangers.iter().map(|put| shown(&put.payload)));
        let missing = due.iter().zip(origins).filter(|(_, origin)| origin.is_none());
        let missing = missing.filter(|(payload, _)| !known.contains(&identity(payload)));
        self.missing.extend(missing.map(|(payload, _)| shown(payload)));
    }

    /// What is due later was made by the same record or a later one.
    fn origins(&mut self, due: &[Vec<u8>], origins: &[Option<i64>]) {
        let mut last = i64::MIN;
        for (payload, origin) in due.iter().zip(origins) {
            let Some(origin) = *origin else { continue };
            if origin < last {
                self.misplaced.push(format!("made by {origin}, after {last}: {}", shown(payload)));
            }
            last = last.max(origin);
        }
    }

    /// The kinds, by name.
    fn kinds(&self) -> [(&'static str, &Vec<String>); 5] {
        [
            ("missing", &self.missing),
            ("doubled", &self.doubled),
            ("different", &self.different),
            ("out of order", &self.out_of_order),
            ("misplaced", &self.misplaced),
        ]
    }

    /// More of them.
    pub(crate) fn add(&mut self, more: Findings) {
        self.missing.extend(more.missing);
        self.doubled.extend(more.doubled);
        self.different.extend(more.different);
        self.out_of_order.extend(more.out_of_order);
        self.misplaced.extend(more.misplaced);
    }

    /// Is nothing wrong?
    pub(crate) fn are_none(&self) -> bool {
        self.kinds().iter().all(|(_, found)| found.is_empty())
    }
}

impl std::fmt::Display for Findings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, found) in self.kinds() {
            writeln!(f, "{name}: {}", found.len())?;
            found.iter().take(3).try_for_each(|one| writeln!(f, "    {one}"))?;
        }
        Ok(())
    }
}

/// What an output is about, whatever it says of it.
fn identity(payload: &[u8]) -> String {
    let Ok(Value::Object(output)) = serde_json::from_slice(payload) else {
        return String::from_utf8_lossy(payload).into_owned();
    };
    let part = |name: &str| output.get(name).map(Value::to_string).unwrap_or_default();
    ["schema", "account_id", "event_id", "case_id", "trigger", "partition", "offset"]
        .map(part)
        .join(" ")
}

fn shown(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    text.chars().take(400).collect()
}

// ---------------------------------------------------------- the checker is checked by breaking

fn correct() -> (Vec<Vec<u8>>, Vec<Put>) {
    let decision = |n: i64| {
        let (account, action) = (n % 5, if n % 3 == 0 { "hold" } else { "allow" });
        format!(
            "{{\"schema\":\"holdfast.decision/1\",\"decision_id\":\"{n:04x}\",\
             \"event_id\":\"e{n}\",\"account_id\":\"a{account}\",\"action\":\"{action}\"}}"
        )
    };
    let due: Vec<Vec<u8>> = (0..40).map(|n| decision(n).into_bytes()).collect();
    let put = |(n, payload): (usize, &Vec<u8>)| Put {
        partition: n as i32 % 5 % 2,
        origin: n as i64 * 2,
        payload: payload.clone(),
    };
    let found = due.iter().enumerate().map(put).collect();
    (due, found)
}

/// How many are missing, doubled, different, out of order, misplaced.
fn counted(due: &[Vec<u8>], found: &[Put]) -> [usize; 5] {
    compare(due, found).kinds().map(|(_, found)| found.len())
}

#[test]
fn a_correct_output_has_nothing_wrong_however_its_partitions_are_read() {
    let (due, mut found) = correct();
    assert!(compare(&due, &found).are_none());
    found.sort_by_key(|put| put.partition);
    assert_eq!(counted(&due, &found), [0; 5]);
    assert_eq!(counted(&[], &[]), [0; 5]);
}

#[test]
fn one_dropped_is_missing() {
    for at in 0..40 {
        let (due, mut found) = correct();
        found.remove(at);
        assert_eq!(counted(&due, &found), [1, 0, 0, 0, 0]);
        assert!(compare(&due, &found).missing[0].contains(&format!("\"e{at}\"")));
    }
}

#[test]
fn one_doubled_is_doubled_wherever_the_second_stands() {
    for at in 0..40 {
        for to in 0..=40 {
            let (due, mut found) = correct();
            let again = found[at].clone();
            found.insert(to, again);
            let [missing, doubled, different, _, _] = counted(&due, &found);
            assert_eq!([missing, doubled, different], [0, 1, 0], "{at} at {to}");
        }
        // Behind the first, which is where a repeat stands, nothing else is wrong.
        let (due, mut found) = correct();
        found.push(found[at].clone());
        assert_eq!(counted(&due, &found), [0, 1, 0, 0, 0]);
    }
}

#[test]
fn one_altered_in_any_byte_is_different() {
    let (due, found) = correct();
    for at in 0..found[7].payload.len() {
        let mut altered = found.clone();
        altered[7].payload[at] ^= 1;
        let [missing, doubled, different, out_of_order, misplaced] = counted(&due, &altered);
        assert_eq!((different, doubled, out_of_order, misplaced), (1, 0, 0, 0), "byte {at}");
        // What was altered in its name is another one, and the right one is missing.
        assert!(missing <= 1);
    }
    let mut altered = found;
    let text = String::from_utf8(altered[7].payload.clone()).unwrap();
    altered[7].payload = text.replace("allow", "decline").into_bytes();
    assert_eq!(counted(&due, &altered), [0, 0, 1, 0, 0]);
}

#[test]
fn one_that_nobody_asked_for_is_different() {
    let (due, mut found) = correct();
    found.push(Put { partition: 0, origin: 99, payload: b"{}".to_vec() });
    assert_eq!(counted(&due, &found), [0, 0, 1, 0, 0]);
}

#[test]
fn two_exchanged_in_one_partition_are_out_of_order() {
    let (due, mut found) = correct();
    found.swap(10, 12);
    assert_eq!(counted(&due, &found), [0, 0, 0, 1, 0]);
    // Of different partitions of the output, nobody can say which came first.
    let (due, mut found) = correct();
    found.swap(10, 11);
    assert_eq!(counted(&due, &found), [0; 5]);
}

#[test]
fn a_header_that_cannot_be_right_is_misplaced() {
    let (due, mut found) = correct();
    found[10].origin = 1000;
    assert_eq!(counted(&due, &found)[..4], [0; 4]);
    assert!(!compare(&due, &found).misplaced.is_empty());
}

#[test]
fn equal_bytes_that_are_due_twice_may_come_twice() {
    let (mut due, mut found) = correct();
    due.push(due[0].clone());
    found.push(Put { origin: 90, ..found[0].clone() });
    assert_eq!(counted(&due, &found), [0; 5]);
    found.push(Put { origin: 92, ..found[0].clone() });
    assert_eq!(counted(&due, &found), [0, 1, 0, 0, 0]);
    due.push(due[0].clone());
    found.pop();
    assert_eq!(counted(&due, &found), [1, 0, 0, 0, 0]);
}
