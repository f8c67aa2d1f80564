//! What is kept of an event that was refused: why, where it stood, and its own text.
//!
//! A dead letter never holds a card number in digits, whatever it was refused for. It is no copy to
//! be fed in again as it stands: what was masked or cut off is gone.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bumpalo::Bump;
use serde::Serialize;

use super::decode::PAYLOAD_BYTES_MAX;
use super::detail::masked;
use super::{pan, strict};
use crate::decision::{Reason, Rejection};
use crate::event::Field;

/// More digits than a card number has: masking must see that a run goes on past the cut.
const LOOK_AHEAD: usize = 20;

/// A refusal and where the refused event stood.
#[derive(Debug, Clone, Copy)]
pub struct DeadLetter<'a> {
    /// Why it was refused.
    pub rejection: &'a Rejection,
    /// The partition of its record.
    pub partition: i32,
    /// The offset of its record, or the number of its line.
    pub offset: i64,
    /// Its own text, whatever it is.
    pub payload: &'a [u8],
}

#[derive(Serialize)]
struct Letter<'a> {
    schema: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    detail: Cow<'a, str>,
    partition: i32,
    offset: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// Appends a dead letter as one JSON object, without a line end.
pub fn encode(letter: &DeadLetter<'_>, out: &mut Vec<u8>) {
    let payload = match letter.rejection.reason {
        Reason::PanLike => mask_escaped(letter.payload),
        _ => Cow::Borrowed(letter.payload),
    };
    let masked_beginning = pan::mask(&payload[..payload.len().min(PAYLOAD_BYTES_MAX + LOOK_AHEAD)]);
    let shown = &masked_beginning[..payload.len().min(PAYLOAD_BYTES_MAX)];
    let text = match std::str::from_utf8(shown) {
        Ok(text) => Some(text),
        // Cut within a character of what is text as a whole.
        Err(error) if std::str::from_utf8(&payload).is_ok() => {
            shown.get(..error.valid_up_to()).and_then(|text| std::str::from_utf8(text).ok())
        }
        Err(_) => None,
    };
    let letter = Letter {
        schema: "holdfast.dead_letter/1",
        reason: letter.rejection.reason.name(),
        field: letter.rejection.field,
        detail: masked(&letter.rejection.detail),
        partition: letter.partition,
        offset: letter.offset,
        payload: text,
        payload_base64: text.is_none().then(|| BASE64.encode(shown)),
        truncated: payload.len() > PAYLOAD_BYTES_MAX,
    };
    serde_json::to_writer(out, &letter).expect("a vector takes every byte");
}

/// Masks text fields that say a card number in escapes, such as `\u0034111...`. Those without
/// escapes are masked with all other runs of digits.
fn mask_escaped(payload: &[u8]) -> Cow<'_, [u8]> {
    let arena = Bump::new();
    let escaped = std::str::from_utf8(payload).ok().filter(|text| text.contains('\\'));
    let members = escaped.and_then(|text| strict::members(text, &arena).ok());
    let mut out = Vec::new();
    let mut copied = 0;
    for (name, written) in members.iter().flatten() {
        let is_text = Field::named(name.as_bytes()).is_some_and(Field::is_text);
        match strict::text(written, &arena) {
            Some(text) if is_text && written.contains('\\') && pan::pan_like(text) => {
                let start = written.as_ptr().addr() - payload.as_ptr().addr();
                out.extend_from_slice(&payload[copied..start]);
                out.push(b'"');
                out.extend_from_slice(&pan::mask(text.as_bytes()));
                out.push(b'"');
                copied = start + written.len();
            }
            _ => {}
        }
    }
    if copied == 0 {
        return Cow::Borrowed(payload);
    }
    out.extend_from_slice(&payload[copied..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn letter(reason: Reason, detail: &str, payload: &[u8]) -> Value {
        let rejection = Rejection { reason, field: None, detail: detail.to_owned() };
        let mut out = Vec::new();
        encode(&DeadLetter { rejection: &rejection, partition: 3, offset: 7, payload }, &mut out);
        assert!(!out.contains(&b'\n'));
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_letter_says_why_and_where() {
        let rejection = pan::rejection(Field::CardId);
        let payload = br#"{"card_id":"4111111111111111"}"#;
        let mut out = Vec::new();
        encode(&DeadLetter { rejection: &rejection, partition: 0, offset: 9, payload }, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"schema":"holdfast.dead_letter/1","reason":"pan_like","field":"card_id","#,
                r#""detail":"card_id looks like a card number; a token is due, never the number","#,
                r#""partition":0,"offset":9,"payload":"{\"card_id\":\"************1111\"}"}"#
            )
        );
    }

    #[test]
    fn without_a_field_it_has_none() {
        let letter = letter(Reason::InvalidJson, "4111111111111111", b"x\n\x00");
        assert_eq!(
            letter,
            json!({"schema": "holdfast.dead_letter/1", "reason": "invalid_json",
                "detail": "************1111", "partition": 3, "offset": 7, "payload": "x\n\u{0}"})
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_masked_before_base64() {
        let letter = letter(Reason::InvalidJson, "", b"\xff 4111111111111111");
        let bytes = BASE64.decode(letter["payload_base64"].as_str().unwrap()).unwrap();
        assert_eq!(bytes, b"\xff ************1111");
        assert!(letter.get("payload").is_none());
    }

    #[test]
    fn text_is_cut_at_a_character_and_bytes_anywhere() {
        let exact = "x".repeat(PAYLOAD_BYTES_MAX);
        let whole = letter(Reason::Internal, "", exact.as_bytes());
        assert_eq!(whole["payload"], exact);
        assert!(whole.get("truncated").is_none());

        let text = format!("x{}", "é".repeat(PAYLOAD_BYTES_MAX));
        let cut = letter(Reason::TooLarge, "", text.as_bytes());
        assert_eq!(cut["payload"].as_str().unwrap().len(), PAYLOAD_BYTES_MAX - 1);
        assert_eq!(cut["truncated"], true);

        let mut bytes = text.clone().into_bytes();
        bytes.push(0xff);
        let cut = letter(Reason::TooLarge, "", &bytes);
        let kept = BASE64.decode(cut["payload_base64"].as_str().unwrap()).unwrap();
        assert_eq!(kept, bytes[..PAYLOAD_BYTES_MAX]);

        let mut bytes = vec![b'x'; PAYLOAD_BYTES_MAX];
        bytes.extend_from_slice(b"\xff");
        assert_eq!(letter(Reason::TooLarge, "", &bytes)["payload"], exact);
    }

    #[test]
    fn masking_comes_before_the_cut() {
        let run = "4111111111111111";
        for past in 1..run.len() {
            let mut text = "x".repeat(PAYLOAD_BYTES_MAX - run.len() + past);
            text.push_str(run);
            let cut = letter(Reason::TooLarge, "", text.as_bytes());
            let payload = cut["payload"].as_str().unwrap();
            let shown = &"************1111"[..run.len() - past];
            assert!(payload.ends_with(&format!("x{shown}")), "{past}");
            // One digit more makes it another number, also beyond the cut.
            let longer = letter(Reason::TooLarge, "", format!("{text}{run}").as_bytes());
            assert!(longer["payload"].as_str().unwrap().ends_with(&run[..run.len() - past]));
        }
    }

    #[test]
    fn a_card_number_in_escapes_is_masked_too() {
        let payload = br#" {"card\u005fid" : "\u0034111111111111111","note":"\n","bin":"4111111111111111","x":"\u0034"} "#;
        assert_eq!(
            letter(Reason::PanLike, "", payload)["payload"],
            r#" {"card\u005fid" : "************1111","note":"\n","bin":"************1111","x":"\u0034"} "#
        );
    }
}
