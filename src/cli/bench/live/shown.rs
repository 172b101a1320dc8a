//! What a test of a manager has found, as tables and files.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::bench::Origin;
use crate::load::{Latencies, Measured, Operation, Reading};
use crate::metrics::stats::quantile;
use crate::report::{self, Align, ResultSet};
use crate::scaletest::{Findings, Plan, Usage};
use crate::scenario::Scenario;

/// Percentiles of everything that is timed.
const PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 99.9];
/// What Docker published in November 2015 of its test with Swarm 1.0, in milliseconds at the 50th, 90th and 99th
/// percentile: the delay of `docker run -dit ubuntu bash`, and of `docker info`.
const PUBLISHED_RUN: [f64; 3] = [230.0, 250.0, 400.0];
const PUBLISHED_INFO: [f64; 3] = [150.0, 200.0, 360.0];

/// Kinds of errors that are printed.
const ERRORS_SHOWN: usize = 10;

/// What is shown.
pub struct Shown<'a> {
    pub plan: &'a Plan,
    pub scenario: &'a Scenario,
    pub findings: &'a Findings,
}

/// One thing that was timed.
struct Row {
    what: String,
    clients: usize,
    count: u64,
    /// At the percentiles, and the largest.
    values_ms: [f64; 5],
    bytes: Option<u64>,
    published_ms: Option<[f64; 3]>,
}

/// One other thing.
struct Figure {
    key: &'static str,
    title: String,
    value: f64,
    unit: &'static str,
}

impl Row {
    fn of(what: impl Into<String>, clients: usize, latencies_ns: &Histogram<u64>) -> Row {
        let at = |percentile: f64| latencies_ns.value_at_percentile(percentile) as f64 / 1e6;
        let [a, b, c, d] = PERCENTILES.map(at);
        Row {
            what: what.into(),
            clients,
            count: latencies_ns.len(),
            values_ms: [a, b, c, d, latencies_ns.max() as f64 / 1e6],
            bytes: None,
            published_ms: None,
        }
    }

    fn beside(self, published_ms: [f64; 3]) -> Row {
        Row {
            published_ms: Some(published_ms),
            ..self
        }
    }

    fn cells(&self) -> Vec<String> {
        let [p50, p90, p99, _, max] = self.values_ms.map(millis);
        let published = self.published_ms.map_or(String::new(), |values| {
            values.map(|value| format!("{value:.0}")).join(" / ")
        });
        let what = match self.bytes {
            Some(bytes) => format!("{}, {}", self.what, size(bytes)),
            None => self.what.clone(),
        };
        vec![
            what,
            self.clients.to_string(),
            self.count.to_string(),
            p50,
            p90,
            p99,
            max,
            published,
        ]
    }

    fn json(&self) -> Value {
        let [p50, p90, p99, p999, max] = self.values_ms;
        json!({
            "what": self.what, "clients": self.clients, "count": self.count, "bytes": self.bytes,
            "p50_ms": p50, "p90_ms": p90, "p99_ms": p99, "p99.9_ms": p999, "max_ms": max,
            "published_ms": self.published_ms,
        })
    }
}

/// Milliseconds with as many digits as say something.
fn millis(value: f64) -> String {
    match value.abs() {
        value_abs if value_abs >= 100.0 => format!("{value:.0}"),
        value_abs if value_abs >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

impl Shown<'_> {
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let findings = self.findings;
        let each = |latencies: &Latencies, suffix: &str, clients: usize, rows: &mut Vec<Row>| {
            for operation in [Operation::CreateAndStart, Operation::Create, Operation::Start] {
                if let Some(histogram) = latencies.since_sent(operation) {
                    rows.push(Row::of(format!("{}{suffix}", operation.name()), clients, histogram));
                }
            }
        };
        let first = |rows: &mut Vec<Row>, from: usize| {
            if let Some(row) = rows.get_mut(from).filter(|row| row.what.starts_with("create+start")) {
                row.published_ms = Some(PUBLISHED_RUN);
            }
        };
        if let Some(one) = &findings.one {
            each(&one.target.latencies, "", 1, &mut rows);
            first(&mut rows, 0);
            each(&one.direct.latencies, " at the engine itself", 1, &mut rows);
            for (number, what) in [(2, "create+start"), (0, "create"), (1, "start")] {
                let shares: Vec<f64> = one.shares_ns.iter().map(|share| share[number] / 1e6).collect();
                let at = |percentile: f64| quantile(&shares, percentile / 100.0).unwrap_or(f64::NAN);
                if !shares.is_empty() {
                    let [a, b, c, d] = PERCENTILES.map(at);
                    rows.push(Row {
                        what: format!("{what}, the manager's own share"),
                        clients: 1,
                        count: shares.len() as u64,
                        values_ms: [a, b, c, d, at(100.0)],
                        bytes: None,
                        published_ms: None,
                    });
                }
            }
        }
        let clients = self.plan.clients;
        if let Some(many) = &findings.many {
            let from = rows.len();
            each(&many.latencies, "", clients, &mut rows);
            first(&mut rows, from);
        }
        for reading in &findings.readings {
            rows.push(read(reading));
        }
        if let Some(fill) = &findings.fill {
            each(&fill.measured.latencies, " while filling", clients, &mut rows);
        }
        rows
    }

    fn figures(&self) -> Vec<Figure> {
        let findings = self.findings;
        let mut figures = Vec::new();
        let mut add = |key, title: String, value: Option<f64>, unit| {
            figures.extend(value.map(|value| Figure {
                key,
                title,
                value,
                unit,
            }));
        };
        let seconds = |span: Option<Duration>| span.map(|span| span.as_secs_f64());
        let resident = |usage: Option<Usage>| usage.map(|usage| usage.resident_bytes as f64 / 1e6);
        let nodes = self.plan.simulated.nodes.len();
        add(
            "engines_ready_s",
            format!("until all {nodes} engines listen"),
            seconds(findings.engines_ready),
            "s",
        );
        add(
            "engines_rss_mb",
            "memory of the engines, empty".to_owned(),
            resident(findings.engines_usage),
            "MB",
        );
        add(
            "healthy_s",
            "until the manager takes all of them for healthy".to_owned(),
            seconds(findings.healthy),
            "s",
        );
        add(
            "healthy_rss_mb",
            "memory of the manager, cluster empty".to_owned(),
            resident(findings.healthy_usage),
            "MB",
        );
        let processor = |spent: Option<Duration>, measured: &Measured| {
            let count = measured.placements();
            spent
                .filter(|_| count > 0)
                .map(|spent| spent.as_secs_f64() * 1e3 / count as f64)
        };
        if let Some(fill) = &findings.fill {
            let measured = &fill.measured;
            add(
                "fill_per_s",
                format!("containers a second while filling in {}", measured.placements()),
                rate(measured),
                "/s",
            );
            add(
                "fill_cpu_ms",
                "processor time of the manager for each of those".to_owned(),
                processor(fill.processor, measured),
                "ms",
            );
            add(
                "full_rss_mb",
                "memory of the manager, cluster full".to_owned(),
                resident(fill.usage),
                "MB",
            );
            add(
                "full_engines_rss_mb",
                "memory of the engines, full".to_owned(),
                resident(fill.engines),
                "MB",
            );
        }
        if let Some(many) = &findings.many {
            add(
                "many_per_s",
                format!("containers a second with {} clients", self.plan.clients),
                rate(many),
                "/s",
            );
            add(
                "many_cpu_ms",
                "processor time of the manager for each of those".to_owned(),
                processor(findings.many_processor, many),
                "ms",
            );
        }
        if let Some(idle) = &findings.idle {
            let share = 100.0 * idle.processor.as_secs_f64() / idle.span.as_secs_f64().max(1e-9);
            add(
                "idle_cpu_pct",
                "processor of the manager while nobody asks".to_owned(),
                Some(share),
                "%",
            );
            add(
                "idle_rss_mb",
                "memory of the manager at the end".to_owned(),
                resident(Some(idle.usage)),
                "MB",
            );
            let most = idle.usage.resident_peak_bytes as f64 / 1e6;
            add(
                "peak_rss_mb",
                "memory of the manager at most".to_owned(),
                Some(most),
                "MB",
            );
        }
        figures
    }

    /// What did not go as asked, in whole sentences.
    fn errors(&self) -> Vec<String> {
        let findings = self.findings;
        let measured = [
            ("while filling", findings.fill.as_ref().map(|fill| &fill.measured)),
            ("with one client", findings.one.as_ref().map(|one| &one.target)),
            ("at engines directly", findings.one.as_ref().map(|one| &one.direct)),
            ("with many clients", findings.many.as_ref()),
        ];
        let of = |(when, measured): (&'static str, Option<&Measured>)| {
            let errors = measured.into_iter().flat_map(|measured| &measured.errors);
            let lines: Vec<String> = errors
                .map(|(kind, count)| format!("{when}, {count} × {kind}"))
                .collect();
            lines
        };
        let mut errors: Vec<String> = measured.into_iter().flat_map(of).collect();
        for reading in &findings.readings {
            errors.extend(
                reading
                    .error
                    .iter()
                    .map(|error| format!("GET {}: {error}", reading.path)),
            );
        }
        errors
    }

    /// Prints what people want to know.
    pub fn print_table(&self, path: &Path) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        let nodes = self.plan.simulated.nodes.len();
        writeln!(
            out,
            "{nodes} simulated engines, {} containers on each, {}; manager: {}\n",
            self.plan.containers_per_node,
            self.plan.strategy,
            self.findings
                .manager
                .iter()
                .map(|word| shortened(word))
                .collect::<Vec<_>>()
                .join(" ")
        )?;
        let header = [
            ("milliseconds", Align::Left),
            ("clients", Align::Right),
            ("count", Align::Right),
            ("p50", Align::Right),
            ("p90", Align::Right),
            ("p99", Align::Right),
            ("max", Align::Right),
            ("published p50 / p90 / p99", Align::Right),
        ];
        let rows = self.rows();
        writeln!(out, "{}\n", report::table(&header, rows.iter().map(Row::cells)))?;
        let figures = self.figures();
        let figure = |figure: &Figure| {
            let value = match figure.unit {
                "/s" => format!("{:.0} /s", figure.value),
                unit => format!("{} {unit}", millis(figure.value)),
            };
            vec![figure.title.clone(), value]
        };
        let header = [("besides", Align::Left), ("", Align::Right)];
        writeln!(out, "{}\n", report::table(&header, figures.iter().map(figure)))?;
        if self.findings.healthy.is_some() && self.findings.healthy_usage.is_none() {
            writeln!(
                out,
                "Memory and processor time are not measured: this system does not tell them.\n"
            )?;
        }
        let errors = self.errors();
        for error in errors.iter().take(ERRORS_SHOWN) {
            writeln!(out, "{error}")?;
        }
        if let Some(more @ 1..) = errors.len().checked_sub(ERRORS_SHOWN) {
            writeln!(out, "and {more} errors of other kinds, which are in live.json")?;
        }
        writeln!(
            out,
            "Published: Docker's test of Swarm 1.0 in 2015, 1,000 nodes and 30,000 containers on a real cloud, measured\n\
             with `docker run` and `docker info`."
        )?;
        writeln!(out, "All figures and the logs are in {}", path.display())?;
        Ok(())
    }

    /// Everything, for programs.
    pub fn json(&self) -> Value {
        let figures = self
            .figures()
            .into_iter()
            .map(|figure| (figure.key.to_owned(), json!(figure.value)));
        json!({
            "nodes": self.plan.simulated.nodes.len(),
            "containers_per_node": self.plan.containers_per_node,
            "strategy": self.plan.strategy,
            "manager": self.findings.manager,
            "origin": Origin::here(),
            "latencies": self.rows().iter().map(Row::json).collect::<Vec<_>>(),
            "figures": Value::Object(figures.collect()),
            "errors": self.errors(),
        })
    }

    /// Writes the files.
    pub fn write(&self, output: ResultSet<'_>) -> anyhow::Result<()> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record([
            "what",
            "clients",
            "count",
            "p50_ms",
            "p90_ms",
            "p99_ms",
            "p99.9_ms",
            "max_ms",
            "bytes",
            "published_p50_ms",
            "published_p90_ms",
            "published_p99_ms",
        ])?;
        for row in self.rows() {
            let mut cells = vec![row.what.clone(), row.clients.to_string(), row.count.to_string()];
            cells.extend(row.values_ms.map(|value| format!("{value:.4}")));
            cells.push(row.bytes.map_or(String::new(), |bytes| bytes.to_string()));
            match row.published_ms {
                Some(values) => cells.extend(values.map(|value| value.to_string())),
                None => cells.extend([const { String::new() }; 3]),
            }
            csv.write_record(cells)?;
        }
        output.write("live.csv", &csv.into_inner()?)?;
        let text = |value: &Value| serde_json::to_string_pretty(value).map(|text| text + "\n");
        output.write("live.json", text(&self.json())?.as_bytes())?;
        let manifest = json!({
            "program": "swarmlab",
            "version": env!("CARGO_PKG_VERSION"),
            "command_line": std::env::args().collect::<Vec<_>>(),
            "scenario": {
                "name": self.scenario.name, "title": self.scenario.title, "hash": self.scenario.hash,
                "text": self.scenario.text,
            },
            "strategies": [self.plan.strategy],
            "seeds": [self.plan.seed],
            "manager": self.findings.manager,
            "origin": Origin::here(),
            "platform": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        });
        Ok(output.finish(text(&manifest)?.as_bytes())?)
    }
}

fn read(reading: &Reading) -> Row {
    let row = Row::of(format!("GET {}", reading.path), 1, &reading.latencies_ns);
    let row = Row {
        bytes: Some(reading.bytes),
        ..row
    };
    match reading.path.as_str() {
        "/info" => row.beside(PUBLISHED_INFO),
        _ => row,
    }
}

/// Containers a second.
fn rate(measured: &Measured) -> Option<f64> {
    let seconds = measured.elapsed.as_secs_f64();
    (measured.placements() > 0 && seconds > 0.0).then(|| measured.placements() as f64 / seconds)
}

/// A word of a command line that is short enough to be read.
fn shortened(word: &str) -> String {
    const MOST: usize = 48;
    match word.char_indices().nth(MOST) {
        Some((place, _)) => format!("{}…", &word[..place]),
        None => word.to_owned(),
    }
}
