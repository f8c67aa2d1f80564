//! What of a configuration nobody may see: which properties are secrets, and texts in which they are
//! blanked, so that a message can show where something is wrong.
//!
//! A text that is not even TOML may hold a password, so this goes by lines, and rather blanks too
//! much.

use super::document::ENVIRONMENT_PREFIX;

/// What names of properties contain whose values are never printed.
const SECRETS: [&str; 6] = ["password", "secret", "token", "key", "jaas", "credential"];
/// Of which these only say where one is, or how it is made.
const NO_SECRETS: [&str; 3] = [".location", ".endpoint.url", ".mechanism"];
/// What stands in place of each byte.
const BLANK: u8 = b'*';

/// Is the value of a property of this name a secret?
pub fn is_secret(property: &str) -> bool {
    let lower = property.to_lowercase();
    SECRETS.iter().any(|secret| lower.contains(secret))
        && !NO_SECRETS.iter().any(|end| lower.ends_with(end))
}

/// A text as it may be shown: of the same length, each byte where it was. `name` is that of the file,
/// or of the variable of the environment.
pub fn blanked(name: &str, text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let variable = name.strip_prefix(ENVIRONMENT_PREFIX).map(str::to_ascii_lowercase);
    match variable.as_deref() {
        Some("kafka") => blank(&mut bytes),
        Some(path) if path.starts_with("kafka__properties") => blank(&mut bytes),
        Some(_) => {}
        None => blank_values(text, &mut bytes),
    }
    blank_users(&mut bytes);
    // What was blanked was whole characters.
    String::from_utf8_lossy(&bytes).into_owned()
}

fn blank(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| !byte.is_ascii_whitespace()).for_each(|byte| *byte = BLANK);
}

/// Blanks what stands behind names of secrets.
fn blank_values(text: &str, bytes: &mut [u8]) {
    let (mut at, mut of_kafka, mut open) = (0, false, None);
    for line in text.split_inclusive('\n') {
        let here = &mut bytes[at..at + line.len()];
        at += line.len();
        // A string over several lines goes on up to the quotes that it began with.
        if let Some(quotes) = open {
            blank(here);
            open = open.filter(|_| !line.contains(quotes));
            continue;
        }
        let begin = line.trim_start();
        if begin.starts_with('[') {
            of_kafka = begin.trim_start_matches(['[', ' ', '\t']).starts_with("kafka");
        }
        if begin.starts_with('#') {
            continue;
        }
        let of_kafka = of_kafka || begin.starts_with("kafka");
        if let Some(value) = secret_from(line, of_kafka) {
            blank(&mut here[value..]);
            let value = line[value..].trim_start();
            open = ["\"\"\"", "'''"].into_iter().find(|quotes| {
                value.strip_prefix(quotes).is_some_and(|rest| !rest.contains(quotes))
            });
        }
    }
}

/// Where in a line something secret begins.
fn secret_from(line: &str, of_kafka: bool) -> Option<usize> {
    // Elsewhere a key is what a counter goes by.
    let secret = |name: &str| {
        let name = name.trim().trim_matches(['"', '\'']);
        is_secret(name) && (of_kafka || !is_secret_by_key_alone(name))
    };
    let mut from = 0;
    for (at, _) in line.match_indices('=') {
        let name = line[from..at].trim_end();
        let begin = name.rfind([',', '{']).map_or(0, |before| before + 1);
        if secret(&name[begin..]) {
            return Some(at + 1);
        }
        if !of_kafka {
            return None;
        }
        from = at + 1;
    }
    // Something between a name and its value is missing.
    let named = from == 0 && of_kafka && secret(line) && !line.trim_start().starts_with('[');
    named.then(|| {
        let begin = line.len() - line.trim_start().len();
        line[begin..].find(char::is_whitespace).map_or(begin, |length| begin + length)
    })
}

fn is_secret_by_key_alone(name: &str) -> bool {
    !is_secret(&name.to_lowercase().replace("key", ""))
}

/// Blanks who is named in a URL, with the password: all between `://` and the last `@`.
fn blank_users(bytes: &mut [u8]) {
    let mut from = 0;
    while let Some(at) = bytes[from..].windows(3).position(|part| part == b"://") {
        let begin = from + at + 3;
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'');
        let end = bytes[begin..].iter().position(ends).map_or(bytes.len(), |length| begin + length);
        if let Some(length) = bytes[begin..end].iter().rposition(|byte| *byte == b'@') {
            blank(&mut bytes[begin..begin + length]);
        }
        from = end;
    }
}

#[cfg(test)]
mod tests {
    use super::blanked;

    #[track_caller]
    fn check(name: &str, text: &str, secret: &str) {
        let shown = blanked(name, text);
        assert_eq!(shown.len(), text.len());
        assert!(!shown.contains(secret), "{shown}");
        assert_eq!(shown.lines().count(), text.lines().count());
    }

    #[test]
    fn secrets_are_blanked_wherever_they_stand_in_a_file() {
        for text in [
            "[kafka.properties]\n\"sasl.password\" = \"hunter2\"\n",
            "[kafka.properties]\nsasl.password = hunter2\"\n",
            "[kafka.properties]\n\"sasl.password\" \"hunter2\"\n",
            "[kafka.properties]\n\"ssl.key.pem\" = '''\nhunter2\nhunter2'''\n",
            "[kafka]\nproperties = { \"a\" = 1, \"sasl.password\" = \"hunter2\" }\n",
            "kafka.properties.sasl.password = \"hunter2\"\n",
            "kafka = { properties = { sasl = { password = \"hunter2\" } } }",
            "[ kafka . properties . sasl ]\n  password=\"hunter2 \u{e9}hunter2\"",
            "[state]\nurl = \"s3://me:hunter2@a/b\"",
            "[state]\nurl = \"s3://me:hun/t@er/hunter2@a/b\"",
            "password = \"hunter2\"",
        ] {
            check("holdfast.toml", text, "hunter2");
        }
    }

    #[test]
    fn secrets_are_blanked_in_the_environment() {
        check("HOLDFAST__KAFKA__PROPERTIES__SASL__PASSWORD", "hunter2", "hunter2");
        check("HOLDFAST__KAFKA__PROPERTIES", "{ \"sasl.password\" = \"hunter2\" }", "hunter2");
        check("HOLDFAST__KAFKA", "{ properties = { x = \"hunter2\" } }", "hunter2");
        check("HOLDFAST__STATE__URL", "s3://me:hunter2@a", "hunter2");
    }

    #[test]
    fn everything_else_is_shown() {
        for text in [
            "[[counter]]\nname = \"n\"\nkey = [\"card_id\"]\n[limits]\nevents_per_key = 5\n",
            "[[rule]]\nwhen = \"token_count == 3\"\n[state]\nurl = \"s3://a/b\"\n",
            "[kafka]\nbrokers = \"a:9092\"\n# the password = what it is\n",
            "[kafka.properties]\n\"ssl.key.location\" = \"/run/secrets/key.pem\"\n",
        ] {
            assert_eq!(blanked("holdfast.toml", text), text);
        }
        assert_eq!(blanked("HOLDFAST__LIMITS__EVENTS_PER_KEY", "many"), "many");
    }
}
