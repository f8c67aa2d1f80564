//! What strangers chose to call themselves cannot do anything to a page or a terminal.

use holdfast::incident::{html, text};
use serde_json::json;

use super::{story, story_of};
use crate::support::run::{authorization, event, settings};

const RULES: &str = r#"
[[counter]]
name = "n"
key = ["card_id"]
count = true
window = "1h"
[[rule]]
id = "<b>second</b>"
when = "n >= 2"
action = "hold"
target = "card"
reach = ["n"]
reason = "More than \u001b[31mone\u001b[0m & <i>"
"#;

const NASTY: [&str; 9] = [
    "שלום",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'&amp;</style></td>",
    "\u{202e}gnp.exe\u{2066}",
    "\u{1b}]0;title\u{7}\u{1b}[2J",
    "\r\n\tx\u{0}\u{9b}31m\u{7f}",
    "zero\u{200b}width\u{feff}\u{e0041}",
    "4111111111111111",
];

/// A story in which everything that can be text is nasty.
fn nasty() -> Vec<String> {
    let mut lines = Vec::new();
    for (n, bad) in NASTY.into_iter().enumerate() {
        let at = 1_767_571_200_000 + n as i64 * 1000;
        let fields = json!({
            "card_id": format!("card {bad}"), "merchant_id": bad, "order_id": bad, "device_id": bad,
            "ip": bad, "delivery": bad, "response": bad, "network": bad,
            "attributes": {bad: bad, "number": 4111111111111111_i64},
        });
        lines.push(authorization(&format!("1 {bad}"), at, fields.clone()));
        lines.push(authorization(&format!("2 {bad}"), at, fields));
        let fields = json!({"verdict": "fraud", "source": "customer", "note": bad,
            "card_id": format!("card {bad}"), "except_event_ids": [bad]});
        lines.push(event("feedback", &format!("3 {bad}"), at, fields));
        lines.push(event(
            "reversal",
            &format!("4 {bad}"),
            at,
            json!({"ref_event_id": format!("1 {bad}")}),
        ));
        lines.push(event(
            "login",
            &format!("5 {bad}"),
            at,
            json!({"device_id": bad, "channel": bad}),
        ));
        lines.push(authorization(&format!("6 {bad}"), at, json!({"tender": bad})));
        lines.push(event(bad, &format!("7 {bad}"), at, json!({})));
    }
    lines
}

/// Every tag that is opened is closed, in order; nothing else begins with `<`.
fn assert_well_formed(page: &str) {
    const VOID: [&str; 4] = ["!DOCTYPE", "meta", "br", "input"];
    let mut open: Vec<&str> = Vec::new();
    for part in page.split('<').skip(1) {
        let (tag, rest) = part.split_once('>').expect("a tag ends");
        assert!(!rest.contains('>') || rest.contains("ol > li"), "a stray >: {part:?}");
        let name = tag.split([' ', '\n']).next().unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{part:?}"),
            None if VOID.contains(&name) => {}
            None => open.push(name),
        }
        let known = [
            "html", "head", "title", "style", "body", "header", "h1", "h2", "h3", "p", "bdi",
            "main", "section", "ul", "li", "div", "table", "thead", "tbody", "tr", "th", "td",
            "ol", "time", "span",
        ];
        let name = name.trim_start_matches('/');
        assert!(known.contains(&name) || VOID.contains(&name), "{name:?} is no tag of ours");
    }
    assert!(open.is_empty(), "{open:?} are not closed");
}

#[test]
fn a_page_escapes_whatever_it_shows() {
    let settings = settings(RULES);
    let page = html::render(&story(&settings, &nasty()));
    assert_well_formed(&page);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("&lt;b&gt;second&lt;/b&gt;"));
    for forbidden in ["<script", "<img", "onerror=\"", "src=", "href=", "url(", "@import", "http:"]
    {
        // As escaped text they may stand there.
        let told = page.replace("&gt;&lt;img src=x", "").replace("&quot;&gt;&lt;img src=x", "");
        assert!(!told.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn no_control_character_reaches_a_page_or_a_terminal() {
    let settings = settings(RULES);
    let story = story(&settings, &nasty());
    for shown in [text::render(&story), html::render(&story)] {
        let bad = shown.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(bad, None);
        let bad = ['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{e0041}'];
        assert!(!shown.contains(bad));
        assert!(shown.contains(r"\u{202e}gnp.exe"), "what is hidden is written out");
        assert!(shown.contains(r"\u{1b}"));
        // What is written from right to left must not take the amount beside it along.
        assert!(shown.contains("\u{2068}card שלום\u{2069}") && !shown.contains(" שלום:"));
    }
}

#[test]
fn no_form_shows_a_card_number() {
    let settings = settings(RULES);
    let story = story(&settings, &nasty());
    for shown in [text::render(&story), html::render(&story), story.to_json()] {
        assert!(!shown.contains("4111111111111111"));
        assert!(shown.contains("************1111"));
    }
    // Not even as the name of the account.
    let line = authorization("e", 1, json!({"account_id": "4111111111111111"}));
    let story = story_of(&settings, &[line], "4111111111111111");
    assert_eq!(story.payments.len(), 1);
    assert!(!(text::render(&story) + &story.to_json()).contains("4111111111111111"));
}

#[test]
fn an_account_is_found_however_its_name_is_written() {
    let settings = settings(RULES);
    for account in NASTY.into_iter().chain(["a/b", "ü", "日本"]).filter(|a| !a.contains('\u{0}'))
    {
        let plain = authorization("e", 1, json!({"account_id": account}));
        let written: String = account
            .chars()
            .map(|c| {
                let mut units = [0; 2];
                c.encode_utf16(&mut units)
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}"))
                    .collect::<String>()
            })
            .collect();
        let escaped = format!(
            "{{\"event_id\":\"f\",\"event_time\":2,\"account_id\":\"{written}\",\"amount_minor\":1,\
             \"currency\":\"JPY\"}}"
        );
        let envelope =
            crate::support::run::envelope(0, 0, None, &escaped.replace("\"f\"", "\"g\""));
        let slash = plain.replace('/', "\\/").replace("\"e\"", "\"h\"");
        let story = story_of(&settings, &[plain, escaped, envelope, slash], account);
        let ids: Vec<&str> = story.payments.iter().map(|payment| &*payment.event_id).collect();
        assert_eq!(ids, ["e", "f", "g", "h"], "{account:?}");
    }
}
