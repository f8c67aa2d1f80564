//! The JSON schema of the configuration, so that editors complete and check it: made from the same
//! description that checks a file.

use serde_json::{Map, Value, json};

use super::{
    keys,
    shape::{Key, Section, Shape},
};

/// JSON Schema, draft 2020-12.
pub fn schema() -> Value {
    let mut root = section(&keys::ROOT);
    if let Value::Object(root) = &mut root {
        root.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".into(), json!("Holdfast configuration"));
    }
    root
}

fn section(section: &Section) -> Value {
    let properties: Map<String, Value> =
        section.keys.iter().map(|k| (k.name.to_owned(), key(k))).collect();
    let required: Vec<&str> = section.keys.iter().filter(|k| k.required).map(|k| k.name).collect();
    json!({
        "type": "object",
        "description": section.about,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn key(key: &Key) -> Value {
    let mut value = shape(&key.shape);
    if let Value::Object(value) = &mut value {
        value.insert("description".into(), json!(key.about));
        let default = format!("v = {}", key.default);
        if let Some(default) = toml::from_str::<Map<String, Value>>(&default)
            .ok()
            .and_then(|mut table| table.remove("v"))
        {
            value.insert("default".into(), default);
        }
    }
    value
}

fn shape(of: &Shape) -> Value {
    let duration = "^[0-9]+(ms|s|m|h|d)$";
    let constants = json!({ "type": ["string", "number", "boolean"] });
    match of {
        Shape::Text | Shape::Expression => json!({ "type": "string", "minLength": 1 }),
        Shape::Name => json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" }),
        Shape::Integer(low, high) => {
            json!({ "type": "integer", "minimum": low, "maximum": high })
        }
        Shape::True => json!({ "const": true }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Either(words, other) => json!({ "anyOf": [{ "enum": words }, shape(other)] }),
        Shape::Duration => json!({ "type": "string", "pattern": duration }),
        Shape::Window => {
            json!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d)|day|month)$" })
        }
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::List(one, may_be_empty) => {
            json!({ "type": "array", "items": shape(one), "minItems": u8::from(!may_be_empty) })
        }
        Shape::Section(inner) => section(inner),
        Shape::Sections(inner) => json!({ "type": "array", "items": section(inner) }),
        Shape::Tables => json!({
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["default"],
                "additionalProperties": constants,
            },
        }),
        Shape::Lists => json!({
            "type": "object",
            "additionalProperties": {
                "type": "array",
                "items": { "type": ["string", "integer"] },
            },
        }),
        Shape::Properties => json!({
            "type": "object",
            "additionalProperties": { "type": ["string", "number", "boolean", "object"] },
        }),
    }
}
