//! What is printed on the terminal after a run or a comparison.

use crate::experiment::{StrategyRuns, latency};
use crate::metrics::stats::{Estimate, estimate};
use crate::metrics::{Better, Comparison, Finding, Metric, MetricComparison, RunRecord};
use crate::sim::{Discipline, Plan};

use super::table::{Align, render};

/// Percentiles of decision latency that are shown.
const PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 99.9];

/// How the queue of the plan is served, if somebody queues.
pub fn queue_note(plan: &Plan) -> Option<String> {
    let disciplines: Vec<_> = plan.disciplines().collect();
    let text = match disciplines[..] {
        [] => return None,
        [Discipline::Fifo] => "queue: fifo, nobody passes those who came earlier",
        [Discipline::Backfill] => "queue: backfill, who finds a place passes those who find none",
        _ => "queue: fifo, but classes with backfill pass those who find no place",
    };
    Some(text.to_owned())
}

/// A strategy's metrics over one or several runs.
pub fn runs_table(own: &StrategyRuns) -> String {
    let rows = Metric::ALL.iter().filter_map(|metric| {
        let values: Vec<f64> = own
            .runs
            .iter()
            .filter_map(|(_, run)| run.summary.get(*metric))
            .collect();
        let estimate = estimate(&values)?;
        Some(vec![metric.title().to_owned(), text(*metric, &estimate)])
    });
    let header = [("metric", Align::Left), (own.label.as_str(), Align::Right)];
    render(&header, rows)
}

/// The means of every strategy, with the winner of each metric marked by `*`.
pub fn comparison_table(comparison: &Comparison) -> String {
    let mut header = vec![("metric", Align::Left)];
    header.extend(comparison.strategies.iter().map(|name| (name.as_str(), Align::Right)));
    header.push(("better", Align::Left));
    let rows = shown(comparison).map(|metric| {
        let mut row = vec![metric.metric.title().to_owned()];
        for (number, estimate) in metric.estimates.iter().enumerate() {
            let mark = if metric.finding == Finding::Winner(number) {
                " *"
            } else {
                "  "
            };
            let text = estimate.map_or("–".to_owned(), |estimate| text(metric.metric, &estimate));
            row.push(text + mark);
        }
        let better = match metric.metric.better() {
            Better::Higher(_) => "higher",
            Better::Lower(_) => "lower",
            Better::Neither => "",
        };
        row.push(better.to_owned());
        row
    });
    render(&header, rows)
}

/// One sentence for every metric that ranks strategies: first those with a winner, then those without, and those in
/// which all strategies are equal in one.
pub fn verdicts(comparison: &Comparison) -> String {
    let ranked = || {
        comparison
            .metrics
            .iter()
            .filter(|metric| metric.metric.better() != Better::Neither)
    };
    let won = ranked().filter(|metric| matches!(metric.finding, Finding::Winner(_)));
    let all_equal =
        |metric: &&MetricComparison| metric.finding == Finding::Equal && metric.estimates.iter().all(Option::is_some);
    let open = ranked().filter(|metric| match metric.finding {
        Finding::NoWinner | Finding::TooFewSeeds | Finding::Alone(_) | Finding::Overpromised(_) => true,
        Finding::Equal => !all_equal(metric),
        Finding::Winner(_) | Finding::NotRanked | Finding::Undefined => false,
    });
    let mut text: String = won
        .chain(open)
        .map(|metric| format!("  {}\n", metric.verdict))
        .collect();
    let equal: Vec<String> = ranked()
        .filter(all_equal)
        .map(|metric| {
            let mean = metric
                .estimates
                .iter()
                .flatten()
                .next()
                .map_or(0.0, |estimate| estimate.mean);
            format!("{} ({})", metric.metric.title(), metric.metric.unit().format(mean))
        })
        .collect();
    if !equal.is_empty() {
        text += &format!("  All strategies are equal in: {}.\n", equal.join(", "));
    }
    text
}

/// Which of the reasons for rejection how often occurred, per run.
pub fn rejections_table(strategies: &[StrategyRuns]) -> Option<String> {
    let means: Vec<_> = strategies
        .iter()
        .map(|own| crate::experiment::mean_rejections(&own.runs))
        .collect();
    let mut reasons: Vec<&str> = means.iter().flat_map(|mean| mean.keys().copied()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    if reasons.is_empty() {
        return None;
    }
    let mut header = vec![("containers rejected by", Align::Left)];
    header.extend(strategies.iter().map(|own| (own.label.as_str(), Align::Right)));
    let rows = reasons.iter().map(|reason| {
        let counts = means
            .iter()
            .map(|mean| Metric::Rejected.unit().format(mean.get(reason).copied().unwrap_or(0.0)));
        std::iter::once((*reason).to_owned()).chain(counts).collect()
    });
    Some(render(&header, rows))
}

/// How long decisions took on this machine. Not part of the reproducible results.
pub fn latency_table(strategies: &[StrategyRuns]) -> Option<String> {
    let rows: Vec<Vec<String>> = strategies
        .iter()
        .filter_map(|own| {
            let histogram = latency(&own.runs)?;
            let mut row = vec![own.label.clone(), Metric::Placed.unit().format(histogram.len() as f64)];
            row.extend(
                PERCENTILES
                    .iter()
                    .map(|percentile| nanos(histogram.value_at_quantile(percentile / 100.0))),
            );
            row.push(nanos(histogram.max()));
            Some(row)
        })
        .collect();
    let header = [
        ("decision latency", Align::Left),
        ("decisions", Align::Right),
        ("p50", Align::Right),
        ("p90", Align::Right),
        ("p99", Align::Right),
        ("p99.9", Align::Right),
        ("max", Align::Right),
    ];
    (!rows.is_empty()).then(|| render(&header, rows))
}

/// Metrics of one run for programs.
pub fn run_json(run: &RunRecord) -> serde_json::Value {
    let values = run
        .summary
        .iter()
        .map(|(metric, value)| (metric.key().to_owned(), value.into()));
    serde_json::Value::Object(values.collect())
}

/// The metrics that some run has a value for.
fn shown(comparison: &Comparison) -> impl Iterator<Item = &MetricComparison> {
    comparison
        .metrics
        .iter()
        .filter(|metric| metric.finding != Finding::Undefined)
}

fn text(metric: Metric, estimate: &Estimate) -> String {
    metric.unit().format_estimate(estimate.mean, estimate.half_width)
}

fn nanos(nanos: u64) -> String {
    Metric::WaitMean.unit().format(nanos as f64 / 1e9)
}
