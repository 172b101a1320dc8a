//! Charts to draw: ordinary data, and every odd case that has a name.

use swarmlab::report::chart::*;

pub const NAMES: [&str; 6] = [
    "spread",
    "binpack",
    "random",
    "binpack (strict)",
    "spread & <binpack>",
    "a strategy whose name somebody wrote down in full, with all its settings, one after the other",
];

pub fn lines(series: &[Vec<LinePoint>]) -> LinesChart {
    let named = |(i, points): (usize, &Vec<LinePoint>)| LineSeries {
        name: NAMES[i].into(),
        points: points.clone(),
    };
    let panel = |y_label: &str| LinesPanel {
        y_label: y_label.into(),
        limit: Some(Limit {
            name: "capacity".into(),
            value: 100.0,
        }),
        series: series.iter().enumerate().map(named).collect(),
    };
    LinesChart {
        title: "Utilisation over time".into(),
        subtitle: "mean and 95 % interval of 20 runs".into(),
        panels: vec![
            panel("CPU reserved (% of capacity)"),
            panel("memory reserved (% of capacity)"),
        ],
    }
}

pub fn rising(count: usize, factor: f64) -> Vec<LinePoint> {
    let point = |i: usize| {
        let mean = factor * 100.0 * i as f64 / count as f64;
        LinePoint {
            seconds: 36.0 * i as f64,
            mean,
            band: Some((mean - 3.0, mean + 3.0)),
        }
    };
    (0..count).map(point).collect()
}

pub fn heat(panels: Vec<Vec<Vec<Option<f32>>>>) -> HeatMap {
    let named = |(i, rows): (usize, _)| HeatPanel {
        name: NAMES[i].into(),
        rows,
    };
    HeatMap {
        title: "Load of each node".into(),
        subtitle: "seed 42".into(),
        value_label: "CPU reserved (share of capacity)".into(),
        rows_label: "nodes".into(),
        absent_label: "node down".into(),
        seconds: (0.0, 7200.0),
        panels: panels.into_iter().enumerate().map(named).collect(),
    }
}

/// Values from 0 to 1.05, and a node that is down for a while.
pub fn load(rows: usize, columns: usize) -> Vec<Vec<Option<f32>>> {
    let cell = |row: usize, column: usize| {
        let down = row == 1 && (columns / 4..columns / 2).contains(&column);
        (!down).then(|| (row * 7 % 11) as f32 / 10.0 * 1.05 * column as f32 / columns as f32)
    };
    (0..rows)
        .map(|row| (0..columns).map(|column| cell(row, column)).collect())
        .collect()
}

/// Counts and their mean.
pub type Counted = (Vec<(u64, f64)>, Option<f64>);

pub fn distribution(histograms: Vec<Counted>) -> Distribution {
    let named = |(i, (counts, mean)): (usize, _)| Histogram {
        name: NAMES[i].into(),
        counts,
        mean,
    };
    Distribution {
        title: "Containers per node".into(),
        subtitle: "at the end".into(),
        x_label: "containers per node".into(),
        counted: "nodes".into(),
        histograms: histograms.into_iter().enumerate().map(named).collect(),
    }
}

pub fn stacked(bars: Vec<Vec<f64>>) -> StackedBars {
    let named = |(i, values): (usize, _)| Bar {
        name: NAMES[i].into(),
        values,
    };
    StackedBars {
        title: "Rejections by reason".into(),
        subtitle: String::new(),
        x_label: "rejections (% of requests)".into(),
        parts: ["no resources", "no healthy node", "port taken"]
            .map(String::from)
            .to_vec(),
        nothing: "no rejections".into(),
        bars: bars.into_iter().enumerate().map(named).collect(),
    }
}

pub fn percentiles(series: Vec<Vec<(f64, f64)>>) -> Percentiles {
    let point = |&(percentile, nanoseconds): &(f64, f64)| PercentilePoint {
        percentile,
        nanoseconds,
    };
    let named = |(i, points): (usize, &Vec<(f64, f64)>)| PercentileSeries {
        name: NAMES[i].into(),
        points: points.iter().map(point).collect(),
    };
    Percentiles {
        title: "Decision latency".into(),
        subtitle: "1,500 nodes".into(),
        y_label: "time for one decision".into(),
        series: series.iter().enumerate().map(named).collect(),
    }
}

/// Lines of (size, cost), each cost with an interval of a tenth around it, in two panels.
pub fn scaling(is_time: bool, series: Vec<Vec<(f64, f64)>>) -> Scaling {
    let point = |&(size, cost): &(f64, f64)| ScalingPoint {
        size,
        cost,
        interval: Some((0.9 * cost, 1.1 * cost)),
    };
    let named = |(i, points): (usize, &Vec<(f64, f64)>)| ScalingSeries {
        name: NAMES[i].into(),
        points: points.iter().map(point).collect(),
    };
    let panel = |title: &str| ScalingPanel {
        title: title.into(),
        series: series.iter().enumerate().map(named).collect(),
    };
    Scaling {
        title: "Decisions by cluster size".into(),
        subtitle: "median".into(),
        x_label: "nodes".into(),
        is_time,
        panels: vec![panel("the one"), panel("the other")],
    }
}

pub fn metric(title: &str, unit: Unit, estimates: Vec<Option<Estimate>>, winner: Option<usize>) -> MetricPanel {
    MetricPanel {
        title: title.into(),
        unit,
        better: Better::Lower,
        estimates,
        winner,
    }
}

pub fn estimate(mean: f64, half_width: f64) -> Option<Estimate> {
    Some(Estimate {
        mean,
        low: mean - half_width,
        high: mean + half_width,
    })
}

pub fn comparison(strategies: usize, metrics: Vec<MetricPanel>) -> Comparison {
    Comparison {
        title: "Strategies compared".into(),
        subtitle: "mean and 95 % interval of 20 runs".into(),
        winner_label: "significantly better than every other".into(),
        strategies: NAMES[..strategies].iter().map(|name| name.to_string()).collect(),
        metrics,
    }
}

/// Metrics of very different sizes and units, one with a title that takes more than two lines.
pub fn metrics(strategies: usize) -> Vec<MetricPanel> {
    let around = |value: f64| {
        (0..strategies)
            .map(|i| estimate(value * (1.0 + 0.1 * i as f64), value * 0.04))
            .collect()
    };
    let long =
        "memory that is left over on nodes whose processors are exhausted, as a share of the memory of all nodes";
    vec![
        metric(
            "CPU reserved",
            Unit::Plain("% of capacity".into()),
            around(61.0),
            Some(0),
        ),
        metric(long, Unit::Bytes, around(3.2e9), Some(strategies - 1)),
        metric("waiting time, 99th percentile", Unit::Seconds, around(4.2e-6), None),
        metric("requests decided", Unit::None, around(2_345_678.0), None),
        metric("imbalance", Unit::None, around(-1e-9), None),
        metric(
            "all alike",
            Unit::Plain("".into()),
            (0..strategies).map(|_| estimate(7.0, 0.0)).collect(),
            None,
        ),
        metric("astronomic", Unit::Plain("parsecs".into()), around(-3e40), None),
    ]
}

/// Ordinary data, then every odd case that has a name.
pub fn gallery() -> Vec<(&'static str, Drawing)> {
    let nan = f64::NAN;
    let tail = |factor: f64| {
        [(50.0, 900.0), (90.0, 2e3), (99.0, 5e3), (99.99, 4e4), (100.0, 3e6)].map(|(p, t)| (p, t * factor))
    };
    let mut broken = rising(100, 1.0);
    broken[40].mean = nan;
    broken[60].band = Some((f64::NEG_INFINITY, nan));
    let level = |p: LinePoint| LinePoint {
        mean: 1e9,
        band: None,
        ..p
    };
    let flat: Vec<LinePoint> = rising(30, 1.0).into_iter().map(level).collect();
    let tiny: Vec<LinePoint> = rising(30, 1e-12)
        .into_iter()
        .map(|p| LinePoint { band: None, ..p })
        .collect();
    let mut odd_names = lines(&[rising(10, 1.0)]);
    odd_names.title = "A title that is far too long for one line, ".repeat(9);
    odd_names.panels[0].y_label = "\u{0}<tag> & \"quote\"\n\t\u{fffe}漢字 ".repeat(20);
    odd_names.panels[0].series[0].name = "\u{1b}[31m]]> & ".repeat(30);
    let drawings = vec![
        (
            "lines",
            lines(&[rising(200, 0.8), rising(200, 1.0), rising(200, 1.05)]).draw(),
        ),
        (
            "lines, six of 10,000 points",
            lines(&[0.5, 0.6, 0.7, 0.8, 0.9, 1.0].map(|f| rising(10_000, f))).draw(),
        ),
        ("lines, interrupted", lines(&[broken]).draw()),
        ("lines, all equal and tiny", lines(&[flat, tiny]).draw()),
        ("lines, one point", lines(&[rising(2, 1.0)[..1].to_vec()]).draw()),
        ("lines, empty", lines(&[vec![], vec![]]).draw()),
        ("lines, odd names", odd_names.draw()),
        (
            "lines, no panel",
            LinesChart {
                panels: vec![],
                ..lines(&[])
            }
            .draw(),
        ),
        ("heat", heat(vec![load(20, 200); 3]).draw()),
        ("heat, six", heat(vec![load(37, 90); 6]).draw()),
        (
            "heat, ragged",
            heat(vec![vec![
                vec![Some(0.5)],
                vec![],
                vec![None, Some(f32::NAN), Some(2.0)],
            ]])
            .draw(),
        ),
        ("heat, empty", heat(vec![vec![], vec![vec![]]]).draw()),
        (
            "heat, no time",
            HeatMap {
                seconds: (nan, 0.0),
                ..heat(vec![load(1, 1)])
            }
            .draw(),
        ),
        (
            "distribution",
            distribution(vec![
                (vec![(11, 3.0), (12, 14.0), (13, 3.0)], Some(12.0)),
                (vec![(0, 9.0), (22, 11.5)], Some(12.1)),
            ])
            .draw(),
        ),
        (
            "distribution, flat and narrow",
            distribution(vec![
                (vec![(50, 100.0)], Some(50.0)),
                ((0..100).map(|i| (i, 1.0)).collect(), None),
            ])
            .draw(),
        ),
        (
            "distribution, extremes",
            distribution(vec![
                (vec![(0, 1.0), (u64::MAX, 1.0)], Some(9.2e18)),
                (vec![(3, nan), (4, -1.0)], Some(nan)),
            ])
            .draw(),
        ),
        ("distribution, empty", distribution(vec![(vec![], None)]).draw()),
        (
            "bars",
            stacked(vec![vec![4.8, 0.4, 1.0], vec![1.5, 1.3, 0.02], vec![0.0; 3]]).draw(),
        ),
        (
            "bars, six",
            stacked((1..7).map(|i| vec![1e5 * f64::from(i), 3e4, 1.0]).collect()).draw(),
        ),
        ("bars, none rejected", stacked(vec![vec![0.0; 3]; 3]).draw()),
        (
            "bars, odd",
            stacked(vec![vec![nan, -1.0, f64::INFINITY, 5.0], vec![], vec![1e-9]]).draw(),
        ),
        (
            "bars, empty",
            StackedBars {
                parts: vec![],
                ..stacked(vec![])
            }
            .draw(),
        ),
        (
            "percentiles",
            percentiles(vec![tail(1.0).to_vec(), tail(3.0).to_vec(), tail(9.0).to_vec()]).draw(),
        ),
        (
            "percentiles, all equal",
            percentiles(vec![vec![(50.0, 1000.0), (100.0, 1000.0)]]).draw(),
        ),
        (
            "percentiles, odd",
            percentiles(vec![vec![
                (-1.0, 5.0),
                (nan, 5.0),
                (50.0, 0.0),
                (99.0, 1e18),
                (100.0, nan),
            ]])
            .draw(),
        ),
        (
            "scaling",
            scaling(
                true,
                vec![
                    vec![(10.0, 300.0), (1e4, 350.0)],
                    vec![(10.0, 1e3), (500.0, 5e4), (1e4, 1e6)],
                ],
            )
            .draw(),
        ),
        (
            "scaling, counts",
            scaling(false, vec![vec![(1.0, 3.0), (1e6, 4e9)]]).draw(),
        ),
        ("scaling, one size", scaling(true, vec![vec![(24.0, 250.0)]]).draw()),
        (
            "scaling, close sizes",
            scaling(true, vec![(100..140).map(|size| (f64::from(size), 10.0)).collect()]).draw(),
        ),
        (
            "scaling, odd",
            scaling(
                true,
                vec![vec![
                    (0.0, 5.0),
                    (nan, 5.0),
                    (-1.0, 5.0),
                    (10.0, 0.0),
                    (20.0, 1e300),
                    (30.0, 1e18),
                ]],
            )
            .draw(),
        ),
        ("scaling, empty", scaling(false, vec![vec![]]).draw()),
        ("percentiles, empty", percentiles(vec![vec![]]).draw()),
        ("comparison", comparison(3, metrics(3)).draw()),
        (
            "comparison, six by 24",
            comparison(6, metrics(6).into_iter().cycle().take(24).collect()).draw(),
        ),
        ("comparison, one", comparison(1, metrics(1)[..1].to_vec()).draw()),
        (
            "comparison, gaps",
            comparison(
                3,
                vec![
                    metric("gaps", Unit::Seconds, vec![None, estimate(nan, 1.0)], Some(1)),
                    metric("one side", Unit::None, vec![estimate(1.0, nan)], Some(7)),
                ],
            )
            .draw(),
        ),
        ("comparison, empty", comparison(0, vec![]).draw()),
    ];
    drawings
        .into_iter()
        .map(|(name, drawing)| (name, drawing.expect(name)))
        .collect()
}
