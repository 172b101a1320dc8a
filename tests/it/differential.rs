//! Every decision of the library is the reference's, on thousands of small clusters made to be difficult.

pub mod choices;
mod comparison;
mod domain;
mod draws;
mod expressions;
mod fresh;
mod history;
mod world;

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::Strategy as _;
use proptest::test_runner::RngSeed;
use swarmlab::scheduler::{Expression, Settings, Strategy, Strict, expressions_in_label};

use crate::reference::RefExpression;

use choices::{Choices, Tape};
use comparison::Pair;
use world::World;

/// What a tape is made from. Choices at the end that are the simplest need not be shown.
struct Written(Vec<u16>);

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let length = self
            .0
            .iter()
            .rposition(|choice| *choice != 0)
            .map_or(0, |last| last + 1);
        write!(f, "{:?}", &self.0[..length])
    }
}

fn tape(length: usize) -> impl proptest::strategy::Strategy<Value = Written> {
    prop::collection::vec(any::<u16>(), length / 2..length).prop_map(Written)
}

/// One request to one cluster with these settings.
fn check(world: &Written, request: &Written, settings: Settings, seed: u64) -> Result<(), TestCaseError> {
    let world = World::generate(&mut Tape::new(&world.0), 13, 24);
    prop_assert_eq!(world.cluster.check(), Ok(()));
    let mut pair = Pair::new(settings);
    let request = domain::request(&mut Tape::new(&request.0));
    let prepared = pair.library.prepare(Arc::new(request));
    let compared = pair.compare(&world, &prepared, seed);
    compared.map_err(|difference| {
        let settings = pair.library.settings();
        TestCaseError::fail(format!(
            "{difference}\n{settings:#?}\n{:#?}\n{:#?}",
            prepared.request(),
            world.mirror
        ))
    })
}

/// Many cases, the same ones at every run. `PROPTEST_CASES` makes it more or fewer, `PROPTEST_RNG_SEED` others.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: 20_000,
        failure_persistence: None,
        rng_seed: match default.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            fixed => fixed,
        },
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_settings_decide_as_the_reference(world in tape(500), request in tape(50), settings in tape(30), seed in 0..8_u64) {
        check(&world, &request, domain::settings(&mut Tape::new(&settings.0)), seed)?;
    }

    #[test]
    fn default_settings_decide_as_the_reference(world in tape(500), request in tape(50), which in 0..3_usize, seed in 0..8_u64) {
        check(&world, &request, Settings::new(Strategy::ALL[which]), seed)?;
    }

    #[test]
    fn expressions_parse_and_match_as_the_reference(choices in tape(40)) {
        let mut c = Tape::new(&choices.0);
        let text = match c.below(4) {
            0 => expressions::any_text(&mut c),
            1 => format!("key=={}", expressions::pattern(&mut c)),
            2 => expressions::constraint(&mut c),
            _ => expressions::affinity(&mut c),
        };
        let strict = Strict { globs: c.one_in(3), ..Strict::default() };
        let library = Expression::parse(&text, strict);
        let reference = RefExpression::parse(&text, strict.globs);
        match (library, reference) {
            (Ok(library), Ok(reference)) => {
                prop_assert_eq!(library.key(), &reference.key);
                prop_assert_eq!(library.value(), &reference.value);
                prop_assert_eq!(library.is_soft(), reference.soft);
                prop_assert_eq!(library.to_string(), reference.text());
                for candidate in domain::LABEL_VALUES.into_iter().chain(["a", "b", "ab", "abc", "aab", "a1", "K", "k", "s", "-", "k\nx"]) {
                    let (own, expected) = (library.holds([candidate].into_iter()), reference.holds(&[candidate], strict.globs));
                    prop_assert_eq!(own, expected, "{:?} and {:?}", text, candidate);
                }
            }
            (library, reference) => {
                prop_assert_eq!(library.map(|_| ()).map_err(|error| error.to_string()), reference.map(|_| ()), "{:?}", text);
            }
        }
    }

    #[test]
    fn labels_are_read_element_by_element(choices in tape(20)) {
        let (label, expected) = expressions::label(&mut Tape::new(&choices.0));
        prop_assert_eq!(expressions_in_label(&label), expected, "{}", label);
    }

    #[test]
    fn containers_are_found_as_by_the_reference(world in tape(500), query in tape(8)) {
        let world = World::generate(&mut Tape::new(&world.0), 5, 24);
        let query = domain::container_query(&mut Tape::new(&query.0));
        let expected: Vec<usize> = world.mirror.find(&query).iter().map(|container| container.key).collect();
        match world.cluster.find(&query) {
            Some(found) => prop_assert!(expected.contains(&found.index()), "{:?}: {:?}, not {:?}", query, found, expected),
            None => prop_assert!(expected.is_empty(), "{:?}: nothing, not {:?}", query, expected),
        }
        prop_assert_eq!(world.cluster.is_name_taken(&query), world.mirror.is_name_taken(&query), "{:?}", query);
    }
}

/// The generators reach both outcomes and every filter often enough to be worth running.
#[test]
fn the_domain_is_neither_too_easy_nor_too_hard() {
    use rand::SeedableRng;
    let mut c = rand::rngs::ChaCha8Rng::seed_from_u64(1);
    let mut reasons = std::collections::BTreeMap::<&str, u32>::new();
    for _ in 0..3000 {
        let world = World::generate(&mut c, 13, 24);
        let mut pair = Pair::new(Settings {
            filters: domain::filters(&mut c),
            ..Settings::new(Strategy::Spread)
        });
        let prepared = pair.library.prepare(Arc::new(domain::request(&mut c)));
        let decided = pair.library.decide(&world.cluster, &prepared, &mut c);
        *reasons
            .entry(decided.map_or_else(|rejection| rejection.name(), |_| "accepted"))
            .or_default() += 1;
    }
    let count = |reason: &str| reasons.get(reason).copied().unwrap_or(0);
    assert!((900..2400).contains(&count("accepted")), "{reasons:?}");
    for reason in [
        "health",
        "port",
        "containerslots",
        "dependency",
        "affinity",
        "constraint",
        "whitelist",
        "resources",
        "no-resources",
        "no-nodes",
    ] {
        assert!(count(reason) >= 10, "{reason}: {reasons:?}");
    }
}
