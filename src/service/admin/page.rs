//! The description of the admin port for people: one plain page, made from that for programs.

use axum::response::Html;
use maud::{DOCTYPE, Markup, html};
use serde_json::{Map, Value};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1b1b1f;background:#fff}code{font:0.9em ui-monospace,monospace;background:#f1f1f4;padding:.1em .3em}\
h2{margin-top:2.5rem;border-top:1px solid #d5d5dc;padding-top:1rem}table{border-collapse:collapse;width:100%}\
td,th{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #e5e5ea}\
@media(prefers-color-scheme:dark){body{color:#e6e6ea;background:#17171a}code{background:#2a2a30}\
h2,td,th{border-color:#3a3a42}}";

/// The page.
pub fn html(openapi: &str) -> Html<String> {
    let document: Value = serde_json::from_str(openapi).unwrap_or_default();
    let text =
        |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (text("/info/title")) }
                style { (STYLE) }
            }
            body {
                h1 { (text("/info/title")) }
                p { (text("/info/description")) }
                p { "For programs: " a href="/openapi.json" { "/openapi.json" } }
                @for (path, item) in members(&document["paths"]) {
                    @if let Some(get) = item.get("get") { (operation(path, get)) }
                }
                @for (name, schema) in members(&document["components"]["schemas"]) {
                    (described(name, schema))
                }
            }
        }
    };
    Html(page.into_string())
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn operation(path: &str, get: &Value) -> Markup {
    let parameters = get["parameters"].as_array();
    html! {
        h2 { code { "GET " (path) } }
        p { (text(get, "description")) }
        @if let Some(parameters) = parameters {
            table {
                @for parameter in parameters {
                    tr {
                        td { code { (text(parameter, "name")) } }
                        td { (text(parameter, "in")) }
                        td { (text(parameter, "description")) }
                    }
                }
            }
        }
        @for (status, response) in members(&get["responses"]) {
            p { code { (status) } " " (text(response, "description")) }
        }
    }
}

fn described(name: &str, schema: &Value) -> Markup {
    html! {
        h2 { (name) }
        p { (text(schema, "description")) }
        table {
            @for (member, of) in members(&schema["properties"]) {
                tr {
                    td { code { (member) } }
                    td { (text(of, "description")) }
                }
            }
        }
    }
}
