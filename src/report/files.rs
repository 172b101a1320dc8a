//! The tables of a results directory.

use std::io;

use serde_json::{Value, json};

use crate::experiment::{StrategyRuns, latency};
use crate::metrics::{Comparison, Finding, Metric, PairTest, SERIES};

/// `summary.csv`: a row for every run, a column for every metric. An undefined value is empty.
pub fn summary(strategies: &[StrategyRuns]) -> Result<Vec<u8>, io::Error> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let fixed = ["strategy", "seed"].into_iter();
    csv.write_record(fixed.chain(Metric::ALL.iter().map(|metric| metric.key())))?;
    for own in strategies {
        for (seed, run) in &own.runs {
            let fixed = [own.label.clone(), seed.to_string()].into_iter();
            csv.write_record(fixed.chain(run.summary.iter().map(|(_, value)| number(value))))?;
        }
    }
    whole(csv)
}

/// `timeseries.csv`: a row for every run and sample.
pub fn timeseries(strategies: &[StrategyRuns]) -> Result<Vec<u8>, io::Error> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let fixed = ["strategy", "seed"].into_iter();
    csv.write_record(fixed.chain(SERIES.iter().map(|column| column.key)))?;
    for own in strategies {
        for (seed, run) in &own.runs {
            for row in &run.series {
                let fixed = [own.label.clone(), seed.to_string()].into_iter();
                csv.write_record(fixed.chain(SERIES.iter().map(|column| number((column.value)(row)))))?;
            }
        }
    }
    whole(csv)
}

/// `decisions.csv`: for every strategy, how many decisions took up to how long on the clock of the machine.
pub fn decisions(strategies: &[StrategyRuns]) -> Result<Vec<u8>, io::Error> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["strategy", "up_to_ns", "decisions", "cumulative_pct"])?;
    for own in strategies {
        let Some(histogram) = latency(&own.runs) else {
            continue;
        };
        let mut so_far = 0;
        for bucket in histogram.iter_recorded() {
            so_far += bucket.count_at_value();
            csv.write_record([
                own.label.as_str(),
                &histogram.highest_equivalent(bucket.value_iterated_to()).to_string(),
                &bucket.count_at_value().to_string(),
                &format!("{:.6}", 100.0 * so_far as f64 / histogram.len() as f64),
            ])?;
        }
    }
    whole(csv)
}

/// `comparison.csv`: a row for every metric and strategy.
pub fn comparison(comparison: &Comparison) -> Result<Vec<u8>, io::Error> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record([
        "metric",
        "unit",
        "strategy",
        "mean",
        "half_width_95",
        "deviation",
        "runs",
        "wins",
        "verdict",
    ])?;
    for metric in &comparison.metrics {
        for (number_of, name) in comparison.strategies.iter().enumerate() {
            let estimate = metric.estimates[number_of];
            let wins = metric.finding == Finding::Winner(number_of);
            csv.write_record([
                metric.metric.key(),
                &format!("{:?}", metric.metric.unit()).to_lowercase(),
                name,
                &number(estimate.map(|estimate| estimate.mean)),
                &number(estimate.and_then(|estimate| estimate.half_width)),
                &number(estimate.and_then(|estimate| estimate.deviation)),
                &estimate.map_or(0, |estimate| estimate.n).to_string(),
                if wins { "true" } else { "false" },
                &metric.verdict,
            ])?;
        }
    }
    whole(csv)
}

/// A comparison for programs.
pub fn comparison_json(comparison: &Comparison) -> Value {
    let metrics = comparison.metrics.iter().map(|metric| {
        let estimates = comparison
            .strategies
            .iter()
            .zip(&metric.estimates)
            .map(|(name, estimate)| {
                json!({
                    "strategy": name,
                    "mean": estimate.map(|estimate| estimate.mean),
                    "half_width_95": estimate.and_then(|estimate| estimate.half_width),
                    "runs": estimate.map_or(0, |estimate| estimate.n),
                })
            });
        let pairs = metric.pairs.iter().map(|pair| {
            let (test, p) = match pair.test {
                PairTest::TooFewSeeds => ("too-few-seeds", None),
                PairTest::Equal => ("equal", None),
                PairTest::Constant => ("constant", None),
                PairTest::Tested { p_holm, .. } => ("paired-t", Some(p_holm)),
            };
            json!({
                "first": comparison.strategies[pair.first],
                "second": comparison.strategies[pair.second],
                "mean_difference": pair.difference.map(|difference| difference.mean),
                "test": test,
                "p_holm": p,
                "significant": pair.is_significant(),
            })
        });
        let winner = match metric.finding {
            Finding::Winner(winner) => Some(comparison.strategies[winner].as_str()),
            _ => None,
        };
        json!({
            "metric": metric.metric.key(),
            "title": metric.metric.title(),
            "estimates": estimates.collect::<Vec<_>>(),
            "pairs": pairs.collect::<Vec<_>>(),
            "winner": winner,
            "verdict": metric.verdict,
        })
    });
    json!({ "strategies": comparison.strategies, "metrics": metrics.collect::<Vec<_>>() })
}

/// The shortest decimal that reads back as the same number; nothing for an undefined value.
fn number(value: Option<f64>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

fn whole(csv: csv::Writer<Vec<u8>>) -> Result<Vec<u8>, io::Error> {
    csv.into_inner().map_err(|failed| failed.into_error())
}
