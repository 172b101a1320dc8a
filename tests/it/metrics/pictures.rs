//! What is drawn later: the series, the load map and the occupancy of nodes.

use std::time::Duration;

use swarmlab::metrics::{LOAD_COLUMNS_MAX, LOAD_ROWS_MAX, LoadUnit, Metric, SERIES, Setup};
use swarmlab::model::Time;

use super::history::{History, check, setup};

#[test]
fn the_load_of_a_node_is_its_dominant_share() {
    let setup = setup(&[(4, 8), (4, 8), (0, 0)]);
    let mut history = History::new(&setup);
    history
        .at(0)
        .submit_to("a", 1, 4, 0)
        .submit_to("b", 3, 2, 1)
        .submit_to("c", 0, 0, 2)
        .sample();
    history.at(5).fail(0, &[]).drain(1, &[]).sample();
    history.at(6).recover(0).leave(1, &[]);
    let load = history.end(7).load;
    assert_eq!(load.unit, LoadUnit::Share);
    assert_eq!(load.times, [Time::ZERO, Time(5_000_000_000), Time(7_000_000_000)]);
    let names: Vec<&str> = load.rows.iter().map(|row| row.first.as_str()).collect();
    assert_eq!(names, ["n0", "n1", "n2"]);
    assert_eq!(load.row(0)[0], 0.5);
    assert!(load.row(0)[1].is_nan(), "a failed node has no load");
    assert_eq!(load.row(0)[2], 0.0);
    assert_eq!(load.row(1)[..2], [0.75, 0.75], "a drained node still has a load");
    assert!(load.row(1)[2].is_nan(), "a node that left has no load");
    assert_eq!(load.row(2), [0.0; 3]);
}

#[test]
fn where_nothing_is_reserved_containers_are_the_load() {
    let setup = setup(&[(4, 8), (4, 8)]);
    let mut history = History::new(&setup);
    history
        .at(0)
        .submit_to("a", 0, 0, 0)
        .submit_to("b", 0, 0, 0)
        .submit_to("c", 0, 0, 1);
    let load = history.end(1).load;
    assert_eq!((load.unit, load.cells), (LoadUnit::Containers, vec![2.0, 1.0]));
}

#[test]
fn many_nodes_and_samples_share_cells() {
    let setup = setup(&vec![(4, 4); 600]);
    let mut history = History::new(&setup);
    for node in 0..600 {
        // The first half is full, the others are half full.
        let cpus = if node < 300 { 4 } else { 2 };
        history.at(0).submit_to(&format!("c{node}"), cpus, 0, node);
    }
    for second in 0..1000 {
        history.at(second).sample();
    }
    let record = history.end(1000);
    let load = &record.load;
    assert_eq!(load.rows.len(), LOAD_ROWS_MAX);
    assert_eq!(load.rows.iter().map(|row| row.nodes).sum::<usize>(), 600);
    assert_eq!((load.rows[0].first.as_str(), load.rows[0].last.as_str()), ("n0", "n2"));
    assert_eq!(load.rows[255].last, "n599");
    for pair in load.rows.windows(2) {
        let number = |name: &str| name[1..].parse::<usize>().unwrap();
        assert_eq!(
            number(&pair[0].last) + 1,
            number(&pair[1].first),
            "rows neither overlap nor leave gaps"
        );
    }
    // 1001 samples, four to a column.
    assert!(load.times.len() <= LOAD_COLUMNS_MAX);
    assert_eq!(load.times.len(), 251);
    assert_eq!(load.times[250], Time(1_000_000_000_000));
    assert!(load.row(0).iter().all(|cell| *cell == 1.0) && load.row(255).iter().all(|cell| *cell == 0.5));
    assert_eq!(record.series.len(), 1001, "the series is whole");
}

#[test]
fn cells_are_means_over_nodes_and_samples() {
    let setup = setup(&[(4, 4)]);
    let mut history = History::new(&setup);
    history.at(0).submit_to("a", 4, 0, 0);
    for second in 0..=LOAD_COLUMNS_MAX as u64 {
        history.at(second);
        if second == 1 {
            history.exit("a");
        }
        history.sample();
    }
    let load = history.end(LOAD_COLUMNS_MAX as u64).load;
    assert_eq!(load.times.len(), LOAD_COLUMNS_MAX / 2 + 1);
    assert_eq!(load.row(0)[..2], [0.5, 0.0], "full for one sample of the first two");
}

#[test]
fn a_second_sample_at_the_same_time_replaces_the_first() {
    let setup = setup(&[(4, 4)]);
    let mut history = History::new(&setup);
    history.at(1).sample().submit_to("a", 1, 1, 0).sample();
    let record = history.end(1);
    assert_eq!(record.series.len(), 1);
    assert_eq!(record.series[0].placed, 1);
    assert_eq!(record.load.cells, [0.25]);
    assert_eq!(record.occupancy_at_peak.unwrap().nodes, [(1, 1)]);
}

#[test]
fn a_peak_that_was_replaced_was_none() {
    let setup = setup(&[(4, 4), (4, 4)]);
    let mut history = History::new(&setup);
    history.at(1).submit_to("a", 1, 1, 0).submit_to("b", 1, 1, 0).sample();
    history
        .at(2)
        .submit_to("c", 1, 1, 1)
        .sample()
        .exit("a")
        .exit("b")
        .sample();
    let record = history.end(3);
    let peak = record.occupancy_at_peak.as_ref().unwrap();
    assert_eq!((peak.time, &peak.nodes), (Time(1_000_000_000), &vec![(0, 1), (2, 1)]));
    check(&record, &[(Metric::PackingPeak, Some(100.0))]);
}

#[test]
fn the_peak_is_looked_for_after_the_warm_up() {
    let setup = Setup {
        warm_up: Duration::from_secs(2),
        ..setup(&[(4, 4)])
    };
    let mut history = History::new(&setup);
    history.at(1).submit_to("a", 1, 1, 0).submit_to("b", 1, 1, 0).sample();
    history.at(2).exit("a").sample();
    history.at(3).exit("b");
    let record = history.end(4);
    assert_eq!(record.occupancy_at_peak.unwrap().nodes, [(1, 1)]);
    assert_eq!(record.occupancy_at_end.unwrap().nodes, [(0, 1)]);
}

#[test]
fn of_equal_peaks_the_first_counts() {
    let setup = setup(&[(4, 4), (4, 4)]);
    let mut history = History::new(&setup);
    history.at(1).submit_to("a", 1, 1, 0).submit_to("b", 1, 1, 0).sample();
    history.at(2).exit("a").submit_to("c", 1, 1, 1);
    let record = history.end(3);
    assert_eq!(record.occupancy_at_peak.as_ref().unwrap().time, Time(1_000_000_000));
    check(
        &record,
        &[(Metric::PackingPeak, Some(100.0)), (Metric::Packing, Some(75.0))],
    );
}

#[test]
fn a_node_has_no_load_before_it_joins_and_after_it_left() {
    let setup = setup(&[(4, 4), (4, 4)]);
    let mut history = History::with_absent(&setup, &[1]);
    history.at(0).sample();
    history.at(1).enter(1).sample();
    history.at(2).drain(1, &[]).sample();
    history.at(3).leave(1, &[]);
    let load = history.end(4).load;
    assert!(load.row(1)[0].is_nan());
    assert_eq!(load.row(1)[1..3], [0.0, 0.0]);
    assert!(load.row(1)[3].is_nan());
}

#[test]
fn containers_per_node_are_counted_at_the_peak_and_at_the_end() {
    let setup = setup(&[(8, 8), (8, 8), (8, 8)]);
    let mut history = History::new(&setup);
    history.at(0).sample();
    history
        .at(1)
        .submit_to("a", 1, 1, 0)
        .submit_to("b", 1, 1, 0)
        .submit_to("c", 1, 1, 1)
        .sample();
    history.at(2).exit("a").submit_to("d", 1, 1, 2).sample();
    history.at(3).exit("b").exit("c").fail(1, &[]);
    let record = history.end(4);
    let peak = record.occupancy_at_peak.unwrap();
    assert_eq!(
        (peak.time, peak.nodes),
        (Time(1_000_000_000), vec![(0, 1), (1, 1), (2, 1)])
    );
    assert_eq!(record.occupancy_at_end.unwrap().nodes, [(0, 1), (1, 1)]);
}

#[test]
fn the_columns_of_the_series_are_consistent() {
    let setup = setup(&[(4, 8), (4, 8)]);
    let mut history = History::new(&setup);
    history.at(1).submit_to("a", 1, 4, 0).start("a").pull(0, 7);
    let record = history.end(2);
    let row = &record.series[0];
    let value = |key: &str| {
        let column = SERIES.iter().find(|column| column.key == key);
        (column.unwrap_or_else(|| panic!("{key} is no column")).value)(row)
    };
    assert_eq!(value("time_s"), Some(2.0));
    assert_eq!(value("running"), Some(1.0));
    assert_eq!(value("cpu_reserved_pct"), Some(12.5));
    assert_eq!(value("memory_reserved_pct"), Some(25.0));
    assert_eq!(value("memory_max_over_mean"), Some(2.0));
    assert_eq!(value("pulled_bytes"), Some(7.0));
    assert_eq!(value("cpu_stranded_pct"), None);
    let mut keys: Vec<&str> = SERIES.iter().map(|column| column.key).collect();
    assert!(
        SERIES
            .iter()
            .all(|column| column.key.ends_with(column.unit.key_suffix()))
    );
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), SERIES.len());
}
