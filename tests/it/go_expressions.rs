//! Values of expressions match as Go's `regexp` says: random ones, with what Go 1.19 said of each.

use swarmlab::scheduler::{Expression, Strict};

use crate::reference;

/// The table that `tests/data/go_expressions.go` writes.
#[derive(serde::Deserialize)]
struct Table {
    candidates: Vec<String>,
    /// Each value with a 0 or 1 for every candidate, or `invalid` if Go does not compile it.
    values: Vec<(String, String)>,
}

/// Compares a matcher, made for each value, with the table.
fn check<M: Fn(&str) -> bool>(matcher: impl Fn(&str) -> M) {
    let table: Table = serde_json::from_str(include_str!("../data/go_expressions.json")).expect("the table is JSON");
    for (value, verdicts) in &table.values {
        let matches = matcher(value);
        let verdicts = match verdicts.as_str() {
            "invalid" => "0".repeat(table.candidates.len()),
            verdicts => verdicts.to_owned(),
        };
        for (candidate, verdict) in table.candidates.iter().zip(verdicts.chars()) {
            assert_eq!(matches(candidate), verdict == '1', "{value:?} and {candidate:?}");
        }
    }
}

#[test]
fn expressions_match_as_in_go() {
    check(|value| {
        let expression = Expression::parse(&format!("key=={value}"), Strict::default());
        let expression = expression.unwrap_or_else(|error| panic!("{value:?}: {error}"));
        move |candidate: &str| expression.holds([candidate].into_iter())
    });
}

#[test]
fn the_reference_matches_as_in_go() {
    check(|value| {
        let value = value.to_owned();
        move |candidate: &str| reference::matches(&value, candidate, false)
    });
}
