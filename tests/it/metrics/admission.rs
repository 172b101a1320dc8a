//! Who is counted, how long they waited, and why they were refused.

use std::time::Duration;

use swarmlab::metrics::{Metric, Reason, Setup};
use swarmlab::model::{Request, Resources};
use swarmlab::scheduler::{Filter, Rejection, SoftRules};

use super::history::{History, amount, check, setup};

fn warm_up(seconds: u64, setup: Setup) -> Setup {
    Setup {
        warm_up: Duration::from_secs(seconds),
        ..setup
    }
}

#[test]
fn a_day_at_the_door() {
    let setup = setup(&[(4, 4)]);
    let mut history = History::new(&setup);
    history.at(1).submit_to("at-once", 1, 1, 0);
    history.at(2).submit("patient", 4, 1).refuse("patient").retry("patient");
    history.at(3).refuse("patient").retry("patient");
    history
        .at(3)
        .submit("hopeless", 9, 1)
        .refuse_for("hopeless", Rejection::Filter(Filter::Constraint));
    history
        .at(3)
        .give_up("hopeless", Some(Rejection::Filter(Filter::Constraint)));
    history.at(4).submit("queued", 1, 1).refuse("queued").queue("queued");
    history
        .at(4)
        .submit("too-late", 1, 1)
        .refuse("too-late")
        .give_up("too-late", None);
    history.at(5).submit("open", 1, 1).queue("open");
    history.at(6).exit("at-once").place("patient", 0);
    history.at(14).exit("patient").place("queued", 0);
    let record = history.end(20);
    check(
        &record,
        &[
            (Metric::Submitted, Some(6.0)),
            (Metric::Placed, Some(3.0)),
            (Metric::Rejected, Some(2.0)),
            (Metric::RejectedShare, Some(100.0 * 2.0 / 6.0)),
            (Metric::WaitingAtEnd, Some(1.0)),
            (Metric::Retried, Some(3.0)),
            (Metric::RefusedAttempts, Some(5.0)),
            // Waits are 0, 4 and 10 seconds.
            (Metric::WaitMean, Some(14.0 / 3.0)),
            (Metric::WaitP50, Some(4.0)),
            (Metric::WaitP90, Some(10.0)),
            (Metric::WaitP99, Some(10.0)),
        ],
    );
    let constraint = Reason::Rejection(Rejection::Filter(Filter::Constraint));
    let no_resources = Reason::Rejection(Rejection::NoResources);
    let rejections: Vec<_> = record.rejections.into_iter().collect();
    assert_eq!(rejections, [(constraint, 1), (Reason::QueueFull, 1)]);
    let refusals: Vec<_> = record.refusals.into_iter().collect();
    assert_eq!(refusals, [(constraint, 1), (no_resources, 4)]);
    assert_eq!(Reason::QueueFull.name(), "queue-full");
    let class = &record.classes[0];
    assert_eq!((class.submitted, class.placed, class.rejected), (6, 3, 2));
}

#[test]
fn what_is_submitted_in_the_warm_up_is_never_counted() {
    let setup = warm_up(10, setup(&[(4, 4)]));
    let mut history = History::new(&setup);
    history.at(8).submit("before", 1, 1).refuse("before").retry("before");
    history
        .at(9)
        .submit("refused-before", 1, 1)
        .refuse("refused-before")
        .retry("refused-before");
    // The warm-up ends at ten seconds sharp, and that instant is past it.
    history.at(10).submit_to("sharp", 1, 1, 0).start("sharp");
    history.at(12).place("before", 0).start("before");
    history.at(13).refuse("refused-before");
    history.at(13).give_up("refused-before", Some(Rejection::NoResources));
    history.at(14).submit("after", 1, 1);
    history.at(16).place("after", 0);
    history.at(17).start("after");
    let record = history.end(20);
    check(
        &record,
        &[
            (Metric::Submitted, Some(2.0)),
            (Metric::Placed, Some(2.0)),
            (Metric::Rejected, Some(0.0)),
            (Metric::RejectedShare, Some(0.0)),
            (Metric::WaitingAtEnd, Some(0.0)),
            (Metric::Retried, Some(0.0)),
            // Attempts count when they are made.
            (Metric::RefusedAttempts, Some(1.0)),
            (Metric::WaitP50, Some(0.0)),
            (Metric::WaitP99, Some(2.0)),
            (Metric::StartupP50, Some(0.0)),
            (Metric::StartupP99, Some(3.0)),
        ],
    );
    assert!(record.rejections.is_empty());
    let last = record.series.last().unwrap();
    let so_far = (last.submitted, last.placed, last.rejected, last.waiting);
    assert_eq!(so_far, (4, 3, 1, 0), "the series counts from the start");
}

#[test]
fn nothing_submitted_has_no_rate_and_no_wait() {
    let setup = setup(&[(4, 4)]);
    let record = History::new(&setup).end(10);
    check(
        &record,
        &[
            (Metric::Submitted, Some(0.0)),
            (Metric::RejectedShare, None),
            (Metric::WaitMean, None),
            (Metric::WaitP50, None),
            (Metric::StartupP90, None),
            (Metric::SoftKept, None),
            (Metric::Restarts, None),
            (Metric::NodeFailures, None),
            (Metric::ContainersLost, None),
            (Metric::RecoveryP50, None),
            (Metric::PulledBytes, None),
            (Metric::ColdStarts, None),
            (Metric::CpuReservedMean, Some(0.0)),
            (Metric::CpuJain, None),
            (Metric::Packing, None),
            (Metric::PackingPeak, None),
        ],
    );
}

#[test]
fn soft_rules_are_judged_where_there_are_some() {
    let setup = setup(&[(4, 4)]);
    let mut history = History::new(&setup);
    let with = |constraint: &str| Request {
        constraints: vec!["zone==eu".to_owned(), constraint.to_owned()],
        ..Request::default()
    };
    let affine = Request {
        affinities: vec!["container!=~web*".to_owned()],
        ..Request::default()
    };
    history.at(1);
    for (name, request, soft) in [
        ("hard", with("node==n0"), SoftRules::Enforced),
        ("kept", with("disk==~ssd"), SoftRules::Enforced),
        ("kept-again", with("disk==~ssd"), SoftRules::Enforced),
        ("dropped", with("disk==~ssd"), SoftRules::Dropped),
        ("affine", affine, SoftRules::Enforced),
        ("plain", Request::default(), SoftRules::Enforced),
    ] {
        history.submit_request(name, request, 0).place_with(name, 0, soft, None);
    }
    check(&history.end(2), &[(Metric::SoftKept, Some(75.0))]);
}

#[test]
fn startup_is_from_submission_to_the_first_start() {
    let setup = Setup {
        start_latency: Duration::from_secs(1),
        images: true,
        ..setup(&[(8, 8), (8, 8)])
    };
    let mut history = History::new(&setup);
    history.at(0).submit_to("warm", 1, 1, 0);
    history.at(1).start("warm").submit("cold", 1, 1);
    history.at(3).place("cold", 1).pull(1, 5_000_000);
    // Two seconds of waiting, one of starting, six of pulling.
    history.at(10).start("cold");
    // It restarts, which is told or not.
    history.at(11).stop("warm", true);
    history.at(12).start("warm").stop("warm", true);
    history.at(13).exit("warm").submit_to("another", 1, 1, 0);
    history.at(14).start("another");
    let record = history.end(20);
    check(
        &record,
        &[
            // 1, 1 and 9 seconds.
            (Metric::StartupP50, Some(1.0)),
            (Metric::StartupP90, Some(9.0)),
            (Metric::Restarts, Some(2.0)),
            (Metric::PulledBytes, Some(5e6)),
            (Metric::ColdStarts, Some(100.0 / 3.0)),
            (Metric::PullWaitMean, Some(6.0)),
        ],
    );
}

#[test]
fn images_that_are_all_there_are_no_cold_start() {
    let setup = Setup {
        images: true,
        ..setup(&[(8, 8)])
    };
    let mut history = History::new(&setup);
    history.at(0).submit_to("warm", 1, 1, 0).start("warm");
    check(
        &history.end(1),
        &[
            (Metric::PulledBytes, Some(0.0)),
            (Metric::ColdStarts, Some(0.0)),
            (Metric::PullWaitMean, None),
        ],
    );
}

#[test]
fn classes_are_told_apart() {
    let mut setup = setup(&[(8, 8)]);
    setup.classes.push("batch".to_owned());
    let mut history = History::new(&setup);
    let request = Request {
        resources: amount(1, 1),
        ..Request::default()
    };
    history
        .at(1)
        .submit_request("web-1", request.clone(), 0)
        .place("web-1", 0);
    history
        .at(1)
        .submit_request("batch-1", request.clone(), 1)
        .refuse("batch-1");
    history.give_up("batch-1", Some(Rejection::NoResources));
    history.at(2).submit_request("batch-2", request, 1);
    let counts = history.end(3).classes.into_iter();
    let counts: Vec<_> = counts
        .map(|class| (class.name, class.submitted, class.placed, class.rejected))
        .collect();
    assert_eq!(counts, [("web".to_owned(), 1, 1, 0), ("batch".to_owned(), 2, 0, 1)]);
}

#[test]
fn measured_time_is_kept_apart_from_simulated_time() {
    let run = |latency: Option<u64>| {
        let setup = warm_up(5, setup(&[(8, 8)]));
        let mut history = History::new(&setup);
        history
            .at(1)
            .submit("early", 1, 1)
            .place_with("early", 0, SoftRules::Enforced, latency);
        for second in 6..10 {
            let name = second.to_string();
            let request = Request {
                resources: Resources::ZERO,
                ..Request::default()
            };
            history.at(second).submit_request(&name, request, 0);
            history.place_with(&name, 0, SoftRules::Enforced, latency);
        }
        history.end(20)
    };
    let (timed, plain) = (run(Some(1_000)), run(None));
    let histogram = timed.latency_ns.unwrap();
    assert_eq!((histogram.len(), histogram.value_at_quantile(0.5)), (4, 1_000));
    assert!(plain.latency_ns.is_none());
    assert_eq!((timed.summary, timed.series), (plain.summary, plain.series));
}
