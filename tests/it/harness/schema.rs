//! Whether a value is as a JSON Schema says: as much of draft 2020-12 as the summary's schema uses.

use serde_json::Value;

/// What is wrong with `value`, each with its path. Names that the schema does not know are wrong too: readers pass
/// over them, but whoever adds one must say so in the schema.
pub fn mistakes(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, schema, value, "", &mut found);
    found
}

fn check(root: &Value, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("no {reference}"));
        return check(root, target, value, path, found);
    }
    for (word, least) in [("anyOf", 1), ("oneOf", 1)] {
        if let Some(choices) = schema[word].as_array() {
            let fits = choices.iter().filter(|choice| {
                let mut wrong = Vec::new();
                check(root, choice, value, path, &mut wrong);
                wrong.is_empty()
            });
            let count = fits.count();
            if count < least || (word == "oneOf" && count > 1) {
                // What is wrong with the nearest choice says more than that none fits.
                let all = choices.iter().map(|choice| {
                    let mut wrong = Vec::new();
                    check(root, choice, value, path, &mut wrong);
                    wrong
                });
                found.extend(all.min_by_key(Vec::len).unwrap_or_default());
            }
        }
    }
    if let Some(wanted) = schema.get("const")
        && wanted != value
    {
        found.push(format!("{path}: {value} is not {wanted}"));
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        found.push(format!("{path}: {value} is none of {choices:?}"));
    }
    let is_a = |kind: &str| match kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type {other}"),
    };
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is_a(kind)) {
        found.push(format!("{path}: {value} is no {}", kinds.join(" or ")));
        return;
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
        && number < least
    {
        found.push(format!("{path}: {number} is less than {least}"));
    }
    if let Some(items) = value.as_array() {
        for (at, item) in items.iter().enumerate() {
            let of_item = schema["prefixItems"].get(at).unwrap_or(&schema["items"]);
            check(root, of_item, item, &format!("{path}/{at}"), found);
        }
    }
    if let (Some(fields), true) =
        (value.as_object(), schema["properties"].is_object() || schema["additionalProperties"].is_object())
    {
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        found.extend(required.filter(|name| !fields.contains_key(*name)).map(|name| format!("{path}: no {name}")));
        for (name, field) in fields {
            match schema["properties"].get(name).or_else(|| schema.get("additionalProperties")) {
                Some(of_field) => check(root, of_field, field, &format!("{path}/{name}"), found),
                None => found.push(format!("{path}/{name} is not in src/docs/summary.schema.json")),
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "a": { "type": ["integer", "null"], "minimum": 0 },
            "b": { "type": "array", "items": { "$ref": "#/$defs/word" } },
            "c": { "oneOf": [{ "type": "object", "properties": { "kind": { "const": "x" } }, "required": ["kind"] }, { "type": "null" }] },
        },
        "required": ["a"],
        "$defs": { "word": { "type": "string", "enum": ["yes", "no"] } },
    });
    let of = |value: Value| mistakes(&schema, &value);
    assert!(of(serde_json::json!({ "a": 1, "b": ["yes"], "c": { "kind": "x" } })).is_empty());
    assert!(of(serde_json::json!({ "a": null, "c": null })).is_empty());
    for (value, told) in [
        (serde_json::json!({}), ": no a"),
        (serde_json::json!({ "a": -1 }), "/a: -1 is less than 0"),
        (serde_json::json!({ "a": "x" }), "/a: \"x\" is no integer or null"),
        (serde_json::json!({ "a": 1, "b": ["yes", "perhaps"] }), "/b/1: \"perhaps\" is none of"),
        (serde_json::json!({ "a": 1, "c": { "kind": "y" } }), "/c/kind: \"y\" is not \"x\""),
        (serde_json::json!({ "a": 1, "d": 1 }), "/d is not in"),
    ] {
        let found = of(value);
        assert!(found.len() == 1 && found[0].starts_with(told), "{told}: {found:?}");
    }
}
