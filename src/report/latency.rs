//! How long decisions take, as a table, as files and as a picture.

use std::io;

use serde_json::{Value, json};

use crate::bench::{Case, Figures, Judgement, Unit, Verdict};
use crate::metrics;
use crate::scheduler::Strategy;

use super::chart::{ChartError, Drawing, SERIES_MAX, Scaling, ScalingPanel, ScalingPoint, ScalingSeries};
use super::table::{Align, render};

/// The figures of every case, ordered so that one sees down a column how they grow with the cluster.
pub fn bench_table(unit: Unit, cases: &[(Case, Figures)]) -> String {
    let rows = cases.iter().map(|(case, figures)| {
        let mut row = named(case);
        row.push(amount(unit, figures.median()));
        if unit == Unit::Nanoseconds {
            let (low, high) = figures.interval().unzip();
            row.push(match low.zip(high) {
                Some((low, high)) => format!("{} – {}", amount(unit, low), amount(unit, high)),
                None => String::new(),
            });
            row.push(figures.p99.map_or(String::new(), |p99| amount(unit, p99)));
        }
        row
    });
    let mut header = HEADER.to_vec();
    match unit {
        Unit::Nanoseconds => header.extend([
            ("median", Align::Right),
            ("95 % interval", Align::Right),
            ("99th percentile", Align::Right),
        ]),
        Unit::Instructions => header.push(("instructions", Align::Right)),
    }
    render(&header, rows)
}

/// What a comparison says of every case.
pub fn judgement_table(unit: Unit, judgement: &Judgement) -> String {
    let rows = judgement.verdicts.iter().map(|verdict| {
        let mut row = named(&verdict.case);
        row.extend([
            amount(unit, verdict.before),
            amount(unit, verdict.now),
            change(verdict.ratio),
        ]);
        if unit == Unit::Nanoseconds {
            row.push(verdict.p.map_or(String::new(), chance));
        }
        row.push(if verdict.is_regression { "slower" } else { "" }.to_owned());
        row
    });
    let mut header = HEADER.to_vec();
    header.extend([
        ("before", Align::Right),
        ("now", Align::Right),
        ("change", Align::Right),
    ]);
    if unit == Unit::Nanoseconds {
        header.push(("p", Align::Right));
    }
    header.push(("", Align::Left));
    render(&header, rows)
}

const HEADER: [(&str, Align); 3] = [
    ("strategy", Align::Left),
    ("request", Align::Left),
    ("nodes", Align::Right),
];

fn named(case: &Case) -> Vec<String> {
    let nodes = metrics::Unit::Count.format(case.nodes as f64);
    vec![case.strategy.name().to_owned(), case.kind.clone(), nodes]
}

fn amount(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Nanoseconds => metrics::Unit::Seconds.format(value * 1e-9),
        Unit::Instructions => metrics::Unit::Count.format(value.round()),
    }
}

/// A ratio as people say it: `+12.3 %`, `−4.0 %`, `11.2 times`.
pub fn change(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    if ratio >= 10.0 {
        format!("{ratio:.1} times")
    } else if percent.abs() < 0.05 {
        "±0.0 %".to_owned()
    } else if percent < 0.0 {
        format!("−{:.1} %", -percent)
    } else {
        format!("+{percent:.1} %")
    }
}

fn chance(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

/// `bench.csv`: a row for every case; the last columns are empty where nothing was compared.
pub fn bench_csv(unit: Unit, cases: &[(Case, Figures)], judgement: Option<&Judgement>) -> Result<Vec<u8>, io::Error> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record([
        "strategy",
        "request",
        "nodes",
        "unit",
        "median",
        "low_95",
        "high_95",
        "p99",
        "samples",
        "before",
        "ratio",
        "p_holm",
        "regression",
    ])?;
    let text = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    for (case, figures) in cases {
        let (low, high) = figures.interval().unzip();
        let verdict = verdict(judgement, case);
        csv.write_record([
            case.strategy.name(),
            &case.kind,
            &case.nodes.to_string(),
            unit.name(),
            &figures.median().to_string(),
            &text(low),
            &text(high),
            &text(figures.p99),
            &figures.samples.len().to_string(),
            &text(verdict.map(|verdict| verdict.before)),
            &text(verdict.map(|verdict| verdict.ratio)),
            &text(verdict.and_then(|verdict| verdict.p)),
            &verdict.map_or(String::new(), |verdict| verdict.is_regression.to_string()),
        ])?;
    }
    csv.into_inner().map_err(|failed| failed.into_error())
}

/// The same for programs that read JSON.
pub fn bench_json(cases: &[(Case, Figures)], judgement: Option<&Judgement>) -> Value {
    let rows = cases.iter().map(|(case, figures)| {
        let (low, high) = figures.interval().unzip();
        let verdict = verdict(judgement, case);
        json!({
            "strategy": case.strategy.name(),
            "request": case.kind,
            "nodes": case.nodes,
            "median": figures.median(),
            "low_95": low,
            "high_95": high,
            "p99": figures.p99,
            "samples": figures.samples.len(),
            "comparison": verdict.map(|verdict| json!({
                "before": verdict.before,
                "ratio": verdict.ratio,
                "p_holm": verdict.p,
                "regression": verdict.is_regression,
            })),
        })
    });
    rows.collect()
}

fn verdict<'a>(judgement: Option<&'a Judgement>, case: &Case) -> Option<&'a Verdict> {
    judgement?.verdicts.iter().find(|verdict| verdict.case == *case)
}

/// The figures against the number of nodes: a line for each kind of request, a panel for each strategy. Of more kinds
/// than can be told apart, the first are drawn.
pub fn bench_picture(title: &str, unit: Unit, cases: &[(Case, Figures)]) -> Result<Drawing, ChartError> {
    let (mut strategies, mut kinds): (Vec<Strategy>, Vec<&str>) = (Vec::new(), Vec::new());
    for (case, _) in cases {
        if !strategies.contains(&case.strategy) {
            strategies.push(case.strategy);
        }
        if !kinds.contains(&case.kind.as_str()) {
            kinds.push(&case.kind);
        }
    }
    let left_out = kinds.len().saturating_sub(SERIES_MAX);
    kinds.truncate(SERIES_MAX);
    let (figure, of) = match unit {
        Unit::Nanoseconds => ("time of a decision", "median and its 95 % interval"),
        Unit::Instructions => ("instructions of a decision", "counted under callgrind"),
    };
    let line = |strategy: Strategy, kind: &str| {
        let own = cases
            .iter()
            .filter(|(case, _)| case.strategy == strategy && case.kind == kind);
        let points = own.map(|(case, figures)| ScalingPoint {
            size: case.nodes as f64,
            cost: figures.median(),
            interval: figures.interval(),
        });
        let mut points: Vec<ScalingPoint> = points.collect();
        points.sort_by(|a, b| a.size.total_cmp(&b.size));
        ScalingSeries {
            name: kind.to_owned(),
            points,
        }
    };
    let panel = |strategy: &Strategy| ScalingPanel {
        title: format!("{strategy}: {figure} with its reservation"),
        series: kinds.iter().map(|kind| line(*strategy, kind)).collect(),
    };
    Scaling {
        title: format!("{title}: decisions by cluster size"),
        subtitle: match left_out {
            0 => of.to_owned(),
            _ => format!("{of}; {left_out} further kinds of request are not drawn"),
        },
        x_label: "nodes".to_owned(),
        is_time: unit == Unit::Nanoseconds,
        panels: strategies.iter().map(panel).collect(),
    }
    .draw()
}
