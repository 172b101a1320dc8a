//! Input from outside: whatever it is, nothing panics, and how it is cut does not matter.

use proptest::prelude::*;
use serde_json::{Map, Value};

use swarmlab::docker::events::Decoder;
use swarmlab::docker::{ContainerFacts, DaemonFacts, Filters, ImageFacts, Timestamp, path, words};
use swarmlab::net::{Address, head};

/// Any JSON, with keys that mean something here and values of the wrong kind more often than not.
fn any_json() -> impl Strategy<Value = Value> {
    let keys = "(Id|ID|Name|Names|Config|HostConfig|NetworkSettings|Networks|Ports|PortBindings|80/tcp|State|Health|\
                Status|Labels|Mounts|Env|Created|StartedAt|NCPU|MemTotal|RepoTags|Memory|CpuShares|a)";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z=/:.0-9]{0,8}".prop_map(Value::from),
        Just(Value::from("0001-01-01T00:00:00Z")),
        Just(Value::from("2026-11-23T04:33:34.5Z")),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((keys, inner), 0..8).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Map<String, Value>> {
    any_json().prop_map(|value| match value {
        Value::Object(map) => map,
        other => Map::from_iter([("Id".to_owned(), other)]),
    })
}

/// All objects in `pieces`, or the error that ends them.
fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Value>, Option<String>) {
    let mut decoder = Decoder::default();
    let mut found = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_object() {
                Ok(Some(object)) => found.push(Value::Object(object)),
                Ok(None) => break,
                Err(error) => return (found, Some(error.to_string())),
            }
        }
    }
    (found, None)
}

/// The pieces of `bytes` when it is cut at `cuts`.
fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts
        .iter()
        .map(|cut| cut.index(bytes.len() + 1))
        .chain([0, bytes.len()])
        .collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect()
}

proptest! {
    #[test]
    fn objects_are_the_same_however_they_are_cut(
        objects in prop::collection::vec(any_object(), 0..6),
        between in "[ \r\n\t]{0,3}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let texts: Vec<String> = objects.iter().map(|object| serde_json::to_string(object).expect("text")).collect();
        let bytes = texts.join(&between).into_bytes();
        // Compared as texts that were read once: floats lose nothing the second time.
        let expected: Vec<Value> = texts.iter().map(|text| serde_json::from_str(text).expect("an object")).collect();
        let (found, error) = decoded(cut(&bytes, &cuts));
        prop_assert_eq!((found, error), (expected, None));
    }

    #[test]
    fn garbage_between_objects_is_an_error_wherever_it_is_cut(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[{}\\[\\]\":,a1 \\\\\n]{0,60}".prop_map(String::into_bytes),
        ],
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        prop_assert_eq!(decoded(cut(&bytes, &cuts)), decoded([&bytes[..]]));
    }

    #[test]
    fn heads_never_panic(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        "(GET|POST|A) [ -~]{0,20} HTTP/1.[01]\r\n([a-z-]{1,8}: ?[ -~]{0,12}\r\n){0,4}\r?\n?"
            .prop_map(String::into_bytes),
    ]) {
        if let Ok(Some(head)) = head::parse(&bytes) {
            prop_assert!(head.length <= bytes.len());
            let head = head::Head { raw: bytes.clone().into(), ..head };
            prop_assert_eq!(head.raw_for(&head.target), &bytes);
            let other = head::parse(&head.raw_for("/other")).expect("a head still").expect("all of it");
            prop_assert_eq!(other.target, "/other");
        }
    }

    #[test]
    fn facts_never_panic(one in any_object(), other in any_object(), now in any::<i64>()) {
        let _ = DaemonFacts::read(&one, &other, "10.0.0.1:2375");
        let _ = ImageFacts::read(&one);
        if let Ok(mut facts) = ContainerFacts::read(&one, &other) {
            facts.shift_times(now);
            let _ = words::status(&facts.state, Timestamp(now));
        }
    }

    #[test]
    fn texts_never_panic(text in ".*", other in ".*", json in any_json()) {
        for filters in [&text, &json.to_string()] {
            if let Ok(filters) = Filters::parse(filters) {
                for name in filters.names() {
                    let _ = (filters.matches(name, &other), filters.equals(name, &other), filters.numbers(name));
                }
            }
        }
        let _ = (Address::parse(&text), Timestamp::parse(&text), path::pairs(&text));
        let query = path::query(&[(&text, &other)]);
        prop_assert_eq!(path::pairs(&query[1..]), [(text.clone(), other.clone())]);
        prop_assert_eq!(path::unescape_path(&path::path(&[&text])), format!("/{text}"));
    }
}

#[test]
fn an_object_without_end_is_given_up() {
    let mut decoder = Decoder::default();
    decoder.push(b"{\"a\":\"");
    let piece = [b'x'; 1 << 20];
    let error = (0..8).find_map(|_| {
        decoder.push(&piece);
        decoder.next_object().err()
    });
    assert_eq!(error, Some(swarmlab::docker::events::DecodeError::TooLarge));
}
