//! Looking into a JSON object, and altering it in place, as a daemon would read it.
//!
//! Daemons are written in Go, whose decoder accepts keys in any case. Everything here finds a key so, and prefers the
//! exact one. `null` counts as absent, because that is what it decodes to.

use serde_json::Value;

/// A JSON object. Its order and what is not understood of it stay.
pub type Map = serde_json::Map<String, Value>;

/// The value of `key`, unless it is absent or `null`.
pub fn get<'a>(map: &'a Map, key: &str) -> Option<&'a Value> {
    find(map, key)
        .and_then(|found| map.get(found))
        .filter(|value| !value.is_null())
}

/// The value of `key` for altering it, unless it is absent or `null`.
pub fn get_mut<'a>(map: &'a mut Map, key: &str) -> Option<&'a mut Value> {
    let found = find(map, key)?.to_owned();
    map.get_mut(&found).filter(|value| !value.is_null())
}

/// The text of `key`; empty if it is absent or something else.
pub fn text<'a>(map: &'a Map, key: &str) -> &'a str {
    get(map, key).and_then(Value::as_str).unwrap_or_default()
}

/// The number of `key`, rounded towards zero and kept within 64 bits; `None` if it is absent or something else.
pub fn number(map: &Map, key: &str) -> Option<i64> {
    let value = get(map, key)?;
    // `as` saturates, and makes no number out of NaN but zero.
    let unsigned = || value.as_u64().map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    value
        .as_i64()
        .or_else(unsigned)
        .or_else(|| value.as_f64().map(|number| number as i64))
}

/// The flag of `key`; `false` if it is absent or something else.
pub fn flag(map: &Map, key: &str) -> bool {
    get(map, key).and_then(Value::as_bool).unwrap_or_default()
}

/// The list of `key`; empty if it is absent or something else.
pub fn list<'a>(map: &'a Map, key: &str) -> &'a [Value] {
    get(map, key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts of the list of `key`, without what is no text.
pub fn texts<'a>(map: &'a Map, key: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    list(map, key).iter().filter_map(Value::as_str)
}

/// The objects of the list of `key`, without what is no object.
pub fn maps<'a>(map: &'a Map, key: &str) -> impl Iterator<Item = &'a Map> + use<'a> {
    list(map, key).iter().filter_map(Value::as_object)
}

/// The object of `key`, unless it is absent or something else.
pub fn map<'a>(map: &'a Map, key: &str) -> Option<&'a Map> {
    get(map, key).and_then(Value::as_object)
}

/// The object of `key` for altering it; it is put there if it is absent or something else.
pub fn map_mut<'a>(map: &'a mut Map, key: &str) -> &'a mut Map {
    let found = find(map, key).unwrap_or(key).to_owned();
    let value = map.entry(found).or_insert(Value::Null);
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("made an object two lines above")
}

/// Follows `keys` from object to object and gives the value of the last.
pub fn at<'a>(map: &'a Map, keys: &[&str]) -> Option<&'a Value> {
    let (last, way) = keys.split_last()?;
    let mut map = map;
    for key in way {
        map = self::map(map, key)?;
    }
    get(map, last)
}

/// Sets `key`, in its place and with its spelling if it is there, at the end if not. Other spellings of it are removed:
/// a decoder would take the last.
pub fn set(map: &mut Map, key: &str, value: impl Into<Value>) {
    let found = find(map, key).unwrap_or(key).to_owned();
    let others: Vec<String> = map
        .keys()
        .filter(|other| other.eq_ignore_ascii_case(key) && **other != found)
        .cloned()
        .collect();
    for other in others {
        map.shift_remove(&other);
    }
    map.insert(found, value.into());
}

/// Removes `key` in every spelling, keeping the order of the rest, and gives the value that [`get`] would have found.
pub fn remove(map: &mut Map, key: &str) -> Option<Value> {
    let found = find(map, key)?.to_owned();
    let value = map.shift_remove(&found);
    while let Some(other) = find(map, key).map(str::to_owned) {
        map.shift_remove(&other);
    }
    value.filter(|value| !value.is_null())
}

/// The key as it is spelt there.
fn find<'a>(map: &'a Map, key: &str) -> Option<&'a str> {
    if let Some((exact, _)) = map.get_key_value(key) {
        return Some(exact);
    }
    map.keys()
        .map(String::as_str)
        .find(|other| other.eq_ignore_ascii_case(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Map {
        serde_json::from_str(text).expect("an object")
    }

    #[test]
    fn keys_are_found_in_any_case_and_the_exact_one_first() {
        let map = object(r#"{"hostconfig":{"MEMORY":7},"Env":null,"image":"a","Image":"b"}"#);
        assert_eq!(at(&map, &["HostConfig", "Memory"]), Some(&Value::from(7)));
        assert_eq!(text(&map, "Image"), "b");
        assert_eq!(text(&map, "IMAGE"), "a");
        assert_eq!(
            (get(&map, "Env"), list(&map, "Env").len(), flag(&map, "image")),
            (None, 0, false)
        );
    }

    #[test]
    fn numbers_of_every_kind_fit() {
        let map = object(r#"{"a":-3,"b":18446744073709551615,"c":1e300,"d":"7","e":2.9}"#);
        let numbers: Vec<_> = ["a", "b", "c", "d", "e", "f"]
            .iter()
            .map(|key| number(&map, key))
            .collect();
        assert_eq!(numbers, [Some(-3), Some(i64::MAX), Some(i64::MAX), None, Some(2), None]);
    }

    #[test]
    fn altering_keeps_place_and_spelling() {
        let mut map = object(r#"{"a":1,"hostconfig":{"x":1},"HOSTCONFIG":2,"z":3}"#);
        set(map_mut(&mut map, "HostConfig"), "Memory", 5);
        assert_eq!(
            serde_json::to_string(&map).expect("text"),
            r#"{"a":1,"hostconfig":{"x":1,"Memory":5},"HOSTCONFIG":2,"z":3}"#
        );
        set(&mut map, "HostConfig", "gone");
        set(&mut map, "New", true);
        assert_eq!(
            serde_json::to_string(&map).expect("text"),
            r#"{"a":1,"hostconfig":"gone","z":3,"New":true}"#
        );
        assert_eq!(remove(&mut map, "A"), Some(Value::from(1)));
        assert_eq!(
            serde_json::to_string(&map).expect("text"),
            r#"{"hostconfig":"gone","z":3,"New":true}"#
        );
    }
}
