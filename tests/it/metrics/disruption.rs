//! Failures and what they cost.

use std::time::Duration;

use swarmlab::metrics::{Metric, Setup};
use swarmlab::model::{Request, ReschedulePolicy};
use swarmlab::scheduler::Rejection;

use super::history::{History, check, setup};

#[test]
fn two_failures_and_a_drain() {
    let setup = setup(&[(8, 8), (8, 8), (8, 8)]);
    let mut history = History::new(&setup);
    history
        .at(0)
        .submit_to("a", 1, 1, 0)
        .submit_to("b", 1, 1, 0)
        .submit_to("c", 1, 1, 0);
    history.at(0).submit_to("d", 1, 1, 1).submit_to("e", 1, 1, 1);
    history.start("a").start("b").start("c").start("d");
    // Node 0 fails; a and b come back after 3 and 7 seconds, c does not ask for it.
    history.at(10).fail(0, &["a", "b"]).sample();
    history.at(13).place("a", 1).start("a").recover(0).sample();
    history.at(17).place("b", 2).start("b").sample();
    // Node 1 fails; d finds a place at once, e and a none.
    history.at(20).fail(1, &["a", "d", "e"]);
    history
        .at(20)
        .place("d", 0)
        .refuse("e")
        .retry("e")
        .refuse("a")
        .queue("a");
    history.at(25).refuse("e").give_up("e", Some(Rejection::NoResources));
    // Node 2 is drained, and b moves.
    history.at(30).drain(2, &["b"]).place("b", 0);
    let record = history.end(40);
    check(
        &record,
        &[
            (Metric::NodeFailures, Some(2.0)),
            (Metric::ContainersLost, Some(6.0)),
            (Metric::ContainersMoved, Some(1.0)),
            (Metric::ContainersRescheduled, Some(4.0)),
            // c, e and the second time a.
            (Metric::ContainersNotReplaced, Some(3.0)),
            (Metric::RecoveryP50, Some(7.0)),
            (Metric::RecoveryMax, Some(7.0)),
            (Metric::FailuresNotRecovered, Some(1.0)),
            // Rescheduling is neither admission nor rejection.
            (Metric::Placed, Some(5.0)),
            (Metric::Rejected, Some(0.0)),
            (Metric::Retried, Some(0.0)),
            (Metric::RefusedAttempts, Some(3.0)),
            (Metric::WaitP99, Some(0.0)),
        ],
    );
    let seen: Vec<_> = record
        .series
        .iter()
        .map(|row| (row.displaced, row.present, row.running))
        .collect();
    assert_eq!(seen[..3], [(2, 2, 1), (1, 3, 2), (0, 4, 3)]);
    assert_eq!(seen[3], (1, 2, 0), "a still waits, d and b have not started again");
}

#[test]
fn recoveries_have_a_median_and_a_maximum() {
    let setup = setup(&[(8, 8), (8, 8)]);
    let mut history = History::new(&setup);
    history.at(0).submit_to("a", 1, 1, 0);
    for (second, from, seconds) in [(10, 0, 1), (20, 1, 5), (30, 0, 2)] {
        history.at(second).fail(from, &["a"]);
        history.at(second + seconds).place("a", 1 - from).recover(from);
    }
    check(
        &history.end(40),
        &[
            (Metric::RecoveryP50, Some(2.0)),
            (Metric::RecoveryMax, Some(5.0)),
            (Metric::FailuresNotRecovered, Some(0.0)),
            (Metric::ContainersNotReplaced, Some(0.0)),
        ],
    );
}

#[test]
fn giving_up_and_waiting_in_vain_are_both_no_recovery() {
    for gives_up in [true, false] {
        let setup = setup(&[(8, 8), (8, 8)]);
        let mut history = History::new(&setup);
        history.at(0).submit_to("a", 1, 1, 0).submit_to("b", 1, 1, 0);
        history.at(1).fail(0, &["a", "b"]).refuse("a").retry("a");
        history.at(2).place("b", 1);
        if gives_up {
            history.at(3).refuse("a").give_up("a", Some(Rejection::NoResources));
        }
        check(
            &history.end(4),
            &[
                (Metric::RecoveryP50, None),
                (Metric::FailuresNotRecovered, Some(1.0)),
                (Metric::ContainersRescheduled, Some(1.0)),
                (Metric::ContainersNotReplaced, Some(1.0)),
            ],
        );
    }
}

#[test]
fn a_node_that_has_recovered_can_be_drained_like_any_other() {
    let setup = setup(&[(8, 8), (8, 8)]);
    let mut history = History::new(&setup);
    history.at(1).fail(0, &[]).recover(0);
    history.at(2).submit_to("a", 1, 1, 0).drain(0, &["a"]).place("a", 1);
    check(
        &history.end(3),
        &[
            (Metric::ContainersLost, Some(0.0)),
            (Metric::ContainersMoved, Some(1.0)),
            (Metric::ContainersRescheduled, Some(1.0)),
            (Metric::RecoveryP50, None),
        ],
    );
}

#[test]
fn a_failure_with_nothing_to_place_again_is_no_recovery() {
    let setup = setup(&[(8, 8), (8, 8)]);
    let mut history = History::new(&setup);
    history.at(0).submit_to("a", 1, 1, 0);
    history.at(1).fail(0, &[]).leave(1, &[]);
    check(
        &history.end(2),
        &[
            (Metric::NodeFailures, Some(2.0)),
            (Metric::ContainersLost, Some(1.0)),
            (Metric::ContainersNotReplaced, Some(1.0)),
            (Metric::RecoveryP50, None),
            (Metric::FailuresNotRecovered, None),
        ],
    );
}

#[test]
fn failures_in_the_warm_up_do_not_count() {
    let setup = Setup {
        warm_up: Duration::from_secs(10),
        ..setup(&[(8, 8), (8, 8)])
    };
    let mut history = History::new(&setup);
    history.at(0).submit_to("a", 1, 1, 0).submit_to("b", 1, 1, 0);
    history.at(9).fail(0, &["a"]);
    history.at(12).place("a", 1);
    let record = history.end(20);
    check(
        &record,
        &[
            (Metric::NodeFailures, None),
            (Metric::ContainersLost, None),
            (Metric::ContainersRescheduled, None),
            (Metric::RecoveryP50, None),
        ],
    );
}

#[test]
fn a_drained_cluster_without_losses_says_so() {
    let setup = setup(&[(8, 8)]);
    let mut history = History::new(&setup);
    history.at(1).drain(0, &[]);
    check(
        &history.end(2),
        &[
            (Metric::NodeFailures, Some(0.0)),
            (Metric::ContainersLost, Some(0.0)),
            (Metric::ContainersMoved, Some(0.0)),
            (Metric::FailuresNotRecovered, None),
        ],
    );
}

#[test]
fn what_runs_is_followed_through_restarts_and_losses() {
    for reschedule in [ReschedulePolicy::Off, ReschedulePolicy::OnNodeFailure] {
        let setup = setup(&[(8, 8), (8, 8)]);
        let mut history = History::new(&setup);
        for (name, node) in [("a", 0), ("b", 0), ("c", 1)] {
            let request = Request {
                reschedule,
                ..Request::default()
            };
            history.at(0).submit_request(name, request, 0).place(name, node);
        }
        history.sample();
        history.at(1).start("a").start("b").start("c").sample();
        // Until a starts again, it counts as running.
        history.at(2).stop("a", true).stop("b", false).sample();
        history.at(3).start("a").sample();
        history.at(4).stop("a", true).stop("a", true).sample();
        history.at(5).fail(0, &[]).sample();
        history.at(6).exit("c");
        let record = history.end(7);
        let seen: Vec<_> = record.series.iter().map(|row| (row.present, row.running)).collect();
        let expected = [(3, 0), (3, 3), (3, 2), (3, 2), (3, 2), (1, 1), (0, 0)];
        assert_eq!(seen, expected, "{reschedule:?}");
        // The exited b is nobody's loss.
        check(
            &record,
            &[(Metric::ContainersLost, Some(1.0)), (Metric::Restarts, Some(3.0))],
        );
    }
}

#[test]
fn a_name_that_is_used_again_runs_anew() {
    let setup = setup(&[(8, 8), (8, 8)]);
    let mut history = History::new(&setup);
    history
        .at(0)
        .submit_to("again", 1, 1, 0)
        .submit_to("other", 1, 1, 0)
        .start("again")
        .start("other");
    history.at(1).exit("again").submit_to("again", 1, 1, 0);
    // The second of the name has not started when it is moved.
    history.at(2).drain(0, &["again"]);
    assert_eq!(history.end(3).series[0].running, 1);
}

#[test]
fn moving_stops_only_what_ran() {
    let setup = setup(&[(8, 8), (8, 8)]);
    let mut history = History::new(&setup);
    for name in ["runs", "exited", "starts", "stays"] {
        history.at(0).submit_to(name, 1, 1, 0);
    }
    history
        .start("runs")
        .start("exited")
        .start("stays")
        .stop("exited", false);
    history.at(1).sample();
    history.at(2).drain(0, &["runs", "starts"]).sample();
    // The drained node fails, and takes along what stayed.
    history.at(3).fail(0, &[]);
    let record = history.end(4);
    let seen: Vec<_> = record.series.iter().map(|row| (row.present, row.running)).collect();
    assert_eq!(seen, [(4, 2), (2, 1), (0, 0)]);
    check(
        &record,
        &[
            (Metric::ContainersMoved, Some(2.0)),
            (Metric::ContainersLost, Some(1.0)),
            (Metric::ContainersNotReplaced, Some(3.0)),
        ],
    );
}
