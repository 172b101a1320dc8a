//! The JSON Schema of the format, generated from the structs in [`format`](super::format).

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

use super::format::ScenarioFile;

/// The JSON Schema (draft 2020-12) of the scenario format, for editors and for the structural check.
///
/// Its `format` names beyond the standard ones (`duration`, `bytes`, `cpus`, `rate`, `bandwidth` and so on) stand for
/// the grammars in [`units`](super::units) and are annotations to other validators.
pub fn schema() -> Value {
    SCHEMA.clone()
}

/// The same without a copy.
pub(super) fn shared() -> &'static Value {
    &SCHEMA
}

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<ScenarioFile>().to_value();
    tidy(&mut schema);
    schema
});

/// The schema of a tagged enum, each variant of which also has the keys of `Common`.
pub(super) fn with_common_keys<Tagged: JsonSchema, Common: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = Tagged::json_schema(generator);
    let common = Common::json_schema(generator);
    let part = |key: &str| common.get(key).cloned();
    let branches = schema.get_mut("oneOf").and_then(Value::as_array_mut);
    for branch in branches.into_iter().flatten().filter_map(Value::as_object_mut) {
        if let (Some(Value::Object(own)), Some(Value::Object(shared))) =
            (branch.get_mut("properties"), part("properties"))
        {
            own.extend(shared);
        }
        let required = branch.entry("required").or_insert_with(|| Value::Array(Vec::new()));
        if let (Value::Array(own), Some(Value::Array(shared))) = (required, part("required")) {
            own.extend(shared);
        }
        branch.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    schema
}

/// Removes what serves no reader of TOML, which has no null, and describes the tags of enums.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(parts) => parts.iter_mut().for_each(tidy),
        Value::Object(object) => {
            remove_null(object);
            describe_tags(object);
            object.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

fn remove_null(object: &mut Map<String, Value>) {
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [single] = types.as_slice() {
            let single = single.clone();
            object.insert("type".to_owned(), single);
        }
    }
    let Some(Value::Array(branches)) = object.get_mut("anyOf") else {
        return;
    };
    branches.retain(|branch| branch.get("type").is_none_or(|name| name != "null"));
    if let [Value::Object(single)] = branches.as_slice() {
        let single = single.clone();
        object.remove("anyOf");
        for (key, value) in single {
            object.entry(key).or_insert(value);
        }
    }
}

/// A tag means what its variant means.
fn describe_tags(object: &mut Map<String, Value>) {
    let Some(description) = object.get("description").cloned() else {
        return;
    };
    let properties = object.get_mut("properties").and_then(Value::as_object_mut);
    for property in properties.into_iter().flat_map(Map::values_mut) {
        if let Value::Object(property) = property
            && property.contains_key("const")
        {
            property.entry("description").or_insert_with(|| description.clone());
        }
    }
}
