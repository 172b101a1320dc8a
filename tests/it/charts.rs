//! Charts: what their files contain, and that no input breaks them.

mod gallery;
mod reader;

use std::sync::LazyLock;

use proptest::prelude::*;
use swarmlab::report::chart::*;

use gallery::*;
use reader::{elements, letters, pixels, size};

/// Well-formed, nothing outside the sheet, no letters on top of others, and the same picture in the PNG.
fn check(name: &str, drawing: &Drawing) {
    let (width, height) = size(&drawing.svg);
    let letters = letters(&drawing.svg);
    for (i, (text, [left, top, right, bottom])) in letters.iter().enumerate() {
        let inside = *left >= 0.0 && *top >= 0.0 && *right <= width && *bottom <= height;
        assert!(inside, "{name}: {text:?} leaves the sheet");
        for (other, [left_2, top_2, right_2, bottom_2]) in &letters[i + 1..] {
            let apart = right <= left_2 || right_2 <= left || bottom <= top_2 || bottom_2 <= top;
            assert!(apart, "{name}: {text:?} and {other:?} overlap");
        }
    }

    let pixels = pixels(drawing);
    let ink = pixels.iter().flatten().filter(|&&pixel| pixel != [255; 3]).count();
    assert!(ink > 1000, "{name}: the PNG is blank");
    let border = |i: usize, count: usize| i < 8 || i + 8 >= count;
    for (y, row) in pixels.iter().enumerate() {
        for (x, pixel) in row.iter().enumerate() {
            let outer = border(y, pixels.len()) || border(x, row.len());
            assert!(!outer || *pixel == [255; 3], "{name}: ink at the border, {x} {y}");
        }
    }
}

fn texts(drawing: &Drawing) -> Vec<String> {
    letters(&drawing.svg).into_iter().map(|(text, _)| text).collect()
}

fn assert_says(drawing: &Drawing, expected: &[&str]) {
    let texts = texts(drawing);
    for expected in expected {
        assert!(
            texts.iter().any(|text| text == expected),
            "{expected:?} is not among {texts:?}"
        );
    }
}

/// How many drawn shapes have this fill or stroke.
fn coloured(drawing: &Drawing, name: &str, colour: &str) -> usize {
    let of_colour = |e: &&reader::Element| ["fill", "stroke"].iter().any(|key| e.attribute(key) == Some(colour));
    elements(&drawing.svg)
        .iter()
        .filter(|element| element.name == name)
        .filter(of_colour)
        .count()
}

/// Drawn once for all tests.
static GALLERY: LazyLock<Vec<(&str, Drawing)>> = LazyLock::new(gallery);

const BLUE: &str = "#0072b2";
const GREY: &str = "#c4c8cc";

#[test]
fn every_chart_is_well_formed_legible_and_not_blank() {
    for (name, drawing) in GALLERY.iter() {
        check(name, drawing);
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for ((name, first), (_, second)) in GALLERY.iter().zip(gallery()) {
        assert!(*first == second, "{name} differs from one drawing to the next");
    }
}

#[test]
fn titles_legends_and_units_are_written() {
    let drawing = lines(&[rising(200, 0.8), rising(200, 1.0)]).draw().expect("a chart");
    assert_says(
        &drawing,
        &[
            "Utilisation over time",
            "mean and 95 % interval of 20 runs",
            "spread",
            "binpack",
            "capacity",
        ],
    );
    assert_says(
        &drawing,
        &["CPU reserved (% of capacity)", "virtual time (min)", "100", "105"],
    );

    let drawing = heat(vec![load(20, 200); 2]).draw().expect("a chart");
    assert_says(
        &drawing,
        &[
            "CPU reserved (share of capacity)",
            "100 %",
            "104 %",
            "node down",
            "nodes: 20",
            "binpack",
        ],
    );

    let drawing = distribution(vec![(vec![(3, 1.0), (4, 3.0)], Some(3.75))])
        .draw()
        .expect("a chart");
    assert_says(
        &drawing,
        &["share of nodes (%)", "containers per node", "mean 3.75", "spread"],
    );

    let drawing = stacked(vec![vec![4.8, 0.4, 1.0]]).draw().expect("a chart");
    assert_says(
        &drawing,
        &[
            "rejections (% of requests)",
            "no resources",
            "port taken",
            "4.80",
            "6.20",
        ],
    );

    let drawing = percentiles(vec![vec![(50.0, 300.0), (99.9, 4e4), (100.0, 3e6)]])
        .draw()
        .expect("a chart");
    assert_says(
        &drawing,
        &[
            "100 ns",
            "1 µs",
            "100 µs",
            "10 ms",
            "50",
            "99.9",
            "max",
            "percentile",
            "time for one decision",
        ],
    );

    let drawing = comparison(2, metrics(2)).draw().expect("a chart");
    assert_says(
        &drawing,
        &[
            "% of capacity",
            "GiB",
            "µs",
            "lower is better",
            "2.98",
            "2.35M",
            "4.20",
            "61.0",
            "67.1",
        ],
    );
}

#[test]
fn a_chart_without_data_says_so() {
    assert_says(&lines(&[vec![]]).draw().expect("a chart"), &["no data", "spread"]);
    assert_says(&heat(vec![vec![]]).draw().expect("a chart"), &["no data", "spread"]);
    assert_says(
        &distribution(vec![(vec![], None)]).draw().expect("a chart"),
        &["no data", "spread"],
    );
    assert_says(
        &stacked(vec![vec![0.0; 3]; 2]).draw().expect("a chart"),
        &["no rejections", "spread", "binpack", "0"],
    );
    assert_says(
        &percentiles(vec![vec![]]).draw().expect("a chart"),
        &["no data", "spread"],
    );
    assert_says(&comparison(1, vec![]).draw().expect("a chart"), &["no data", "spread"]);
}

#[test]
fn a_number_that_is_none_interrupts_its_line() {
    let pieces = |points: Vec<LinePoint>| {
        let chart = LinesChart {
            panels: vec![lines(&[points]).panels.remove(0)],
            ..lines(&[])
        };
        let drawing = chart.draw().expect("a chart");
        (
            coloured(&drawing, "polyline", BLUE),
            coloured(&drawing, "polygon", BLUE),
        )
    };
    // The legend has one line and no band.
    assert_eq!(pieces(rising(100, 1.0)), (2, 1));
    let mut points = rising(100, 1.0);
    points[50].mean = f64::INFINITY;
    assert_eq!(pieces(points.clone()), (3, 2));
    points[80].band = None;
    assert_eq!(pieces(points), (3, 3));
}

#[test]
fn many_points_are_drawn_as_few_without_losing_the_band() {
    let mut points = rising(100_000, 1.0);
    points[70_000].band = Some((0.0, 400.0));
    let drawing = lines(&[points]).draw().expect("a chart");
    assert!(drawing.svg.len() < 150_000, "{} bytes", drawing.svg.len());
    assert_says(&drawing, &["400"]);
    let bands = elements(&drawing.svg)
        .into_iter()
        .filter(|element| element.name == "polygon");
    let reach = |band: reader::Element| {
        let points = band.attribute("points").expect("points").to_string();
        let heights = points.split(' ').map(|pair| {
            pair.split_once(',')
                .expect("a pair")
                .1
                .parse::<f64>()
                .expect("a number")
        });
        let (low, high) = heights.fold((f64::MAX, f64::MIN), |(low, high), y| (low.min(y), high.max(y)));
        high - low
    };
    assert!(
        bands.map(reach).all(|height| height > 200.0),
        "the widest band has vanished"
    );
}

#[test]
fn overcommitted_and_absent_cells_stand_out() {
    let full = heat(vec![vec![vec![Some(0.0), Some(1.0)]]]).draw().expect("a chart");
    assert_eq!(coloured(&full, "path", GREY), 0);
    assert!(!texts(&full).contains(&"node down".to_string()));

    let rows = vec![vec![Some(0.0), Some(1.0)], vec![Some(1.2), None]];
    let drawing = heat(vec![rows]).draw().expect("a chart");
    assert_says(&drawing, &["node down", "120 %"]);
    assert_eq!(coloured(&drawing, "path", GREY), 1);
    // The darkest red: once in the key, once in the map.
    assert_eq!(coloured(&drawing, "path", "#7a0016"), 2);
    let pixels = pixels(&drawing);
    let count = |colour: [u8; 3]| pixels.iter().flatten().filter(|&&pixel| pixel == colour).count();
    // A quarter of the panel each, at two rows of 24 pixels and somewhat less than 1000 across.
    for colour in [
        [0x44, 0x01, 0x54],
        [0xfd, 0xe7, 0x25],
        [0x7a, 0x00, 0x16],
        [0xc4, 0xc8, 0xcc],
    ] {
        assert!(
            (38_000..50_000).contains(&count(colour)),
            "{colour:x?}: {}",
            count(colour)
        );
    }
}

#[test]
fn thousands_of_nodes_fit_into_one_map() {
    let drawing = heat(vec![load(3000, 1000)]).draw().expect("a chart");
    check("3000 nodes", &drawing);
    assert!(drawing.svg.len() < 2_000_000, "{} bytes", drawing.svg.len());
    assert_says(&drawing, &["nodes: 3,000, 30 per row", "1,000"]);

    // One node in thirty that is over capacity, and one that is down, can still be seen.
    let mut rows = vec![vec![Some(0.2); 100]; 3000];
    let colours = |rows: &Vec<Vec<Option<f32>>>| {
        let drawing = heat(vec![rows.clone()]).draw().expect("a chart");
        let elements = elements(&drawing.svg);
        // The map is the last group; those before it are the key.
        let paths = elements.rsplit(|element| element.name == "g").next().expect("a map");
        paths.iter().filter(|element| element.name == "path").count()
    };
    assert_eq!(colours(&rows), 1);
    rows[1234] = vec![Some(1.3); 100];
    assert_eq!(colours(&rows), 2);
    rows[2345] = vec![None; 100];
    assert_eq!(colours(&rows), 3);
}

#[test]
fn only_a_true_winner_is_marked() {
    let drawing = comparison(3, metrics(3)).draw().expect("a chart");
    let stars = texts(&drawing).iter().filter(|text| *text == "★").count();
    assert_eq!(stars, 3, "two winners and the key");
    let nothing = metric("nothing", Unit::None, vec![None, None, None], Some(1));
    let nobody = metric("nobody", Unit::None, vec![estimate(1.0, 0.1); 3], Some(3));
    let drawing = comparison(3, vec![nothing, nobody]).draw().expect("a chart");
    assert!(!texts(&drawing).iter().any(|text| text == "★"));
}

#[test]
fn what_nobody_could_read_is_refused() {
    let many = lines(&[rising(2, 1.0)]).panels.remove(0).series.remove(0);
    let series = (0..=SERIES_MAX)
        .map(|i| LineSeries {
            name: i.to_string(),
            ..many.clone()
        })
        .collect();
    let panel = LinesPanel {
        y_label: "y".into(),
        limit: None,
        series,
    };
    let error = LinesChart {
        panels: vec![panel],
        ..lines(&[])
    }
    .draw()
    .expect_err("too many");
    assert_eq!(error.to_string(), "a chart takes at most 12 series, not 13");

    let panel = HeatPanel {
        name: "p".into(),
        rows: load(2, 2),
    };
    let map = HeatMap {
        panels: vec![panel; PANELS_MAX + 1],
        ..heat(vec![])
    };
    assert!(matches!(
        map.draw(),
        Err(ChartError::TooMany {
            what: "panels",
            found: 13,
            limit: 12
        })
    ));

    let metrics = vec![metrics(1)[0].clone(); METRICS_MAX + 1];
    assert!(matches!(
        comparison(1, metrics).draw(),
        Err(ChartError::TooMany { what: "metrics", .. })
    ));
}

/// Any number at all, the ordinary ones most of the time.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -10.0..1000.0, 1 => any::<f64>(), 1 => Just(f64::NAN), 1 => Just(0.0), 1 => 0.999..1.001]
}

#[test]
fn an_interval_that_dwarfs_its_mean_stays_on_the_sheet() {
    let estimate = Estimate {
        mean: 1e-296,
        low: 0.0,
        high: 746.6,
    };
    let panel = metric("any", Unit::None, vec![Some(estimate)], None);
    check("comparison", &comparison(6, vec![panel]).draw().expect("a chart"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_numbers_break_a_chart(
        points in prop::collection::vec((number(), number(), prop::option::of((number(), number()))), 0..20),
        estimates in prop::collection::vec(prop::option::of((number(), number(), number())), 0..8),
        counts in prop::collection::vec((any::<u64>(), number()), 0..8),
        unit in prop_oneof![Just(Unit::None), Just(Unit::Seconds), Just(Unit::Bytes)],
        winner in prop::option::of(0_usize..9),
    ) {
        let point = |&(seconds, mean, band): &(f64, f64, Option<(f64, f64)>)| LinePoint { seconds, mean, band };
        check("lines", &lines(&[points.iter().map(point).collect()]).draw().expect("a chart"));
        let pairs: Vec<(f64, f64)> = points.iter().map(|&(a, b, _)| (a, b)).collect();
        check("scaling", &scaling(true, vec![pairs.clone()]).draw().expect("a chart"));
        check("scaling, counts", &scaling(false, vec![pairs.clone()]).draw().expect("a chart"));
        check("percentiles", &percentiles(vec![pairs]).draw().expect("a chart"));
        let values = estimates.iter().map(|e| e.map(|(mean, low, high)| Estimate { mean, low, high })).collect();
        check("comparison", &comparison(6, vec![metric("any", unit, values, winner)]).draw().expect("a chart"));
        let bars = points.iter().take(6).map(|&(a, b, _)| vec![a, b]).collect();
        check("bars", &stacked(bars).draw().expect("a chart"));
        let mean = points.first().map(|point| point.0);
        check("distribution", &distribution(vec![(counts, mean)]).draw().expect("a chart"));
        let cells = points.iter().map(|&(a, b, _)| vec![Some(a as f32), Some(b as f32)]).collect();
        let (from, to) = points.first().map_or((0.0, 1.0), |point| (point.0, point.1));
        check("heat", &HeatMap { seconds: (from, to), ..heat(vec![cells]) }.draw().expect("a chart"));
    }
}
