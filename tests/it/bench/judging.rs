//! When a difference is a regression, on samples drawn from a seed.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use swarmlab::bench::{Baseline, Case, Figures, Judgement, Origin, Recorded, Unit};
use swarmlab::scheduler::Strategy;

/// So many processes' samples of a case that takes about so long: within three per cent, but one in ten is disturbed
/// and takes up to half as long again.
fn samples(rng: &mut ChaCha8Rng, nanos: f64, count: usize) -> Vec<f64> {
    let one = |rng: &mut ChaCha8Rng| {
        let noise = 1.0 + 0.03 * (rng.random::<f64>() + rng.random::<f64>() - 1.0);
        let disturbed = if rng.random::<f64>() < 0.1 {
            1.0 + 0.5 * rng.random::<f64>()
        } else {
            1.0
        };
        nanos * noise * disturbed
    };
    (0..count).map(|_| one(rng)).collect()
}

fn case(number: usize) -> Case {
    Case {
        strategy: Strategy::Spread,
        kind: format!("kind-{number}"),
        nodes: 10,
    }
}

fn figures(samples: Vec<f64>) -> Figures {
    Figures { samples, p99: None }
}

/// Two programs over twenty cases, of which the first takes `slowdown` times as long in the second program: judged from
/// samples apart, and from the same ones in pairs that also share what disturbs the machine.
fn both(seed: u64, slowdown: f64, max_regression: f64) -> [Judgement; 2] {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut apart, mut pairs) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let nanos = 100.0 * 1.5_f64.powi(number as i32);
        let factor = if number == 0 { slowdown } else { 1.0 };
        let (before, now) = (samples(&mut rng, nanos, 30), samples(&mut rng, nanos * factor, 30));
        let shared: Vec<f64> = (0..30).map(|_| 1.0 + rng.random::<f64>()).collect();
        let together = before.iter().zip(&now).zip(&shared);
        pairs.push((
            case(number),
            together.map(|((a, b), load)| (a * load, b * load)).collect(),
        ));
        apart.push((case(number), figures(before), figures(now)));
    }
    [
        Judgement::of_samples(max_regression, &apart),
        Judgement::of_pairs(max_regression, &pairs),
    ]
}

fn regressed(judgement: &Judgement) -> Vec<String> {
    judgement
        .regressions()
        .iter()
        .map(|verdict| verdict.case.kind.clone())
        .collect()
}

#[test]
fn a_program_is_no_slower_than_itself() {
    // With nothing allowed, the test alone decides: one comparison in a hundred may be wrong.
    let wrong = (0..200)
        .flat_map(|seed| both(seed, 1.0, 0.0))
        .filter(|judgement| !judgement.regressions().is_empty());
    let wrong = wrong.count();
    assert!(wrong <= 10, "{wrong} of 400");
    // With the usual allowance, none is.
    let wrong = (0..200)
        .flat_map(|seed| both(seed, 1.0, 0.1))
        .filter(|judgement| !judgement.regressions().is_empty());
    assert_eq!(wrong.count(), 0);
}

#[test]
fn a_fifth_longer_is_found_and_nothing_else() {
    let (mut found, all) = (0, 100);
    for judgement in (0..all / 2).flat_map(|seed| both(seed, 1.2, 0.1)) {
        let regressed = regressed(&judgement);
        assert!(regressed.is_empty() || regressed == ["kind-0"], "{regressed:?}");
        found += regressed.len() as u64;
        let ratio = judgement.verdicts[0].ratio;
        assert!((ratio - 1.2).abs() < 0.04, "{ratio}");
    }
    assert!(
        found >= 85,
        "{found} of {all}, among twenty cases with every tenth sample disturbed"
    );
    for judgement in (0..all / 2).flat_map(|seed| both(seed, 1.3, 0.1)) {
        assert_eq!(regressed(&judgement), ["kind-0"]);
        assert!(judgement.verdicts[0].p.is_some_and(|p| p < 0.01));
    }
}

#[test]
fn what_is_allowed_is_no_regression_and_neither_is_an_improvement() {
    for seed in 0..50 {
        for (slowdown, allowed) in [(1.05, 0.1), (1.2, 0.5), (0.5, 0.1), (0.5, 0.0)] {
            for judgement in both(seed, slowdown, allowed) {
                assert!(
                    !regressed(&judgement).contains(&"kind-0".to_owned()),
                    "{slowdown} of {allowed}"
                );
            }
        }
    }
}

#[test]
fn too_few_samples_are_no_evidence() {
    let judge = |count: usize| {
        let cases = [(case(0), figures(vec![100.0; count]), figures(vec![200.0; count]))];
        Judgement::of_samples(0.1, &cases).regressions().len()
    };
    assert_eq!((judge(1), judge(2), judge(10)), (0, 0, 1));
}

#[test]
fn counts_are_exact() {
    let counts = [
        (case(0), 1000.0, 1100.0),
        (case(1), 1000.0, 1101.0),
        (case(2), 1000.0, 10.0),
    ];
    let judgement = Judgement::of_counts(0.1, &counts);
    assert_eq!(regressed(&judgement), ["kind-1"]);
    assert_eq!(judgement.verdicts[1].p, None);
    assert!((judgement.verdicts[2].ratio - 0.01).abs() < 1e-12);
}

#[test]
fn the_worst_regression_comes_first_and_nothing_compared_is_none() {
    let counts = [(case(0), 1.0, 2.0), (case(1), 1.0, 5.0), (case(2), 1.0, 3.0)];
    assert_eq!(
        regressed(&Judgement::of_counts(0.1, &counts)),
        ["kind-1", "kind-2", "kind-0"]
    );
    assert!(Judgement::of_samples(0.1, &[]).regressions().is_empty());
    assert!(
        Judgement::of_pairs(0.1, &[(case(0), Vec::new())])
            .regressions()
            .is_empty()
    );
}

#[test]
fn a_baseline_reads_back() {
    let recorded = |number: usize, samples: &[f64], p99| Recorded {
        case: case(number),
        figures: Figures {
            samples: samples.to_vec(),
            p99,
        },
    };
    let mut baseline = Baseline {
        unit: Unit::Nanoseconds,
        subject: "zones \"of\" [cases]".to_owned(),
        fingerprint: "\"cases\": []".to_owned(),
        origin: Origin::here(),
        cases: vec![recorded(0, &[1.5, 2.25], Some(3.0)), recorded(1, &[1e9], None)],
    };
    let text = baseline.to_text().expect("numbers");
    assert_eq!(Baseline::parse(&text), Ok(baseline.clone()));
    assert_eq!(
        text.lines().filter(|line| line.contains("\"kind\"")).count(),
        2,
        "{text}"
    );
    baseline.cases.clear();
    let text = baseline.to_text().expect("numbers");
    assert_eq!(Baseline::parse(&text), Ok(baseline));
}

#[test]
fn what_is_no_baseline_is_refused_with_a_reason() {
    let whole = |cases: &str| {
        format!(
            r#"{{"format":"swarmlab-bench-1","unit":"nanoseconds","subject":"s","fingerprint":"f","origin":{{}},"cases":[{cases}]}}"#
        )
    };
    let row = |samples: &str| format!(r#"{{"strategy":"spread","kind":"plain","nodes":10,"samples":{samples}}}"#);
    assert!(Baseline::parse(&whole(&row("[1.0]"))).is_ok());
    let faulty = [
        (String::new(), "EOF"),
        ("[]".to_owned(), "expected struct"),
        (whole("").replace("bench-1", "bench-9"), "its format is"),
        (whole("").replace("nanoseconds", "fortnights"), "fortnights"),
        (whole(&row("[]")), "not all above zero"),
        (whole(&row("[1.0, 0.0]")), "not all above zero"),
        (whole(&row("[-1.0]")), "not all above zero"),
        (whole(&row("[1e999]")), "out of range"),
        (whole(&row("[\"1\"]")), "invalid type"),
        (
            whole(&row("[1.0]").replace("spread", "tetris")),
            "strategy not supported",
        ),
        (whole(&row("[1.0]").replace("10", "-10")), "invalid"),
        (whole(&format!("{0},{0}", row("[1.0]"))), "twice"),
    ];
    for (text, expected) in faulty {
        let reason = Baseline::parse(&text).expect_err(&text);
        assert!(reason.contains(expected), "{text}: {reason}");
    }
}
