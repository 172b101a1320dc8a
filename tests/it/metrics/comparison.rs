//! From summaries to verdicts.

use swarmlab::metrics::{Comparison, Finding, Metric, PairTest, Summary};

/// A summary with one value in every metric.
fn summary(value: f64) -> Summary {
    Summary::from_fn(|_| Some(value))
}

fn summaries(values: &[f64]) -> Vec<Summary> {
    values.iter().map(|value| summary(*value)).collect()
}

#[test]
fn strategies_are_compared_seed_by_seed() {
    // The seeds differ far more than the strategies, whose difference is nearly the same in each.
    let spread = summaries(&[10.0, 50.0, 90.0, 30.0]);
    let binpack = summaries(&[9.0, 48.9, 88.9, 29.0]);
    let comparison = Comparison::new(&[("spread", &spread), ("binpack", &binpack)]);
    let nodes = comparison.metric(Metric::ActiveNodesMean);
    assert_eq!(nodes.finding, Finding::Winner(1));
    let estimate = nodes.estimates[0].unwrap();
    assert_eq!((estimate.mean, estimate.n), (45.0, 4));
    assert!(estimate.half_width.unwrap() > 50.0, "each alone says nothing");
    let PairTest::Tested { t, p, p_holm, .. } = nodes.pairs[0].test else {
        panic!("the difference varies: {:?}", nodes.pairs[0]);
    };
    // Differences 1, 1.1, 1.1, 1: mean 1.05, s = 0.1 / √3, t = 1.05 / (s / 2) = 36.37; with three degrees of freedom
    // p = 1 − 2 / π (atan(u) + u / (1 + u²)), u = t / √3.
    let expected: f64 = 21.0 * 3_f64.sqrt();
    assert!((t - expected).abs() < 1e-6, "{t}");
    let u = expected / 3_f64.sqrt();
    let exact = 1.0 - 2.0 / std::f64::consts::PI * (u.atan() + u / (1.0 + u * u));
    assert!((p - exact).abs() < 1e-9 && p == p_holm, "{p} {exact}");
    // Higher is better there.
    assert_eq!(comparison.metric(Metric::CpuJain).finding, Finding::Winner(0));
    assert_eq!(comparison.metric(Metric::Submitted).finding, Finding::NotRanked);
    assert_eq!(comparison.metrics.len(), Metric::ALL.len());
}

#[test]
fn nobody_wins_by_promising_what_nodes_do_not_have() {
    let with = |rejected: f64, overcommitted: f64| {
        let of = |metric| match metric {
            Metric::Rejected => Some(rejected),
            Metric::CpuOvercommitted => Some(overcommitted),
            _ => Some(1.0),
        };
        vec![Summary::from_fn(of), Summary::from_fn(of)]
    };
    let compare = |own: Vec<Summary>| {
        let random = with(0.0, 3.0);
        let mut comparison = Comparison::new(&[("spread", &own), ("random", &random)]);
        assert_eq!(comparison.metric(Metric::Rejected).finding, Finding::Winner(1));
        comparison.set_aside(1);
        comparison
    };
    let set_aside = compare(with(1.0, 0.0));
    let rejected = set_aside.metric(Metric::Rejected);
    assert_eq!(rejected.finding, Finding::Overpromised(1));
    let verdict =
        "Containers rejected: no winner, since random promised capacity that nodes do not have: random 0, spread 1.";
    assert_eq!(rejected.verdict, verdict);
    assert_eq!(set_aside.metric(Metric::CpuOvercommitted).finding, Finding::Winner(0));
    assert_eq!(set_aside.metric(Metric::Placed).finding, Finding::Equal);
    // With another that promised as much, it is no advantage.
    assert_eq!(
        compare(with(1.0, 3.0)).metric(Metric::Rejected).finding,
        Finding::Winner(1)
    );
}

#[test]
fn more_pairs_ask_for_more_evidence() {
    // Two against each other are significant at 5 %, p = 0.024, but among three strategies they are not.
    let a = summaries(&[10.0, 11.0, 12.0, 13.0, 14.0]);
    let b = summaries(&[10.5, 13.0, 12.5, 15.0, 15.0]);
    let c = summaries(&[10.6, 13.3, 12.3, 14.9, 15.2]);
    let two = Comparison::new(&[("a", &a), ("b", &b)]);
    assert_eq!(two.metric(Metric::WaitP50).finding, Finding::Winner(0));
    let three = Comparison::new(&[("a", &a), ("b", &b), ("c", &c)]);
    let three = three.metric(Metric::WaitP50);
    assert_eq!(three.finding, Finding::NoWinner);
    let p_values = |place: usize| match three.pairs[place].test {
        PairTest::Tested { p, p_holm, .. } => (p, p_holm),
        other => panic!("{other:?}"),
    };
    let (p, p_holm) = p_values(0);
    assert!(p < 0.05 && p_holm > 0.05 && p_holm >= 2.0 * p, "{p} {p_holm}");
}

#[test]
fn rounding_makes_no_winner() {
    let a = summaries(&[0.1 + 0.2, 0.7 + 0.1]);
    let b = summaries(&[0.3, 0.8]);
    let comparison = Comparison::new(&[("a", &a), ("b", &b)]);
    assert_eq!(comparison.metric(Metric::CpuCv).finding, Finding::Equal);
}

#[test]
fn seeds_without_a_value_do_not_pair() {
    let undefined = Summary::from_fn(|_| None);
    let a = [summary(1.0), undefined.clone(), summary(2.0), summary(5.0)];
    let b = [summary(2.0), summary(9.0), summary(3.5), undefined];
    let comparison = Comparison::new(&[("a", &a), ("b", &b)]);
    let waits = comparison.metric(Metric::WaitP50);
    assert_eq!(waits.pairs[0].seeds(), 2);
    assert_eq!(waits.pairs[0].difference.unwrap().mean, -1.25);
    assert_eq!(
        waits
            .estimates
            .iter()
            .map(|estimate| estimate.unwrap().n)
            .collect::<Vec<_>>(),
        [3, 3]
    );
}

#[test]
fn one_strategy_is_alone() {
    let comparison = Comparison::new(&[("spread", &summaries(&[1.0, 2.0]))]);
    let row = comparison.metric(Metric::WaitP50);
    assert_eq!((row.finding, row.pairs.len()), (Finding::Alone(0), 0));
    assert_eq!(row.verdict, "Median wait for a place: only spread has a value, 1.5 s.");
}

#[test]
#[should_panic(expected = "the same seeds")]
fn unequal_numbers_of_seeds_do_not_compare() {
    Comparison::new(&[("a", &summaries(&[1.0, 2.0])), ("b", &summaries(&[1.0]))]);
}

#[test]
#[should_panic(expected = "wait_p50_s is Some(NaN)")]
fn what_is_undefined_is_not_a_number_by_another_name() {
    Summary::from_fn(|metric| (metric == Metric::WaitP50).then_some(f64::NAN));
}
