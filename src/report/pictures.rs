//! Which pictures a run or a comparison is shown in, from its records.

use rayon::prelude::*;

use crate::experiment::{StrategyRuns, band, latency, mean_occupancy, mean_rejections};
use crate::metrics::{self, Better, Comparison, Finding, LoadMap, LoadUnit, Metric, SeriesRow, Unit};

use super::chart::{
    self, Bar, ChartError, Distribution, Drawing, HeatMap, HeatPanel, Histogram, Limit, LinePoint, LineSeries,
    LinesChart, LinesPanel, MetricPanel, PercentilePoint, PercentileSeries, Percentiles, StackedBars,
};

/// Percentiles of decision latency that are drawn.
const PERCENTILES: [f64; 9] = [25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0];

/// Most nodes that have a row each before rows are drawn together.
const NODES_DRAWN_MAX: usize = 10_000;

/// The metrics that are drawn side by side: enough to choose a strategy by, few enough to read.
const COMPARED: [Metric; 22] = [
    Metric::Placed,
    Metric::RejectedShare,
    Metric::WaitingAtEnd,
    Metric::WaitMean,
    Metric::WaitP99,
    Metric::StartupP99,
    Metric::CpuUtilised,
    Metric::MemoryUtilised,
    Metric::FurtherReserved,
    Metric::CpuOvercommitted,
    Metric::CpuCv,
    Metric::MemoryCv,
    Metric::ActiveNodesMean,
    Metric::Packing,
    Metric::CpuStranded,
    Metric::MemoryStranded,
    Metric::CpuFragmented,
    Metric::ContainersLost,
    Metric::ContainersNotReplaced,
    Metric::RecoveryMax,
    Metric::SoftKept,
    Metric::PulledBytes,
];

/// A picture and the stem of its file names.
pub struct Picture {
    /// Such as `utilisation`.
    pub stem: &'static str,
    /// The picture.
    pub drawing: Drawing,
}

/// File name stems of all pictures that may be drawn.
pub const STEMS: [&str; 7] = [
    "utilisation",
    "nodes",
    "load",
    "containers-per-node",
    "rejections",
    "latency",
    "comparison",
];

/// Every picture that these runs give. `comparison` is drawn if there is more than one strategy.
pub fn pictures(
    title: &str,
    strategies: &[StrategyRuns],
    comparison: Option<&Comparison>,
) -> Result<Vec<Picture>, ChartError> {
    let seeds = strategies.iter().map(|own| own.runs.len()).max().unwrap_or(0);
    let over = match seeds {
        1 => "one seed".to_owned(),
        _ => format!("mean and 95 % interval over {seeds} seeds"),
    };
    let (over, latencies) = (&over, latencies(title, strategies));
    let mut drawings: Vec<(&'static str, Draw<'_>)> = vec![
        ("utilisation", Box::new(|| utilisation(title, over, strategies).draw())),
        ("nodes", Box::new(|| nodes(title, over, strategies).draw())),
    ];
    if let Some(map) = load(title, strategies) {
        drawings.push(("load", Box::new(move || map.draw())));
    }
    drawings.push(("containers-per-node", Box::new(|| occupancy(title, strategies).draw())));
    drawings.push(("rejections", Box::new(|| rejections(title, seeds, strategies).draw())));
    if latencies.series.iter().any(|series| !series.points.is_empty()) {
        drawings.push(("latency", Box::new(|| latencies.draw())));
    }
    if let Some(comparison) = comparison {
        drawings.push(("comparison", Box::new(|| compared(title, over, comparison).draw())));
    }
    // Filling and packing pixels takes as long as a small run.
    let drawn = drawings.par_iter().with_max_len(1).map(|(stem, draw)| {
        let drawing = draw()?;
        Ok(Picture { stem, drawing })
    });
    drawn.collect()
}

/// How one picture is made.
type Draw<'a> = Box<dyn Fn() -> Result<Drawing, ChartError> + Send + Sync + 'a>;

fn utilisation(title: &str, over: &str, strategies: &[StrategyRuns]) -> LinesChart {
    let panel = |label: &str, value: fn(&SeriesRow) -> Option<f64>| LinesPanel {
        y_label: format!("{label} reserved (% of capacity)"),
        limit: Some(Limit {
            name: "capacity".to_owned(),
            value: 100.0,
        }),
        series: lines(strategies, value),
    };
    LinesChart {
        title: format!("{title}: utilisation"),
        subtitle: format!("reserved on available nodes; {over}"),
        panels: vec![
            panel("CPU", |row| row.reserved_pct.cpu),
            panel("Memory", |row| row.reserved_pct.memory),
        ],
    }
}

fn nodes(title: &str, over: &str, strategies: &[StrategyRuns]) -> LinesChart {
    LinesChart {
        title: format!("{title}: nodes in use"),
        subtitle: format!("nodes with at least one container; {over}"),
        panels: vec![LinesPanel {
            y_label: "Nodes in use".to_owned(),
            limit: None,
            series: lines(strategies, |row| Some(f64::from(row.active_nodes))),
        }],
    }
}

fn lines(strategies: &[StrategyRuns], value: fn(&SeriesRow) -> Option<f64>) -> Vec<LineSeries> {
    let line = |own: &StrategyRuns| {
        let points = band(&own.runs, value).into_iter().map(|point| {
            let mean = point.estimate.mean;
            LinePoint {
                seconds: point.time.as_secs_f64(),
                mean,
                band: point.estimate.half_width.map(|half| (mean - half, mean + half)),
            }
        });
        LineSeries {
            name: own.label.clone(),
            points: points.collect(),
        }
    };
    strategies.iter().map(line).collect()
}

/// Load by node and time in the first run of each strategy: a mean over seeds would show no node as it was.
fn load(title: &str, strategies: &[StrategyRuns]) -> Option<HeatMap> {
    let first = |own: &StrategyRuns| own.runs.first().map(|(seed, run)| (*seed, run.load.clone()));
    let maps: Vec<(&str, u64, LoadMap)> = strategies
        .iter()
        .filter_map(|own| first(own).map(|(seed, map)| (own.label.as_str(), seed, map)))
        .collect();
    let (_, seed, any) = maps.first()?;
    let end = maps.iter().filter_map(|(_, _, map)| map.times.last()).max()?;
    let containers = any.unit == LoadUnit::Containers;
    let most = |map: &LoadMap| {
        map.cells
            .iter()
            .copied()
            .filter(|cell| cell.is_finite())
            .fold(0.0, f32::max)
    };
    // Without reservations there is no capacity to compare with, so the fullest cell of all maps is full.
    let most = maps.iter().map(|(_, _, map)| most(map)).fold(0.0, f32::max);
    let scale = if containers && most > 0.0 { most } else { 1.0 };
    let nodes: usize = any.rows.iter().map(|row| row.nodes).sum();
    // A row that stands for several nodes is drawn as often, so that the axis counts nodes.
    let copies = |nodes_of_row: usize| if nodes <= NODES_DRAWN_MAX { nodes_of_row } else { 1 };
    let panel = |(name, _, map): &(&str, u64, LoadMap)| {
        let row = |row: usize| -> Vec<Option<f32>> { map.row(row).iter().map(|cell| Some(cell / scale)).collect() };
        let numbered = map.rows.iter().enumerate();
        HeatPanel {
            name: (*name).to_owned(),
            rows: numbered
                .flat_map(|(number, described)| std::iter::repeat_n(row(number), copies(described.nodes)))
                .collect(),
        }
    };
    Some(HeatMap {
        title: format!("{title}: load by node"),
        subtitle: format!("seed {seed}; nodes in the order of the scenario"),
        value_label: if containers {
            format!("containers (share of the most, {most:.0})")
        } else {
            "reserved (larger share of CPU and memory)".to_owned()
        },
        rows_label: if nodes <= NODES_DRAWN_MAX {
            "nodes".to_owned()
        } else {
            "groups of neighbouring nodes".to_owned()
        },
        absent_label: "node down".to_owned(),
        seconds: (0.0, end.as_secs_f64()),
        panels: maps.iter().map(panel).collect(),
    })
}

fn occupancy(title: &str, strategies: &[StrategyRuns]) -> Distribution {
    let histogram = |own: &StrategyRuns| {
        let counts = mean_occupancy(&own.runs);
        let nodes: f64 = counts.iter().map(|(_, nodes)| nodes).sum();
        let containers: f64 = counts
            .iter()
            .map(|(containers, nodes)| *containers as f64 * nodes)
            .sum();
        Histogram {
            name: own.label.clone(),
            mean: (nodes > 0.0).then(|| containers / nodes),
            counts,
        }
    };
    Distribution {
        title: format!("{title}: containers per node"),
        subtitle: "when the cluster was fullest".to_owned(),
        x_label: "containers per node".to_owned(),
        counted: "nodes".to_owned(),
        histograms: strategies.iter().map(histogram).collect(),
    }
}

fn rejections(title: &str, seeds: usize, strategies: &[StrategyRuns]) -> StackedBars {
    let means: Vec<_> = strategies.iter().map(|own| mean_rejections(&own.runs)).collect();
    let mut parts: Vec<&str> = means.iter().flat_map(|mean| mean.keys().copied()).collect();
    parts.sort_unstable();
    parts.dedup();
    let bars = strategies.iter().zip(&means).map(|(own, mean)| Bar {
        name: own.label.clone(),
        values: parts
            .iter()
            .map(|part| mean.get(part).copied().unwrap_or(0.0))
            .collect(),
    });
    StackedBars {
        title: format!("{title}: rejected containers by reason"),
        subtitle: match seeds {
            1 => "the filter that left no node, or no-resources; one seed".to_owned(),
            _ => format!("the filter that left no node, or no-resources; mean over {seeds} seeds"),
        },
        x_label: "containers refused for good".to_owned(),
        bars: bars.collect(),
        parts: parts.into_iter().map(str::to_owned).collect(),
        nothing: "no rejections".to_owned(),
    }
}

fn latencies(title: &str, strategies: &[StrategyRuns]) -> Percentiles {
    let series = |own: &StrategyRuns| {
        let histogram = latency(&own.runs);
        let point = |percentile: &f64| {
            Some(PercentilePoint {
                percentile: *percentile,
                nanoseconds: histogram.as_ref()?.value_at_quantile(percentile / 100.0) as f64,
            })
        };
        PercentileSeries {
            name: own.label.clone(),
            points: PERCENTILES.iter().filter_map(point).collect(),
        }
    };
    Percentiles {
        title: format!("{title}: decision latency"),
        subtitle: "wall-clock time of a decision with its reservation, on this machine, all seeds".to_owned(),
        y_label: "decision latency".to_owned(),
        // What was measured from outside has no decisions of its own to show.
        series: strategies
            .iter()
            .map(series)
            .filter(|series| !series.points.is_empty())
            .collect(),
    }
}

fn compared(title: &str, over: &str, comparison: &Comparison) -> chart::Comparison {
    let of_interest = comparison
        .metrics
        .iter()
        .filter(|metric| COMPARED.contains(&metric.metric));
    let drawn = of_interest.filter(|metric| metric.finding != Finding::Undefined);
    let panels = drawn.map(|metric| MetricPanel {
        title: metric.metric.title().to_owned(),
        unit: unit(metric.metric.unit()),
        better: match metric.metric.better() {
            Better::Higher(_) => chart::Better::Higher,
            Better::Lower(_) => chart::Better::Lower,
            Better::Neither => chart::Better::Neither,
        },
        estimates: metric.estimates.iter().map(|estimate| estimate.map(interval)).collect(),
        winner: match metric.finding {
            Finding::Winner(winner) => Some(winner),
            _ => None,
        },
    });
    chart::Comparison {
        title: format!("{title}: strategies compared"),
        subtitle: over.to_owned(),
        winner_label: "better than every other (paired t-test, p < 0.05 after Holm)".to_owned(),
        strategies: comparison.strategies.clone(),
        metrics: panels.collect(),
    }
}

fn interval(estimate: metrics::stats::Estimate) -> chart::Estimate {
    let half = estimate.half_width.unwrap_or(0.0);
    chart::Estimate {
        mean: estimate.mean,
        low: estimate.mean - half,
        high: estimate.mean + half,
    }
}

fn unit(unit: Unit) -> chart::Unit {
    match unit {
        Unit::Count | Unit::Ratio => chart::Unit::None,
        Unit::Percent => chart::Unit::Plain("%".to_owned()),
        Unit::Seconds => chart::Unit::Seconds,
        Unit::Bytes => chart::Unit::Bytes,
    }
}
