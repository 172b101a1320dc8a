//! Utilisation, balance, fragmentation and packing by hand.

use std::time::Duration;

use swarmlab::metrics::{Metric, Setup};

use super::history::{History, check, setup, shapes};

#[test]
fn utilisation_is_weighted_by_time() {
    let setup = setup(&[(4, 8), (4, 8)]);
    let mut history = History::new(&setup);
    history.at(2).submit_to("a", 2, 4, 0);
    history.at(4).submit_to("b", 4, 8, 1);
    history.at(9).exit("b");
    let record = history.end(10);
    // CPU: 2 of 8 from 2 to 4, 6 of 8 from 4 to 9, 2 of 8 from 9 to 10. Memory: the same shares.
    let mean = 100.0 * (2.0 * 0.25 + 5.0 * 0.75 + 1.0 * 0.25) / 10.0;
    check(
        &record,
        &[
            (Metric::CpuReservedMean, Some(mean)),
            (Metric::CpuReservedPeak, Some(75.0)),
            (Metric::CpuReservedFinal, Some(25.0)),
            (Metric::MemoryReservedMean, Some(mean)),
            (Metric::MemoryReservedPeak, Some(75.0)),
            (Metric::MemoryReservedFinal, Some(25.0)),
            (Metric::CpuOvercommitted, Some(0.0)),
            (Metric::ActiveNodesMean, Some((2.0 + 5.0 * 2.0 + 1.0) / 10.0)),
            (Metric::ActiveNodesPeak, Some(2.0)),
        ],
    );
}

#[test]
fn the_warm_up_is_cut_from_means_and_peaks() {
    let setup = Setup {
        warm_up: Duration::from_secs(5),
        ..setup(&[(4, 8)])
    };
    let mut history = History::new(&setup);
    history.at(0).submit_to("high", 4, 8, 0).sample();
    history.at(3).exit("high").submit_to("low", 1, 4, 0);
    history.at(5).sample();
    history.at(10).exit("low").sample();
    let record = history.end(15);
    check(
        &record,
        &[
            (Metric::CpuReservedMean, Some(12.5)),
            (Metric::CpuReservedPeak, Some(25.0)),
            (Metric::MemoryReservedMean, Some(25.0)),
            (Metric::ActiveNodesMean, Some(0.5)),
            (Metric::ActiveNodesPeak, Some(1.0)),
            (Metric::CpuJain, Some(1.0)),
            (Metric::PackingPeak, Some(100.0)),
        ],
    );
    let times: Vec<u64> = record.series.iter().map(|row| row.time.0 / 1_000_000_000).collect();
    assert_eq!(times, [0, 5, 10, 15], "the series is not cut");
    assert_eq!(record.series[0].reserved_pct.cpu, Some(100.0));
}

#[test]
fn a_run_that_ends_in_the_warm_up_has_no_figures_over_time() {
    let setup = Setup {
        warm_up: Duration::from_secs(50),
        ..setup(&[(4, 8)])
    };
    let mut history = History::new(&setup);
    history.at(1).submit_to("a", 4, 8, 0);
    check(
        &history.end(10),
        &[
            (Metric::CpuReservedMean, None),
            (Metric::CpuReservedFinal, None),
            (Metric::ActiveNodesPeak, None),
            (Metric::CpuJain, None),
            (Metric::Submitted, Some(0.0)),
        ],
    );
}

#[test]
fn a_run_without_duration_has_the_figures_of_its_instant() {
    let setup = setup(&[(4, 8)]);
    let mut history = History::new(&setup);
    history.at(0).submit_to("a", 4, 8, 0).submit_to("b", 0, 0, 0).exit("a");
    check(
        &history.end(0),
        &[
            (Metric::CpuReservedMean, Some(0.0)),
            (Metric::CpuReservedPeak, Some(0.0)),
            (Metric::ActiveNodesMean, Some(1.0)),
        ],
    );
}

#[test]
fn only_available_nodes_count() {
    let setup = setup(&[(4, 8), (4, 8)]);
    let mut history = History::new(&setup);
    history.at(0).submit_to("a", 2, 2, 0).submit_to("b", 4, 4, 1);
    // Node 1 keeps its container, but neither its capacity nor what is reserved on it counts from 2 to 6.
    history.at(2).drain(1, &[]).sample();
    history.at(6).undrain(1);
    history.at(8).fail(0, &[]).fail(1, &[]).sample();
    let record = history.end(10);
    let row = &record.series[0];
    assert_eq!((row.available_nodes, row.active_nodes, row.present), (1, 2, 2));
    assert_eq!(row.reserved_pct.cpu, Some(50.0));
    let last = record.series.last().unwrap();
    assert_eq!((last.available_nodes, last.reserved_pct.cpu), (0, None));
    check(
        &record,
        &[
            // The last two seconds have no available node and are left out.
            (
                Metric::CpuReservedMean,
                Some((2.0 * 75.0 + 4.0 * 50.0 + 2.0 * 75.0) / 8.0),
            ),
            (Metric::CpuReservedFinal, None),
            (Metric::ActiveNodesMean, Some(1.6)),
        ],
    );
}

#[test]
fn nodes_that_come_and_go_change_the_capacity() {
    let setup = setup(&[(4, 8)]);
    let mut history = History::new(&setup);
    history.at(0).submit_to("a", 2, 2, 0);
    history.at(5).join("n1", 12, 24);
    history.at(10).leave(0, &[]).sample();
    history.at(12).submit_to("b", 6, 6, 1);
    let record = history.end(20);
    check(
        &record,
        &[
            (
                Metric::CpuReservedMean,
                Some((5.0 * 50.0 + 5.0 * 12.5 + 8.0 * 50.0) / 20.0),
            ),
            (Metric::CpuReservedFinal, Some(50.0)),
        ],
    );
    assert_eq!(record.series[0].available_nodes, 1);
}

#[test]
fn overcommitment_is_summed_where_it_is() {
    let setup = setup(&[(4, 8), (12, 8)]);
    let mut history = History::new(&setup);
    // Two CPUs too many on node 0; what is free on node 1 does not make up for it.
    history.at(0).submit_to("a", 4, 4, 0);
    history.at(5).submit_to("b", 2, 4, 0);
    let record = history.end(10);
    check(
        &record,
        &[
            (Metric::CpuOvercommitted, Some(100.0 * 2.0 / 16.0 / 2.0)),
            (Metric::MemoryOvercommitted, Some(0.0)),
        ],
    );
    assert_eq!(record.series[0].overcommitted_pct.cpu, Some(12.5));
}

#[test]
fn balance_is_the_mean_over_samples_with_something_reserved() {
    let setup = setup(&[(4, 4), (8, 4)]);
    let mut history = History::new(&setup);
    history.at(0).sample();
    history.at(1).submit_to("a", 2, 1, 0).sample();
    history.at(2).submit_to("b", 4, 0, 1);
    let record = history.end(3);
    // CPU shares are (0.5, 0), then (0.5, 0.5); memory shares (0.25, 0) twice.
    check(
        &record,
        &[
            (Metric::CpuCv, Some((1.0 + 0.0) / 2.0)),
            (Metric::CpuJain, Some((0.5 + 1.0) / 2.0)),
            (Metric::CpuMaxOverMean, Some((2.0 + 1.0) / 2.0)),
            (Metric::MemoryCv, Some(1.0)),
            (Metric::MemoryJain, Some(0.5)),
            (Metric::MemoryMaxOverMean, Some(2.0)),
        ],
    );
    assert_eq!(record.series[0].balance.cpu, None);
}

#[test]
fn drained_nodes_are_neither_balanced_nor_packed() {
    let setup = Setup {
        shapes: shapes(&[(1, 1, 1.0)]),
        ..setup(&[(4, 4), (4, 4), (4, 4)])
    };
    let mut history = History::new(&setup);
    // The drained node 2 has free memory that cannot be used, and would be unevenly loaded and badly packed.
    history
        .at(0)
        .submit_to("a", 2, 2, 0)
        .submit_to("b", 2, 2, 1)
        .submit_to("c", 4, 1, 2);
    history.drain(2, &[]);
    check(
        &history.end(1),
        &[
            (Metric::CpuJain, Some(1.0)),
            (Metric::MemoryMaxOverMean, Some(1.0)),
            (Metric::MemoryStranded, Some(0.0)),
            (Metric::MemoryFragmented, Some(0.0)),
            (Metric::Packing, Some(50.0)),
        ],
    );
}

#[test]
fn stranding_and_fragmentation_by_hand() {
    let setup = Setup {
        shapes: shapes(&[(1, 1, 3.0), (2, 8, 1.0)]),
        ..setup(&[(8, 16), (8, 16), (8, 16)])
    };
    let mut history = History::new(&setup);
    // Node 0 has no CPU and 8 GiB left, node 1 has 4 CPUs and no memory left, node 2 has 1 CPU and 10 GiB left.
    history
        .at(0)
        .submit_to("a", 8, 8, 0)
        .submit_to("b", 4, 16, 1)
        .submit_to("c", 7, 6, 2);
    let record = history.end(1);
    // The smallest typical container, 1 CPU and 1 GiB, fits node 2 only. The large one, a quarter of all, fits nowhere.
    check(
        &record,
        &[
            (Metric::CpuStranded, Some(100.0 * 4.0 / 24.0)),
            (Metric::MemoryStranded, Some(100.0 * 8.0 / 48.0)),
            (Metric::CpuFragmented, Some(100.0 * (4.0 + 0.25) / 24.0)),
            (Metric::MemoryFragmented, Some(100.0 * (8.0 + 0.25 * 10.0) / 48.0)),
        ],
    );
}

#[test]
fn without_typical_containers_nothing_is_stranded_or_fragmented() {
    let nothing_reserved = Setup {
        shapes: shapes(&[(0, 0, 1.0)]),
        ..setup(&[(8, 16)])
    };
    check(
        &History::new(&nothing_reserved).end(1),
        &[(Metric::CpuStranded, None), (Metric::CpuFragmented, Some(0.0))],
    );
    let unknown = setup(&[(8, 16)]);
    check(
        &History::new(&unknown).end(1),
        &[(Metric::CpuStranded, None), (Metric::CpuFragmented, None)],
    );
}

#[test]
fn packing_compares_with_the_fewest_nodes_that_could_do() {
    let setup = setup(&[(4, 8), (4, 8), (8, 8), (4, 32)]);
    let mut history = History::new(&setup);
    // 3 CPUs and 20 GiB on three nodes: one node has the CPUs, one has the memory.
    history
        .at(0)
        .submit_to("a", 1, 4, 0)
        .submit_to("b", 1, 8, 1)
        .submit_to("c", 1, 8, 2)
        .sample();
    // 9 CPUs on three nodes: the two largest have 12.
    history.at(1).submit_to("d", 6, 0, 2).sample();
    history.at(2).exit("a").exit("b").exit("c").exit("d").sample();
    let record = history.end(3);
    let samples: Vec<Option<f64>> = record.series.iter().map(|row| row.packing_pct).collect();
    assert_eq!(samples, [Some(100.0 / 3.0), Some(200.0 / 3.0), None, None]);
    check(
        &record,
        &[(Metric::Packing, Some(50.0)), (Metric::PackingPeak, Some(200.0 / 3.0))],
    );
}

#[test]
fn containers_that_reserve_nothing_divide_nothing_by_zero() {
    let setup = Setup {
        shapes: shapes(&[(0, 0, 1.0)]),
        ..setup(&[(4, 8), (0, 0)])
    };
    let mut history = History::new(&setup);
    history.at(0).submit_to("a", 0, 0, 0).submit_to("b", 0, 0, 1);
    let record = history.end(1);
    check(
        &record,
        &[
            (Metric::CpuReservedMean, Some(0.0)),
            (Metric::CpuJain, None),
            (Metric::MemoryMaxOverMean, None),
            // One node would do.
            (Metric::Packing, Some(50.0)),
            (Metric::CpuFragmented, Some(0.0)),
        ],
    );
}

#[test]
fn a_node_without_any_of_a_resource_has_no_share_of_it() {
    let setup = setup(&[(4, 8), (4, 0)]);
    let mut history = History::new(&setup);
    history.at(0).submit_to("a", 2, 4, 0).submit_to("b", 2, 0, 1);
    check(
        &history.end(1),
        &[(Metric::MemoryJain, Some(1.0)), (Metric::CpuJain, Some(1.0))],
    );
}
