//! The JSON Schema.

use std::collections::BTreeSet;

use serde_json::Value;
use swarmlab::scenario::schema;

/// Calls `visit` with every schema in the schema.
fn visit(schema: &Value, path: &str, see: &mut impl FnMut(&serde_json::Map<String, Value>, &str)) {
    match schema {
        Value::Array(parts) => parts.iter().for_each(|part| visit(part, path, see)),
        Value::Object(object) => {
            see(object, path);
            for (key, value) in object {
                match key.as_str() {
                    "properties" | "$defs" => {
                        for (name, value) in value.as_object().into_iter().flatten() {
                            visit(value, &format!("{path}/{name}"), see);
                        }
                    }
                    "items" | "additionalProperties" | "anyOf" | "oneOf" => visit(value, path, see),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

#[test]
fn every_key_is_described() {
    visit(&schema(), "", &mut |object, path| {
        for (key, property) in object
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let description = property.get("description").and_then(Value::as_str).unwrap_or_default();
            assert!(description.len() > 3, "{path}/{key} is not described");
        }
    });
}

/// The structural check understands these keywords and no others, so that the schema must consist of them.
#[test]
fn only_keywords_that_are_checked_are_used() {
    let known = [
        "$schema",
        "$defs",
        "$ref",
        "title",
        "description",
        "default",
        "examples",
        "type",
        "format",
        "enum",
        "const",
        "minimum",
        "maximum",
        "minItems",
        "items",
        "properties",
        "required",
        "additionalProperties",
        "anyOf",
        "oneOf",
    ];
    visit(&schema(), "", &mut |object, path| {
        for keyword in object.keys() {
            assert!(known.contains(&keyword.as_str()), "{path}: {keyword}");
        }
    });
}

#[test]
fn every_table_refuses_unknown_keys_and_every_reference_leads_somewhere() {
    let schema = schema();
    visit(&schema, "", &mut |object, path| {
        if object.contains_key("properties") {
            assert_eq!(object.get("additionalProperties"), Some(&Value::Bool(false)), "{path}");
        }
        if let Some(Value::String(reference)) = object.get("$ref") {
            let pointer = reference
                .strip_prefix('#')
                .expect("references stay inside the document");
            assert!(schema.pointer(pointer).is_some(), "{reference}");
        }
        assert_ne!(
            object.get("type"),
            Some(&Value::from("null")),
            "{path}: TOML has no null"
        );
    });
}

#[test]
fn all_grammars_are_named() {
    let mut formats = BTreeSet::new();
    visit(&schema(), "", &mut |object, _| {
        // Those of plain numbers are only their sizes.
        let kind = object
            .get("type")
            .filter(|kind| *kind != "integer" && *kind != "number");
        formats.extend(
            kind.and(object.get("format"))
                .and_then(Value::as_str)
                .map(str::to_owned),
        );
    });
    let expected = [
        "bandwidth",
        "bytes",
        "cpus",
        "duration",
        "exposed-port",
        "published-port",
        "rate",
        "restart-policy",
    ];
    assert_eq!(formats.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn sections_variants_and_trace_formats_are_there() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let keys: Vec<&String> = schema["properties"]
        .as_object()
        .expect("the root is a table")
        .keys()
        .collect();
    assert_eq!(
        keys,
        [
            "title",
            "description",
            "traces",
            "run",
            "cluster",
            "images",
            "workload",
            "events"
        ]
    );
    let text = schema.to_string();
    for name in [
        "openb",
        "csv",
        "poisson",
        "diurnal",
        "at-start",
        "lognormal",
        "relabel",
        "on-node-failure",
        "drained",
    ] {
        assert!(text.contains(&format!("\"{name}\"")), "{name}");
    }
}
